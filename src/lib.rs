//! Performance monitoring for async Rust, reported to Sentry.

mod id;
pub mod protocol;
#[cfg_attr(not(test), expect(dead_code, unused_imports))]
#[expect(unreachable_pub)]
mod transport;

pub use crate::id::{EventId, ParseIdError, SpanId, TraceId};
