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
        Self {
            status,
            reason: reason.into(),
        }
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
