//! What programs hold: handles to spans, builders, and the futures that carry them.

mod builder;
mod current;
mod future;
#[cfg(feature = "tracing")]
mod key;
mod open_scope;
mod open_span;
#[cfg(any(feature = "_client-spans", feature = "_http-client"))]
mod polled;
mod propagate;
mod span;
mod spawn;
mod start;
mod transaction;

pub use self::builder::{SpanBuilder, span};
#[cfg(any(feature = "_client-spans", feature = "tracing"))]
pub(crate) use self::current::is_recording;
pub use self::current::{current_span, current_transaction};
pub use self::future::{InScope, InSpan, InTransaction, Instrument, RecordErr, WithScope};
#[cfg(feature = "tracing")]
pub(crate) use self::key::SpanKey;
#[cfg(any(feature = "_http-server", feature = "apalis"))]
pub(crate) use self::open_scope::OpenScope;
pub use self::open_span::OpenSpan;
#[cfg(any(feature = "_client-spans", feature = "_http-client"))]
pub(crate) use self::polled::PolledSpan;
pub use self::propagate::{continue_trace, outgoing_trace, outgoing_trace_to, start_new_trace};
pub use self::span::Span;
pub use self::spawn::{JoinSetExt, in_current_scope, spawn, spawn_blocking};
#[cfg(feature = "_http-server")]
pub(crate) use self::start::Arrival;
pub use self::transaction::{TransactionBuilder, transaction};
