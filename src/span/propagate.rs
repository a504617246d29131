//! Continuing a trace that came in, and passing one on.

use super::span::Span;
use crate::client::Client;
use crate::propagation::{IncomingTrace, OutgoingTrace, PropagationContext, SentryTrace};
use crate::task::{Context, slot};
use crate::trace::SpanLocation;

/// Calls `work` in the trace that came in, or in a new one if it can't be continued.
///
/// No span is started by that: transactions that `work` starts are part of the trace, and
/// [`outgoing_trace`] passes it on also where there is none. The transaction that is current is
/// left meanwhile. For futures there is
/// [`Instrument::continue_trace`](crate::Instrument::continue_trace), and for a single
/// transaction [`TransactionBuilder::continue_trace`](crate::TransactionBuilder::continue_trace).
///
/// ```
/// # use taskspan::{Instrument, IncomingTrace, Options};
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # let (client, sent) = taskspan::test::client(Options::default());
/// # async {
/// let header = "3f0c2a9be41d4f7c9a60b1d2c3e4f506-b7e4a1930c5d2f68-1";
/// let incoming = IncomingTrace::new(Some(header), None);
/// taskspan::continue_trace(&incoming, || {
///     // The decision is passed on, even if nothing is recorded here.
///     let sentry_trace = taskspan::outgoing_trace().unwrap().sentry_trace();
///     assert!(sentry_trace.starts_with("3f0c2a9be41d4f7c9a60b1d2c3e4f506-"));
///     assert!(sentry_trace.ends_with("-1"));
/// });
/// # }.with_client(&client).await;
/// # }
/// ```
pub fn continue_trace<R>(incoming: &IncomingTrace, work: impl FnOnce() -> R) -> R {
    in_trace(Some(incoming), work)
}

/// Calls `work` in a trace of its own.
///
/// Transactions that `work` starts are all part of that trace. The transaction that is current
/// is left meanwhile. For futures there is
/// [`Instrument::start_new_trace`](crate::Instrument::start_new_trace).
pub fn start_new_trace<R>(work: impl FnOnce() -> R) -> R {
    in_trace(None, work)
}

fn in_trace<R>(incoming: Option<&IncomingTrace>, work: impl FnOnce() -> R) -> R {
    let context = Context::current().unwrap_or_default();
    let mut scope = Some(context.in_trace(incoming).open());
    let _entered = slot::enter(&mut scope);
    work()
}

/// Returns the headers that propagate the current trace to another process, from the current span.
///
/// It is for messages, child processes and pages; for requests to a URL use
/// [`outgoing_trace_to`]. There is a trace even if nothing is recorded, and `None` only without a
/// client that is [enabled](crate::Client::is_enabled).
///
/// Outside of any transaction and continued trace each call begins a trace of its own, so that each
/// is sampled by itself. Several calls that belong together, such as the steps of a background job,
/// share a trace within a transaction or within [`start_new_trace`].
pub fn outgoing_trace() -> Option<OutgoingTrace> {
    Caller::current().outgoing(None)
}

/// What a request to this URL is to be told of the current trace, from the current span.
///
/// `None` if the URL, which has to be a whole one, is not among the client's
/// [`trace_propagation_targets`](crate::Options::trace_propagation_targets) or leads to the host
/// that the client itself sends to, and without a client that is
/// [enabled](crate::Client::is_enabled).
pub fn outgoing_trace_to(url: &str) -> Option<OutgoingTrace> {
    Caller::current().outgoing(Some(url))
}

impl Span {
    /// What another process is to be told of the trace, from this span. See [`outgoing_trace`].
    pub fn outgoing_trace(&self) -> Option<OutgoingTrace> {
        self.caller().outgoing(None)
    }

    /// What a request to this URL is to be told of the trace, from this span. See
    /// [`outgoing_trace_to`].
    pub fn outgoing_trace_to(&self, url: &str) -> Option<OutgoingTrace> {
        self.caller().outgoing(Some(url))
    }

    fn caller(&self) -> Caller {
        match &self.location {
            Some(location) => Caller::Span(location.clone()),
            None => Caller::current(),
        }
    }
}

/// Where a call to another process is made from.
enum Caller {
    Span(SpanLocation),
    Scope(Context),
}

impl Caller {
    fn current() -> Self {
        match SpanLocation::current() {
            Some(location) => Self::Span(location),
            None => Self::Scope(Context::current().unwrap_or_default()),
        }
    }

    fn outgoing(self, url: Option<&str>) -> Option<OutgoingTrace> {
        let may_go =
            |client: &Client| url.is_none_or(|url| client.propagation().lets_propagate_to(url));
        match self {
            Self::Span(SpanLocation { trace, number, .. }) => may_go(&trace.client).then(|| {
                let sentry_trace = SentryTrace {
                    trace_id: trace.info.trace_id,
                    span_id: trace.info.span_id(number),
                    sampled: trace.info.sampling.passed_on,
                };
                let sampling_context = trace.sampling_context();
                OutgoingTrace::new(sentry_trace, sampling_context, trace.client.propagation())
            }),
            Self::Scope(mut context) => {
                let client = context.take_client()?;
                may_go(&client).then(|| {
                    let known = context.propagation.as_ref();
                    let (identity, policy) = (client.identity(), client.propagation());
                    match known.or_else(|| client.trace_at_start()) {
                        Some(trace) => trace.outgoing(identity, policy),
                        // Each call is one of its own, as a transaction would be.
                        None => PropagationContext::new().outgoing(identity, policy),
                    }
                })
            }
        }
    }
}
