//! Performance monitoring for async Rust, reported to Sentry.

mod client;
mod clock;
mod contexts;
mod diagnostics;
mod dsn;
mod error;
mod id;
#[cfg(feature = "local")]
pub mod local;
mod options;
pub mod protocol;
mod scope;
mod tag;
#[cfg(feature = "test")]
pub mod test;
mod trace;
mod transport;

// Everything public is named here, except for what is sent (`protocol`).
pub use crate::client::{Client, init};
pub use crate::dsn::{Dsn, ParseDsnError};
pub use crate::error::InitError;
pub use crate::id::{EventId, ParseIdError, SpanId, TraceId};
pub use crate::options::{Options, OptionsError};
pub use crate::protocol::{DiscardReason, Level, Request, SpanStatus, TransactionSource, User};
pub use crate::scope::{
    Scope, configure_global_scope, configure_scope, set_context, set_level, set_request, set_tag,
    set_user,
};
pub use crate::trace::{
    InScope, InSpan, InTransaction, Instrument, JoinSetExt, OpenSpan, RecordErr, Span, SpanBuilder,
    TransactionBuilder, current_span, current_transaction, in_current_scope, span, spawn,
    spawn_blocking, transaction,
};
pub use crate::transport::{Compression, DeliveryReport, DropReason, Tally};
