//! What is known of a trace where no transaction is.

use std::sync::{Arc, OnceLock};

use super::header::SentryTrace;
use super::incoming::IncomingTrace;
use super::outgoing::OutgoingTrace;
use super::policy::Policy;
use super::rand::{SampleRand, parse_rate};
use crate::protocol::{DynamicSamplingContext, Identity, SpanId, TraceId, id};

/// The trace that transactions continue which start here, and that is passed on where none is.
///
/// It belongs to a scope: everything below one has the same.
#[derive(Debug)]
pub(crate) struct PropagationContext {
    pub(crate) trace_id: TraceId,
    /// Who stands in outgoing headers as the caller. There is no such span.
    span_id: SpanId,
    /// The process that the trace came from.
    pub(crate) remote: Option<Remote>,
    pub(crate) rand: SampleRand,
    /// What is known of a trace that began here, from when that first left.
    frozen: OnceLock<Arc<DynamicSamplingContext>>,
}

/// What a remote caller says of its trace.
#[derive(Clone, Debug)]
pub(crate) struct Remote {
    pub(crate) span_id: SpanId,
    /// `None` if the decision is left to whoever comes next.
    pub(crate) sampled: Option<bool>,
    /// The rate that the decision was made with, if it is known.
    pub(crate) rate: Option<f64>,
    /// What goes on from here: empty if none came in.
    pub(crate) sampling_context: Arc<DynamicSamplingContext>,
    /// Whether the random number is in there.
    pub(crate) has_rand: bool,
}

impl PropagationContext {
    /// A trace that begins here.
    pub(crate) fn new() -> Self {
        let (trace_id, span_id) = id::random::<(u128, u64)>();
        let trace_id = TraceId::from_random(trace_id);
        Self {
            trace_id,
            span_id: SpanId::from_bits(span_id).unwrap_or(SpanId::ONE),
            remote: None,
            rand: SampleRand::of(trace_id),
            frozen: OnceLock::new(),
        }
    }

    /// The trace that came in, `None` if there is none that the policy lets one continue.
    pub(crate) fn continuing(incoming: &IncomingTrace, policy: &Policy) -> Option<Self> {
        let header = incoming.sentry_trace.or_else(|| {
            let accepted = policy.accept_traceparent;
            incoming.traceparent.filter(|_| accepted)
        });
        let context = &incoming.sampling_context;
        let header = header.filter(|_| policy.lets_continue(context.as_deref()))?;
        Some(Self::continued(header, context.clone().unwrap_or_default()))
    }

    fn continued(header: SentryTrace, sampling_context: Arc<DynamicSamplingContext>) -> Self {
        let rate = sampling_context.get("sample_rate");
        let rate = rate.and_then(|rate| parse_rate(&rate));
        let rand = sampling_context.get("sample_rand");
        let rand = rand.and_then(|rand| SampleRand::parse(&rand));
        let has_rand = rand.is_some();
        Self {
            trace_id: header.trace_id,
            rand: rand
                .unwrap_or_else(|| SampleRand::back_filled(header.trace_id, header.sampled, rate)),
            remote: Some(Remote {
                span_id: header.span_id,
                sampled: header.sampled,
                rate,
                sampling_context,
                has_rand,
            }),
            ..Self::new()
        }
    }

    /// What is passed on from here without a transaction: no decision but the one that came in.
    pub(crate) fn outgoing(&self, identity: &Identity, policy: &Policy) -> OutgoingTrace {
        let sentry_trace = SentryTrace {
            trace_id: self.trace_id,
            span_id: self.span_id,
            sampled: self.remote.as_ref().and_then(|remote| remote.sampled),
        };
        OutgoingTrace::new(sentry_trace, self.sampling_context(identity), policy)
    }

    /// What is known of the trace, which changes no more from now on.
    fn sampling_context(&self, identity: &Identity) -> Arc<DynamicSamplingContext> {
        let freeze = || match &self.remote {
            Some(remote) => remote.passed_on(None, self.rand),
            None => Arc::new(own_sampling_context(
                identity,
                self.trace_id,
                None,
                self.rand,
                None,
            )),
        };
        Arc::clone(self.frozen.get_or_init(freeze))
    }
}

impl Remote {
    /// What came in, as it came, except for another decision that was made here and
    /// for a random number that did not come along.
    pub(crate) fn passed_on(
        &self,
        own_decision: Option<(f64, bool)>,
        rand: SampleRand,
    ) -> Arc<DynamicSamplingContext> {
        let came_in = &self.sampling_context;
        // The same decision stays as it is written, be its rate `1.0` or `1`.
        let same = self.rate.zip(self.sampled);
        let own_decision = own_decision.filter(|own| Some(*own) != same);
        if came_in.is_empty() || (own_decision.is_none() && self.has_rand) {
            return Arc::clone(came_in);
        }
        let mut context = DynamicSamplingContext::clone(came_in);
        if let Some((rate, sampled)) = own_decision {
            context.insert("sample_rate", &rate.to_string());
            context.insert("sampled", if sampled { "true" } else { "false" });
        }
        if !self.has_rand {
            context.insert("sample_rand", &rand.to_string());
        }
        Arc::new(context)
    }
}

/// What the head of a trace knows of it, the most important first.
///
/// `decision` is the rate that was used and what came of it, `None` while that is left open.
/// `transaction` is a name of good quality.
pub(crate) fn own_sampling_context(
    identity: &Identity,
    trace_id: TraceId,
    decision: Option<(f64, bool)>,
    rand: SampleRand,
    transaction: Option<&str>,
) -> DynamicSamplingContext {
    let mut context = DynamicSamplingContext::default();
    context.insert("trace_id", &trace_id.to_string());
    if let Some(key) = &identity.public_key {
        context.insert("public_key", key);
    }
    if let Some((rate, _)) = decision {
        context.insert("sample_rate", &rate.to_string());
    }
    context.insert("sample_rand", &rand.to_string());
    if let Some((_, sampled)) = decision {
        context.insert("sampled", if sampled { "true" } else { "false" });
    }
    if let Some(release) = &identity.release {
        context.insert("release", release);
    }
    context.insert("environment", &identity.environment);
    if let Some(org_id) = &identity.org_id {
        context.insert("org_id", org_id);
    }
    if let Some(name) = transaction {
        context.insert("transaction", name);
    }
    context
}
