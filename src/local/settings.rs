//! The settings of a receiver.

use std::time::Duration;

use super::access::Access;

/// What a program may set before a receiver starts.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// How many bytes a body may have, both as it is sent and decoded.
    pub(super) body_limit: usize,
    /// How many envelopes are kept.
    pub(super) keep: usize,
    /// How long a client may pause.
    pub(super) read_timeout: Duration,
    pub(super) access: Access,
}

impl Settings {
    /// How long a body may take as a whole, and how long a connection may be idle.
    pub(super) fn total_timeout(&self) -> Duration {
        self.read_timeout.saturating_mul(3)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            body_limit: 20 * 1024 * 1024,
            keep: 1_000,
            read_timeout: Duration::from_secs(10),
            access: Access::default(),
        }
    }
}
