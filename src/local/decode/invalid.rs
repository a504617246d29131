//! What is wrong with a received item.

use std::fmt;

/// The reason for which a server would throw a transaction away.
///
/// Servers do so in silence, after they have answered that all is well.
/// Fields are named by their place in the payload, such as `spans[3].span_id`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidTransaction {
    /// The payload is not JSON.
    NotJson(String),
    /// A field that is needed is not there.
    Missing(String),
    /// A field has a value that cannot be read: an identifier that is none or
    /// is zero, a time before 1970, a list in place of an object.
    Malformed(String),
    /// The transaction or a span ends before it starts.
    EndsBeforeStart(String),
}

impl fmt::Display for InvalidTransaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson(reason) => write!(f, "invalid transaction: {reason}"),
            Self::Missing(field) => write!(f, "invalid transaction: {field} is missing"),
            Self::Malformed(field) => write!(f, "invalid transaction: {field} is malformed"),
            Self::EndsBeforeStart(what) => {
                write!(f, "invalid transaction: {what} ends before it starts")
            }
        }
    }
}

impl std::error::Error for InvalidTransaction {}

/// The error returned when an item other than a transaction is malformed.
#[derive(Debug)]
pub(crate) struct InvalidItem(String);

impl InvalidItem {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }

    pub(super) fn not_json(kind: &str, error: &serde_json::Error) -> Self {
        Self(format!("invalid {kind}: {error}"))
    }
}

impl fmt::Display for InvalidItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
