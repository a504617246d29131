//! What standard output can show.

use std::env;
use std::ffi::OsStr;
use std::io::{self, IsTerminal};

/// How wide a drawing may be, and whether it may have colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terminal {
    pub(super) width: usize,
    pub(super) color: bool,
}

impl Terminal {
    /// What the standard output of this process is.
    pub(super) fn of_stdout() -> Self {
        if !io::stdout().is_terminal() {
            return Self::PIPE;
        }
        Self::new(
            columns_of_stdout(),
            env::var_os("NO_COLOR").as_deref(),
            env::var_os("TERM").as_deref(),
        )
    }

    /// A terminal with so many columns, under the variables `NO_COLOR` and `TERM`.
    fn new(columns: Option<u16>, no_color: Option<&OsStr>, term: Option<&OsStr>) -> Self {
        let width = columns.filter(|columns| *columns > 0).map(usize::from);
        let refused = no_color.is_some_and(|value| !value.is_empty());
        Self {
            width: width.unwrap_or(Self::PIPE.width),
            color: !refused && term.is_none_or(|term| term != "dumb"),
        }
    }

    /// No terminal: a pipe or a file.
    const PIPE: Self = Self {
        width: 80,
        color: false,
    };
}

#[cfg(unix)]
fn columns_of_stdout() -> Option<u16> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    Some(size.ws_col)
}

#[cfg(not(unix))]
fn columns_of_stdout() -> Option<u16> {
    terminal_size::terminal_size().map(|(terminal_size::Width(columns), _)| columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_can_be_refused() {
        let color = |no_color: Option<&str>, term: Option<&str>| {
            Terminal::new(Some(100), no_color.map(OsStr::new), term.map(OsStr::new)).color
        };
        assert!(color(None, None));
        assert!(color(None, Some("xterm-256color")));
        assert!(color(Some(""), Some("xterm-256color")));
        assert!(!color(Some("1"), Some("xterm-256color")));
        assert!(!color(None, Some("dumb")));
    }

    #[test]
    fn a_terminal_of_unknown_width_has_80_columns() {
        assert_eq!(Terminal::new(Some(132), None, None).width, 132);
        assert_eq!(Terminal::new(Some(0), None, None).width, 80);
        assert_eq!(Terminal::new(None, None, None).width, 80);
    }
}
