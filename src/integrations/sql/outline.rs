//! What a statement does, and to which table.

use super::lexer::Token;

/// Finds out operation and collection while the tokens go by.
///
/// It looks for the word that comes before the name, outside of parentheses: what is inside of
/// them is another query, or none.
#[derive(Default)]
pub(super) struct Outline {
    operation: Option<String>,
    collection: Option<String>,
    depth: usize,
    /// The depth at which the operation was found.
    base: usize,
    /// Whether the operation comes after a list of named queries.
    after_with: bool,
    stage: Stage,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Stage {
    /// Looks for the operation.
    #[default]
    Operation,
    /// Looks for the word before the name.
    Before(&'static str),
    /// Looks for the name.
    Name,
    /// Has read a part of the name, and a dot would be followed by another one.
    Part,
    /// Has read a part of the name and a dot.
    Dot,
    Done,
}

impl Outline {
    pub(super) fn read(&mut self, token: Token<'_>) {
        match token {
            Token::Sign("(") => self.depth += 1,
            Token::Sign(")") => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        match (self.stage, token) {
            (Stage::Done, _) => {}
            (_, Token::Sign(";")) => {
                if self.operation.is_some() {
                    self.stage = Stage::Done;
                }
            }
            (Stage::Operation, Token::Word(word)) => self.read_operation(word),
            (Stage::Before(before), Token::Word(word)) => {
                if self.depth == self.base && word.eq_ignore_ascii_case(before) {
                    self.stage = Stage::Name;
                }
            }
            (Stage::Name, Token::Word(word)) if is_noise(word) => {}
            (Stage::Name | Stage::Dot, Token::Word(name)) => self.read_name(name),
            (Stage::Name | Stage::Dot, Token::Quoted(name)) => self.read_name(&unquoted(name)),
            (Stage::Part, Token::Sign(".")) => {
                self.stage = Stage::Dot;
            }
            // A function is no table, but a list of columns may follow one.
            (Stage::Part, Token::Sign("(")) if self.operation.as_deref() == Some("SELECT") => {
                self.collection = None;
                self.stage = Stage::Done;
            }
            (Stage::Name | Stage::Part | Stage::Dot, _) => self.stage = Stage::Done,
            (Stage::Operation | Stage::Before(_), _) => {}
        }
    }

    /// Operation and collection, as far as they were found.
    pub(super) fn finish(self) -> (Option<String>, Option<String>) {
        let fits = |name: &String| name.len() <= MAX_NAME;
        (self.operation, self.collection.filter(fits))
    }

    fn read_operation(&mut self, word: &str) {
        if self.after_with && (self.depth > self.base || !is_main(word)) {
            return;
        }
        self.base = self.depth;
        let word = word.to_ascii_uppercase();
        if word == "WITH" {
            self.after_with = true;
            return;
        }
        self.stage = match word.as_str() {
            "SELECT" | "DELETE" => Stage::Before("FROM"),
            "INSERT" | "REPLACE" | "MERGE" => Stage::Before("INTO"),
            "CREATE" | "ALTER" | "DROP" | "LOCK" => Stage::Before("TABLE"),
            "UPDATE" | "TRUNCATE" | "COPY" => Stage::Name,
            _ => Stage::Done,
        };
        self.operation = Some(word).filter(|word| word.len() <= MAX_OPERATION);
    }

    fn read_name(&mut self, name: &str) {
        match &mut self.collection {
            Some(collection) if collection.len() <= MAX_NAME => {
                collection.push('.');
                collection.push_str(name);
            }
            Some(_) => {}
            None => self.collection = Some(name.to_owned()),
        }
        self.stage = Stage::Part;
    }
}

/// Whether the main part of a statement begins so.
fn is_main(word: &str) -> bool {
    const MAIN: [&str; 7] = [
        "SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE", "VALUES",
    ];
    MAIN.iter().any(|main| main.eq_ignore_ascii_case(word))
}

/// Whether it may stand where the name of a table is expected.
fn is_noise(word: &str) -> bool {
    const NOISE: [&str; 15] = [
        "ABORT",
        "EXISTS",
        "FAIL",
        "IF",
        "IGNORE",
        "LATERAL",
        "LOW_PRIORITY",
        "NOT",
        "ONLY",
        "OR",
        "QUICK",
        "REPLACE",
        "ROLLBACK",
        "TABLE",
        "TABLES",
    ];
    NOISE.iter().any(|noise| noise.eq_ignore_ascii_case(word))
}

/// A name without its quotes.
fn unquoted(name: &str) -> String {
    let mut chars = name.chars();
    let (_, end) = (chars.next(), chars.next_back());
    let inside = chars.as_str();
    match end {
        Some(quote @ ('"' | '`')) => inside.replace(&format!("{quote}{quote}"), &quote.to_string()),
        _ => inside.to_owned(),
    }
}

/// The names of operations are words of a language.
const MAX_OPERATION: usize = 32;

/// Longer names than databases have are none.
const MAX_NAME: usize = 255;
