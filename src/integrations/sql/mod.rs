//! What is told of a statement of SQL: all but the values in it.

mod lexer;
mod outline;
mod position;

pub(super) use self::lexer::Dialect;
use self::lexer::{Lexer, Token};
use self::outline::Outline;
use self::position::Positions;

/// A statement as it is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Statement {
    /// Its text with a `?` for each value in it, on one line and without comments.
    pub(super) text: String,
    /// What it does, such as `SELECT`. Of several statements, the first one counts.
    pub(super) operation: Option<String>,
    /// The first table that it does it to, such as `items`.
    pub(super) collection: Option<String>,
}

impl Statement {
    /// Reads a statement. That takes time in proportion to its length, and never fails.
    pub(super) fn new(sql: &str, dialect: Dialect) -> Self {
        let mut text = String::with_capacity(sql.len().min(MAX_TEXT));
        let mut outline = Outline::default();
        let mut positions = Positions::new(dialect);
        let mut lexer = Lexer::new(sql, dialect);
        let mut space = "";
        while let Some(token) = lexer.next() {
            let token = positions.read(token, &lexer);
            let written = match token {
                Token::Space => {
                    space = if text.is_empty() { "" } else { " " };
                    continue;
                }
                Token::Word(text)
                | Token::Quoted(text)
                | Token::Placeholder(text)
                | Token::Sign(text) => text,
                Token::Literal => "?",
                Token::Unreadable => CUT,
            };
            outline.read(token);
            let length = text.len() + space.len() + written.len();
            if length > MAX_TEXT - CUT.len() || token == Token::Unreadable {
                text.push_str(if text.is_empty() { CUT.trim() } else { CUT });
                break;
            }
            text.push_str(space);
            text.push_str(written);
            space = "";
        }
        let (operation, collection) = outline.finish();
        Self {
            text,
            operation,
            collection,
        }
    }

    /// Operation and collection in a few words, such as `SELECT items`.
    pub(super) fn summary(&self) -> Option<String> {
        let operation = self.operation.as_deref()?;
        Some(match &self.collection {
            Some(collection) => format!("{operation} {collection}"),
            None => operation.to_owned(),
        })
    }
}

/// Longer texts are cut, in bytes: a transaction of a thousand of these is over what servers take.
const MAX_TEXT: usize = 4_096;

/// Stands for what is left out at the end.
const CUT: &str = " …";

#[cfg(test)]
mod tests;
