//! Where in a statement a value can stand that the lexer takes for a name.

use super::lexer::{Dialect, Lexer, Token};

/// Follows a statement, and finds the words and names in quotes that are values.
///
/// SQLite takes a name in double quotes for a string where there is no such column, and pragmas
/// and settings take words and names as values. What must be a name stays: behind words such as
/// `FROM` and `AS`, beside a dot, and in lists of tables and columns.
pub(super) struct Positions {
    dialect: Dialect,
    kind: Kind,
    /// The part of the statement, for each parenthesis that is open.
    clauses: Vec<Clause>,
    /// Whether a name must come next.
    name_next: bool,
    /// Whether the values of a pragma or a setting come next.
    values: bool,
    /// Whether the pragma that was named last is a key.
    is_key: bool,
    after_or: bool,
}

/// What a statement begins with, as far as that matters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Unknown,
    Pragma,
    Set,
    Alter,
    Other,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Clause {
    /// Expressions.
    Values,
    /// Tables with commas between them.
    Tables,
    /// A table, which may have a list of columns behind it.
    Table,
    /// Columns, each of which may have more behind it.
    Columns,
    /// Columns and what they are set to.
    Set,
}

impl Positions {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            kind: Kind::Unknown,
            clauses: vec![Clause::Values],
            name_next: false,
            values: false,
            is_key: false,
            after_or: false,
        }
    }

    /// Reads the next token, and returns it or, if it is a value, a literal. `rest` is at its end.
    pub(super) fn read<'a>(&mut self, token: Token<'a>, rest: &Lexer<'a>) -> Token<'a> {
        if token == Token::Space {
            return token;
        }
        let name_next = std::mem::take(&mut self.name_next);
        let after_or = std::mem::take(&mut self.after_or);
        match token {
            Token::Word(word) => self.read_word(word, after_or, rest),
            Token::Sign(sign) => {
                self.read_sign(sign);
                token
            }
            Token::Quoted(_) if self.values => Token::Literal,
            Token::Quoted(name) if self.dialect == Dialect::Sqlite && name.starts_with('"') => {
                match name_next || rest.is_before_dot() {
                    true => token,
                    false => Token::Literal,
                }
            }
            _ => token,
        }
    }

    fn read_word<'a>(&mut self, word: &'a str, after_or: bool, rest: &Lexer<'a>) -> Token<'a> {
        let is = |words: &[&str]| words.iter().any(|one| one.eq_ignore_ascii_case(word));
        if self.values {
            let is_setting = self.kind != Kind::Pragma;
            let stays = match is_setting {
                true => is(&PLAIN_SETTINGS) || rest.is_before(b'('),
                false => !self.is_key,
            };
            return match stays {
                true => Token::Word(word),
                false => Token::Literal,
            };
        }
        match self.kind {
            Kind::Unknown => {
                self.kind = match () {
                    () if is(&["PRAGMA"]) && self.dialect == Dialect::Sqlite => Kind::Pragma,
                    () if is(&["SET"]) => Kind::Set,
                    () if is(&["ALTER"]) => Kind::Alter,
                    () => Kind::Other,
                };
            }
            Kind::Pragma => self.is_key = is(&KEY_PRAGMAS),
            Kind::Set if is(&["TO"]) => self.values = true,
            Kind::Alter if is(&["SET"]) && self.dialect != Dialect::Sqlite => {
                self.kind = Kind::Set;
            }
            Kind::Set | Kind::Alter | Kind::Other => {}
        }
        let clause = match () {
            () if is(&["FROM"]) => Some(Clause::Tables),
            () if is(&["INTO", "TABLE"]) => Some(Clause::Table),
            () if is(&["SET"]) => Some(Clause::Set),
            () if is(&ENDS) => Some(Clause::Values),
            () => None,
        };
        if let (Some(clause), Some(current)) = (clause, self.clauses.last_mut()) {
            *current = clause;
        }
        self.after_or = is(&["OR"]);
        self.name_next = is(&BEFORE_NAMES) || after_or && is(&CONFLICTS);
        Token::Word(word)
    }

    fn read_sign(&mut self, sign: &str) {
        let clause = self.clauses.last().copied().unwrap_or(Clause::Values);
        match sign {
            ";" => *self = Self::new(self.dialect),
            "." => self.name_next = true,
            "=" if matches!(self.kind, Kind::Pragma | Kind::Set) => self.values = true,
            "(" => {
                // An expression, in which only what the lexer knows is a value.
                self.values = self.kind == Kind::Pragma;
                let inside = match clause {
                    Clause::Table => Clause::Columns,
                    _ => Clause::Values,
                };
                self.clauses.push(inside);
                self.name_next = inside == Clause::Columns;
            }
            ")" if self.clauses.len() > 1 => drop(self.clauses.pop()),
            "," => {
                // There, another variable comes next.
                self.values &= self.dialect != Dialect::MySql;
                self.name_next = matches!(clause, Clause::Tables | Clause::Columns | Clause::Set);
            }
            _ => {}
        }
    }
}

/// Words that only a name can follow.
const BEFORE_NAMES: [&str; 23] = [
    "ADD",
    "AS",
    "COLLATE",
    "COLUMN",
    "CONSTRAINT",
    "DROP",
    "EXISTS",
    "FROM",
    "INDEX",
    "INTO",
    "JOIN",
    "RECURSIVE",
    "REFERENCES",
    "RELEASE",
    "RENAME",
    "SAVEPOINT",
    "SET",
    "TABLE",
    "TO",
    "TRIGGER",
    "UPDATE",
    "VIEW",
    "WITH",
];

/// Words that begin expressions.
const ENDS: [&str; 18] = [
    "DEFAULT",
    "DO",
    "EXCEPT",
    "GROUP",
    "HAVING",
    "INTERSECT",
    "LIMIT",
    "OFFSET",
    "ON",
    "ORDER",
    "RETURNING",
    "SELECT",
    "UNION",
    "USING",
    "VALUES",
    "WHEN",
    "WHERE",
    "WINDOW",
];

/// What stands between `OR` and the name of a table.
const CONFLICTS: [&str; 5] = ["ABORT", "FAIL", "IGNORE", "REPLACE", "ROLLBACK"];

/// Pragmas by which the extensions that encrypt take their keys.
const KEY_PRAGMAS: [&str; 6] = ["hexkey", "hexrekey", "key", "rekey", "textkey", "textrekey"];

/// Values of settings that say nothing.
const PLAIN_SETTINGS: [&str; 6] = ["DEFAULT", "FALSE", "NULL", "OFF", "ON", "TRUE"];
