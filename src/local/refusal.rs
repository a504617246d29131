//! Requests that were not accepted.

use std::fmt;

use http::StatusCode;

/// A request that was answered with an error.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// The status of the answer.
    pub status: StatusCode,
    /// The reason, as the answer's `detail` gives it.
    pub reason: String,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, reason: impl Into<String>) -> Self {
        let mut reason = reason.into();
        // Some reasons quote what was sent.
        if let Some((end, _)) = reason.char_indices().nth(MAX_REASON) {
            reason.truncate(end);
            reason.push('…');
            reason.shrink_to_fit();
        }
        Self { status, reason }
    }

    pub(super) fn bad_request(reason: &impl fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, reason.to_string())
    }

    pub(super) fn too_large(what: &str, limit: usize) -> Self {
        let reason = format!("{what} is larger than {limit} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, reason)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status.as_u16(), self.reason)
    }
}

/// How many characters of a reason are kept.
const MAX_REASON: usize = 500;
