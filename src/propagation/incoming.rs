//! A trace that another process has begun.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use super::carrier::TraceCarrier;
use super::header::SentryTrace;
use super::{BAGGAGE, SENTRY_BAGGAGE, SENTRY_TRACE, SENTRY_TRACE_VARIABLE, TRACEPARENT};
use crate::protocol::{DynamicSamplingContext, SpanId, TraceId};

/// What another process says of the trace that the work here belongs to.
///
/// It is read without judging: whether the trace is continued depends on the
/// options of the client that continues it, such as
/// [`strict_trace_continuation`](crate::Options::strict_trace_continuation). What is malformed is
/// as good as not there, and without a valid `sentry-trace` a new trace begins.
///
/// ```
/// use std::collections::HashMap;
///
/// use taskspan::IncomingTrace;
///
/// let message = HashMap::from([(
///     "sentry-trace".to_owned(),
///     "3f0c2a9be41d4f7c9a60b1d2c3e4f506-b7e4a1930c5d2f68-1".to_owned(),
/// )]);
/// let incoming = IncomingTrace::from_carrier(&message);
/// assert_eq!(incoming.sampled(), Some(true));
///
/// taskspan::transaction("queue.process", "orders")
///     .continue_trace(&incoming)
///     .in_scope(|_| { /* handle the message */ });
/// ```
#[derive(Clone, Debug, Default)]
pub struct IncomingTrace {
    pub(super) sentry_trace: Option<SentryTrace>,
    /// Sentry's part of the baggage, if there is a valid `sentry-trace`.
    pub(super) sampling_context: Option<Arc<DynamicSamplingContext>>,
    /// What counts if there is no valid `sentry-trace` and the client accepts it.
    pub(super) traceparent: Option<SentryTrace>,
}

impl IncomingTrace {
    /// Reads the headers of a request or the metadata of a message.
    ///
    /// These are `sentry-trace` and `baggage`, and `traceparent` for clients
    /// that [accept](crate::Options::accept_traceparent) it.
    pub fn from_carrier(carrier: &(impl TraceCarrier + ?Sized)) -> Self {
        Self::read(|name| carrier.get(name))
    }

    /// Reads them out of anything that has values by names.
    pub(crate) fn read<'a>(get: impl Fn(&str) -> Option<Cow<'a, str>>) -> Self {
        let sentry_trace = get(SENTRY_TRACE);
        match sentry_trace.as_deref().and_then(SentryTrace::parse) {
            Some(sentry_trace) => {
                let baggage = get(BAGGAGE);
                Self::of(sentry_trace, baggage.as_deref())
            }
            None => Self {
                traceparent: get(TRACEPARENT)
                    .and_then(|text| SentryTrace::parse_traceparent(&text)),
                ..Self::default()
            },
        }
    }

    /// Reads the values of the two headers, from wherever they were.
    pub fn new(sentry_trace: Option<&str>, baggage: Option<&str>) -> Self {
        let sentry_trace = sentry_trace.and_then(SentryTrace::parse);
        sentry_trace.map_or_else(Self::default, |header| Self::of(header, baggage))
    }

    /// What the environment variables `SENTRY_TRACE` and `SENTRY_BAGGAGE` said when the process
    /// first asked.
    ///
    /// A client continues this trace by itself wherever nothing else is known.
    pub fn from_env() -> Self {
        static AT_START: OnceLock<IncomingTrace> = OnceLock::new();
        let read = || {
            let variable = |name| std::env::var(name).ok();
            Self::new(
                variable(SENTRY_TRACE_VARIABLE).as_deref(),
                variable(SENTRY_BAGGAGE).as_deref(),
            )
        };
        AT_START.get_or_init(read).clone()
    }

    fn of(sentry_trace: SentryTrace, baggage: Option<&str>) -> Self {
        let read = DynamicSamplingContext::from_baggage;
        let sampling_context = baggage.map(read).filter(|members| {
            // A server would see the trace under another id than its transactions.
            let trace_id = members.get("trace_id");
            trace_id.is_none_or(|id| id.parse() == Ok(sentry_trace.trace_id))
        });
        Self {
            sentry_trace: Some(sentry_trace),
            sampling_context: sampling_context.map(Arc::new),
            traceparent: None,
        }
    }

    /// Whether nothing was read.
    pub(crate) fn is_empty(&self) -> bool {
        self.sentry_trace.is_none() && self.traceparent.is_none()
    }

    /// The trace, if there is a valid `sentry-trace`.
    pub fn trace_id(&self) -> Option<TraceId> {
        Some(self.sentry_trace?.trace_id)
    }

    /// The span that made the call, if there is a valid `sentry-trace`.
    pub fn parent_span_id(&self) -> Option<SpanId> {
        Some(self.sentry_trace?.span_id)
    }

    /// Whether the trace is sampled, `None` if that is left to decide.
    pub fn sampled(&self) -> Option<bool> {
        self.sentry_trace?.sampled
    }

    /// What the head of the trace knew of it, if a `baggage` with that came along.
    pub fn sampling_context(&self) -> Option<&DynamicSamplingContext> {
        self.sampling_context.as_deref()
    }
}
