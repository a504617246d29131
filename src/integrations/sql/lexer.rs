//! Statements of SQL, word by word.

/// How a database reads what the standard leaves open or is not kept to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::integrations) enum Dialect {
    PostgreSql,
    MySql,
    Sqlite,
    /// One that is not known: what may be a value is taken for one.
    Other,
}

/// A piece of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A keyword or a name.
    Word(&'a str),
    /// A name in quotes, with them.
    Quoted(&'a str),
    /// A value in the text.
    Literal,
    /// What stands for a value that is not in the text.
    Placeholder(&'a str),
    /// Any other character.
    Sign(&'a str),
    /// Whitespace and comments.
    Space,
    /// All that is left of the text, as nobody can tell where a value in it ends.
    Unreadable,
}

/// Reads a statement in one pass, each byte once.
pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
    dialect: Dialect,
    /// Whether a dot that follows would belong to a name.
    after_name: bool,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str, dialect: Dialect) -> Self {
        Self {
            text,
            at: 0,
            dialect,
            after_name: false,
        }
    }

    /// The byte so many places ahead, 0 after the end.
    fn peek(&self, ahead: usize) -> u8 {
        let bytes = self.text.as_bytes();
        bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    /// Whether this byte comes next, after blanks.
    pub(super) fn is_before(&self, byte: u8) -> bool {
        let rest = &self.text.as_bytes()[self.at..];
        rest.iter().find(|byte| !is_space(**byte)) == Some(&byte)
    }

    /// Whether the dot between two names comes next, and no number that begins with one.
    pub(super) fn is_before_dot(&self) -> bool {
        let rest = self.text[self.at..]
            .trim_start_matches(|char: char| u8::try_from(char).is_ok_and(is_space));
        let is_number = rest.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
        rest.starts_with('.') && (self.peek(0) == b'.' || !is_number)
    }

    /// Goes on as long as the bytes are such.
    fn skip_while(&mut self, is_such: impl Fn(u8) -> bool) {
        let rest = &self.text.as_bytes()[self.at..];
        let length = rest.iter().position(|byte| !is_such(*byte));
        self.at += length.unwrap_or(rest.len());
    }

    fn skip_to_end(&mut self) {
        self.at = self.text.len();
    }

    fn token(&mut self) -> Token<'a> {
        use Dialect::{MySql, Other, PostgreSql, Sqlite};

        let start = self.at;
        match (self.peek(0), self.peek(1), self.dialect) {
            // What is left of it without a comment behind it would begin one.
            (b'-', b'-', MySql) if matches!(self.peek(2), b'-' | b'/' | b'#') => self.unreadable(),
            (b'-', b'-', _) if self.is_line_comment() => self.line_comment(),
            (b'#', _, MySql) => self.line_comment(),
            (b'/', b'*', _) => self.block_comment(),
            (byte, ..) if is_space(byte) => {
                self.skip_while(is_space);
                Token::Space
            }
            (b'\'', ..) => self.string(b'\'', false),
            (b'"', _, MySql | Other) => self.string(b'"', false),
            (b'"', ..) => self.quoted(b'"'),
            (b'`', _, MySql | Sqlite) => self.quoted(b'`'),
            (b'`', _, Other) => self.string(b'`', false),
            (b'[', _, Sqlite) => self.quoted(b']'),
            (b'0'..=b'9', ..) => self.number(),
            (b'.', b'0'..=b'9', _) if !self.after_name => self.number(),
            (b'$', b'0'..=b'9', _) => self.placeholder(start, |byte| byte.is_ascii_digit()),
            (b'?', b'0'..=b'9', Sqlite) => self.placeholder(start, |byte| byte.is_ascii_digit()),
            (b'?', ..) => self.placeholder(start, |_| false),
            (b'$', _, PostgreSql | Other) => self.dollar_quoted(),
            (b'$', _, MySql) => self.word(),
            (b'$', next, Sqlite) if is_name_start(next) => self.placeholder(start, is_name),
            (b':', b':', _) => self.sign(2),
            (b':', next, _) if is_name_start(next) => self.placeholder(start, is_name),
            (byte, ..) if is_name_start(byte) => self.word(),
            // Everything from 0x80 on starts a word.
            _ => self.sign(1),
        }
    }

    fn unreadable(&mut self) -> Token<'a> {
        self.skip_to_end();
        Token::Unreadable
    }

    fn sign(&mut self, length: usize) -> Token<'a> {
        let start = self.at;
        self.at += length;
        Token::Sign(&self.text[start..self.at])
    }

    fn placeholder(&mut self, start: usize, is_such: impl Fn(u8) -> bool) -> Token<'a> {
        self.at += 1;
        self.skip_while(is_such);
        Token::Placeholder(&self.text[start..self.at])
    }

    fn word(&mut self) -> Token<'a> {
        let start = self.at;
        self.skip_while(is_name);
        let word = &self.text[start..self.at];
        if self.peek(0) != b'\'' {
            return Token::Word(word);
        }
        match word {
            "e" | "E" if self.dialect == Dialect::PostgreSql => self.string(b'\'', true),
            "b" | "B" | "n" | "N" | "x" | "X" => self.string(b'\'', false),
            _ => Token::Word(word),
        }
    }

    /// A number, with whatever letters are part of it.
    fn number(&mut self) -> Token<'a> {
        let start = self.at;
        self.skip_while(is_name);
        if self.peek(0) == b'.' {
            self.at += 1;
            self.skip_while(is_name);
        }
        let ends_in_e = matches!(self.text.as_bytes()[self.at - 1], b'e' | b'E');
        let is_hex = matches!(self.text.as_bytes().get(start + 1), Some(b'x' | b'X'));
        if ends_in_e
            && !is_hex
            && matches!(self.peek(0), b'+' | b'-')
            && self.peek(1).is_ascii_digit()
        {
            self.at += 1;
            self.skip_while(is_name);
        }
        Token::Literal
    }

    /// A string in quotes, which are doubled where they are meant.
    ///
    /// Whether a backslash does the same is up to settings of the server, unless it does for sure.
    fn string(&mut self, quote: u8, escapes: bool) -> Token<'a> {
        self.at += 1;
        let mut start = self.at;
        loop {
            self.skip_while(|byte| byte != quote);
            if self.at == self.text.len() {
                return Token::Literal;
            }
            let before = &self.text.as_bytes()[start..self.at];
            let backslashes = before.iter().rev().take_while(|byte| **byte == b'\\');
            let may_be_escaped = backslashes.count() % 2 == 1;
            self.at += 1;
            if may_be_escaped && !escapes {
                return self.unreadable();
            }
            if !may_be_escaped {
                if self.peek(0) != quote {
                    return Token::Literal;
                }
                self.at += 1;
            }
            start = self.at;
        }
    }

    /// A name in quotes. One that does not end may be anything.
    fn quoted(&mut self, end: u8) -> Token<'a> {
        let start = self.at;
        self.at += 1;
        loop {
            self.skip_while(|byte| byte != end);
            if self.at == self.text.len() {
                return Token::Unreadable;
            }
            self.at += 1;
            if self.peek(0) != end || end == b']' {
                return Token::Quoted(&self.text[start..self.at]);
            }
            self.at += 1;
        }
    }

    /// A string between two equal tags, as in `$tag$it's$tag$`.
    fn dollar_quoted(&mut self) -> Token<'a> {
        let rest = &self.text[self.at..];
        let name = rest[1..]
            .bytes()
            .position(|byte| !is_name(byte) || byte == b'$');
        let Some(length) = name.filter(|length| rest.as_bytes()[1 + length] == b'$') else {
            return self.sign(1);
        };
        let tag = &rest[..length + 2];
        match rest[tag.len()..].find(tag) {
            Some(inside) => self.at += inside + 2 * tag.len(),
            None => self.skip_to_end(),
        }
        Token::Literal
    }

    /// MySQL asks for a space behind it, since `1--1` is 2.
    fn is_line_comment(&self) -> bool {
        self.dialect != Dialect::MySql || self.peek(2) <= b' '
    }

    fn line_comment(&mut self) -> Token<'a> {
        self.skip_while(|byte| byte != b'\n');
        Token::Space
    }

    fn block_comment(&mut self) -> Token<'a> {
        let nests = matches!(self.dialect, Dialect::PostgreSql | Dialect::Other);
        let mut depth = 0_usize;
        while self.at < self.text.len() {
            match (self.peek(0), self.peek(1)) {
                (b'/', b'*') if nests || depth == 0 => {
                    depth += 1;
                    self.at += 2;
                }
                (b'*', b'/') => {
                    depth -= 1;
                    self.at += 2;
                    if depth == 0 {
                        break;
                    }
                }
                _ => self.at += 1,
            }
        }
        Token::Space
    }
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        if self.at == self.text.len() {
            return None;
        }
        let token = self.token();
        self.after_name = matches!(token, Token::Word(_) | Token::Quoted(_));
        Some(token)
    }
}

fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == b'\x0b'
}

fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || !byte.is_ascii()
}

fn is_name(byte: u8) -> bool {
    is_name_start(byte) || byte.is_ascii_digit() || byte == b'$'
}
