//! Performance monitoring for async Rust, reported to Sentry.

mod id;
#[cfg(feature = "local")]
pub mod local;
pub mod protocol;

pub use crate::id::{EventId, ParseIdError, SpanId, TraceId};
