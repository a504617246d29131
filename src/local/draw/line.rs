//! A line of a drawing, in columns and colours.

use std::fmt;

use super::text::width;

/// A line that knows how many columns it takes. Gaps are filled when something follows them.
pub(super) struct Line {
    text: String,
    column: usize,
    target: usize,
    color: bool,
}

impl Line {
    pub(super) fn new(color: bool) -> Self {
        Self {
            text: String::new(),
            column: 0,
            target: 0,
            color,
        }
    }

    /// The number of columns taken so far, without a gap at the end.
    pub(super) fn column(&self) -> usize {
        self.column
    }

    /// Adds a clean text.
    pub(super) fn put(&mut self, style: Style, text: &str) {
        if text.is_empty() {
            return;
        }
        for _ in self.column..self.target {
            self.text.push(' ');
        }
        self.column = self.column.max(self.target) + width(text);
        self.target = self.column;
        match style.code().filter(|_| self.color) {
            Some(code) => self.text.push_str(&format!("\x1b[{code}m{text}\x1b[0m")),
            None => self.text.push_str(text),
        }
    }

    /// Opens a gap up to a column.
    pub(super) fn go_to(&mut self, column: usize) {
        self.target = self.target.max(column);
    }

    /// Opens a gap of so many columns.
    pub(super) fn skip(&mut self, columns: usize) {
        self.target += columns;
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// How a text looks where there are colours.
#[derive(Clone, Copy)]
pub(super) enum Style {
    Plain,
    Bold,
    Dim,
    Red,
    Green,
    Yellow,
    Cyan,
}

impl Style {
    fn code(self) -> Option<u8> {
        match self {
            Self::Plain => None,
            Self::Bold => Some(1),
            Self::Dim => Some(2),
            Self::Red => Some(31),
            Self::Green => Some(32),
            Self::Yellow => Some(33),
            Self::Cyan => Some(36),
        }
    }
}
