//! Performance monitoring for async Rust, reported to Sentry.

#[cfg_attr(not(test), expect(dead_code))]
mod contexts;
#[cfg_attr(not(test), expect(dead_code))]
mod dsn;
mod error;
mod id;
#[cfg_attr(not(test), expect(dead_code))]
mod options;
pub mod protocol;

pub use crate::dsn::{Dsn, ParseDsnError};
pub use crate::error::InitError;
pub use crate::id::{EventId, ParseIdError, SpanId, TraceId};
pub use crate::options::{Compression, Options, OptionsError};
