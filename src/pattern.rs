//! What names and addresses are matched with.

use std::fmt;

use regex::Regex;

/// Matches texts that contain a text, or in which a regular expression is found.
///
/// A text has to be contained as it is, in upper and lower case, as Sentry's own
/// options have it; an empty one is contained in every text. A regular expression
/// is found anywhere unless it is anchored with `^` and `$`. It is one of the
/// crate `regex`, version 1, with whichever features the program turns on there.
///
/// ```
/// use regex::Regex;
/// use taskspan::Pattern;
///
/// let contained = Pattern::from("health");
/// assert!(contained.is_match("GET /healthz"));
/// assert!(!contained.is_match("GET /Health"));
///
/// let exact = Pattern::from(Regex::new("^GET /health$")?);
/// assert!(exact.is_match("GET /health"));
/// assert!(!exact.is_match("GET /healthz"));
/// # Ok::<(), regex::Error>(())
/// ```
#[derive(Clone)]
pub struct Pattern {
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    Contains(String),
    Regex(Regex),
}

impl Pattern {
    /// Whether it matches this text.
    pub fn is_match(&self, text: &str) -> bool {
        match &self.kind {
            Kind::Contains(part) => text.contains(part.as_str()),
            Kind::Regex(regex) => regex.is_match(text),
        }
    }
}

impl From<&str> for Pattern {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<String> for Pattern {
    fn from(text: String) -> Self {
        Self {
            kind: Kind::Contains(text),
        }
    }
}

impl From<Regex> for Pattern {
    fn from(regex: Regex) -> Self {
        Self {
            kind: Kind::Regex(regex),
        }
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Contains(part) => part.fmt(f),
            Kind::Regex(regex) => write!(f, "/{regex}/"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_contained_and_a_regular_expression_found() {
        let regex = |text| Pattern::from(Regex::new(text).unwrap());
        let table = [
            (Pattern::from("items"), "GET /items/7", true),
            (Pattern::from("Items"), "GET /items/7", false),
            (Pattern::from("."), "GET /items/7", false),
            (Pattern::from(""), "", true),
            (regex("items/[0-9]"), "GET /items/7", true),
            (regex("^items"), "GET /items/7", false),
            (regex("(?i)ITEMS"), "GET /items/7", true),
        ];
        for (pattern, text, matches) in table {
            assert_eq!(pattern.is_match(text), matches, "{pattern:?} {text}");
        }
    }
}
