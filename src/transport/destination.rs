//! How destinations differ.

use http::StatusCode;
use tokio::time::Instant;

use super::config::Config;
use crate::diagnostics::{self, Topic};
use crate::export::RateLimits;
use crate::http::Reply;
use crate::protocol::DiscardReason;

/// Where a route leads. A further destination is one variant more.
#[derive(Clone, Copy, Debug)]
pub(super) enum Destination {
    /// A server that speaks Sentry's protocol.
    Sentry {
        /// Whether losses are reported to it.
        sends_reports: bool,
    },
}

/// What an answer means for what was sent.
pub(super) struct Verdict {
    /// Whether it was accepted, or why it was not.
    pub(super) outcome: Result<(), Refusal>,
    /// Whether a client report that was sent with it was read.
    pub(super) report_read: bool,
}

/// Why something was not accepted.
pub(super) struct Refusal {
    pub(super) reason: DiscardReason,
    /// Whether the server counted it itself, so that it is not reported.
    pub(super) counted: bool,
}

impl Destination {
    pub(super) fn of(config: &Config) -> Self {
        Self::Sentry {
            sends_reports: config.send_client_reports,
        }
    }

    /// Whether losses are reported to it.
    pub(super) fn sends_reports(self) -> bool {
        match self {
            Self::Sentry { sends_reports } => sends_reports,
        }
    }

    /// Reads an answer, and the limits in it.
    pub(super) fn read(self, reply: &Reply, limits: &mut RateLimits, now: Instant) -> Verdict {
        match self {
            Self::Sentry { .. } => {
                limits.update(reply.status, &reply.headers, now);
                read_sentry(reply.status)
            }
        }
    }
}

fn read_sentry(status: StatusCode) -> Verdict {
    let limited = status == StatusCode::TOO_MANY_REQUESTS;
    let outcome = if status.is_success() {
        Ok(())
    } else if limited {
        Err(Refusal {
            reason: DiscardReason::RateLimitBackoff,
            counted: true,
        })
    } else {
        let code = usize::from(status.as_u16());
        diagnostics::once_with(&REFUSED[code.min(REFUSED.len() - 1)], &status);
        Err(Refusal {
            reason: DiscardReason::SendError,
            counted: false,
        })
    };
    Verdict {
        outcome,
        // With 429 it removes the limited items of an envelope, and reads the rest.
        report_read: status.is_success() || limited,
    }
}

/// One for each status, as each has another cause. Unknown ones share the last.
static REFUSED: [Topic; 600] = [const { Topic::new("the server refuses what it is sent") }; 600];
