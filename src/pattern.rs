//! Matching names and URLs.

use std::fmt;

use regex::Regex;

/// Matches names and other texts: exactly, by a part, or by a regular expression.
///
/// A text matches the very same text and nothing else, in upper and lower case as it is. With
/// [`contains`](Self::contains) it matches every text that contains it. A regular expression is
/// found anywhere unless it is anchored with `^` and `$`. It is one of the crate `regex`, version
/// 1, with whichever features the program turns on there.
///
/// Only [`trace_propagation_targets`](crate::Options::trace_propagation_targets) differs: there a
/// text always has to be contained.
///
/// ```
/// use regex::Regex;
/// use taskspan::Pattern;
///
/// let exact = Pattern::from("GET /health");
/// assert!(exact.is_match("GET /health"));
/// assert!(!exact.is_match("GET /healthcare/patients"));
///
/// let contained = Pattern::contains("/health");
/// assert!(contained.is_match("GET /healthcare/patients"));
/// assert!(!contained.is_match("GET /Health"));
///
/// let regex = Pattern::from(Regex::new("^(GET|HEAD) /health$")?);
/// assert!(regex.is_match("HEAD /health"));
/// # Ok::<(), regex::Error>(())
/// ```
#[derive(Clone)]
pub struct Pattern {
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    Exact(String),
    Contains(String),
    Regex(Regex),
}

impl Pattern {
    /// Matches every text that contains `part`. An empty part is contained in every text.
    pub fn contains(part: impl Into<String>) -> Self {
        Self {
            kind: Kind::Contains(part.into()),
        }
    }

    /// Whether it matches this text.
    pub fn is_match(&self, text: &str) -> bool {
        match &self.kind {
            Kind::Exact(whole) => text == whole,
            Kind::Contains(part) => text.contains(part.as_str()),
            Kind::Regex(regex) => regex.is_match(text),
        }
    }

    /// Whether it matches this text or a part of it.
    pub(crate) fn is_found_in(&self, text: &str) -> bool {
        match &self.kind {
            Kind::Exact(part) => text.contains(part.as_str()),
            Kind::Contains(_) | Kind::Regex(_) => self.is_match(text),
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
            kind: Kind::Exact(text),
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
            Kind::Exact(text) => text.fmt(f),
            Kind::Contains(part) => write!(f, "contains {part:?}"),
            Kind::Regex(regex) => write!(f, "/{regex}/"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_exact_unless_it_says_otherwise() {
        let regex = |text| Pattern::from(Regex::new(text).unwrap());
        let table = [
            (Pattern::from("GET /health"), "GET /health", true, true),
            (Pattern::from("GET /health"), "GET /healthz", false, true),
            (Pattern::from("GET /health"), "get /health", false, false),
            (Pattern::from("."), "GET", false, false),
            (Pattern::from(""), "", true, true),
            (Pattern::from(""), "GET", false, true),
            (Pattern::contains("items"), "GET /items/7", true, true),
            (Pattern::contains("Items"), "GET /items/7", false, false),
            (Pattern::contains("."), "GET /items/7", false, false),
            (Pattern::contains(""), "GET", true, true),
            (regex("items/[0-9]"), "GET /items/7", true, true),
            (regex("^items"), "GET /items/7", false, false),
            (regex("(?i)ITEMS"), "GET /items/7", true, true),
        ];
        for (pattern, text, matches, is_found) in table {
            assert_eq!(pattern.is_match(text), matches, "{pattern:?} {text}");
            assert_eq!(pattern.is_found_in(text), is_found, "{pattern:?} {text}");
        }
    }
}
