//! Between processes: what comes in with a request, and what goes out with one.
//!
//! A [`PropagationContext`] is what a scope knows of a trace while no
//! transaction does. [`Policy`] is what the options say about whose traces are
//! continued and who is told of ours.

mod carrier;
mod context;
mod header;
mod incoming;
mod outgoing;
mod policy;
mod rand;

#[cfg(feature = "actix-web")]
pub(crate) use self::carrier::list;
pub(crate) use self::context::{PropagationContext, Remote, own_sampling_context};
pub(crate) use self::header::SentryTrace;
pub(crate) use self::policy::Policy;
#[cfg(feature = "_http-client")]
pub(crate) use self::policy::host_of;
#[cfg(any(
    feature = "_http-client",
    feature = "_http-server",
    feature = "redis",
    feature = "sqlx",
))]
pub(crate) use self::policy::without_brackets;
pub(crate) use self::rand::SampleRand;

pub use self::carrier::TraceCarrier;
pub use self::incoming::IncomingTrace;
pub use self::outgoing::OutgoingTrace;

const SENTRY_TRACE: &str = "sentry-trace";
const BAGGAGE: &str = "baggage";
const TRACEPARENT: &str = "traceparent";
const TRACESTATE: &str = "tracestate";
pub(crate) const SENTRY_TRACE_VARIABLE: &str = "SENTRY_TRACE";
pub(crate) const SENTRY_BAGGAGE: &str = "SENTRY_BAGGAGE";
