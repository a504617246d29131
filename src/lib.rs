//! Performance monitoring for async Rust, reported to Sentry.

mod id;
pub mod protocol;

pub use crate::id::{EventId, ParseIdError, SpanId, TraceId};
