//! From records to bytes, and from answers to verdicts. Nothing here sends, waits or counts.

mod assemble;
mod sentry;

pub(crate) use self::sentry::{Prepared, RateLimits, transaction};
