//! What all spans of a transaction have in common.

use std::borrow::Cow;
use std::sync::Arc;

use super::span::SpanNumber;
use crate::clock::Anchor;
use crate::propagation::{Remote, SampleRand, own_sampling_context};
use crate::protocol::{
    DiscardReason, DynamicSamplingContext, EventId, Identity, SpanId, TraceId, TransactionSource,
    fields,
};

/// The ids of a transaction, its place in its trace and its clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TraceInfo {
    pub(crate) trace_id: TraceId,
    /// Every span id is this number mixed with the span's own.
    pub(crate) id_seed: u64,
    /// The span outside of the transaction that caused it.
    pub(crate) parent: Option<SpanId>,
    pub(crate) root: SpanNumber,
    pub(crate) anchor: Anchor,
    pub(crate) sampling: Sampling,
}

/// The name of a transaction and what it is made of.
#[derive(Clone, Debug)]
pub(crate) struct Name {
    pub(crate) text: Cow<'static, str>,
    pub(crate) source: TransactionSource,
}

/// The decision about a trace and what it was made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sampling {
    /// Whether the trace is recorded for the server.
    pub(crate) sampled: bool,
    /// The decision in outgoing headers: `None` leaves it to other processes.
    pub(crate) passed_on: Option<bool>,
    /// The rate that the decision was made with. Without one, tracing is not
    /// switched on, nothing was decided, and nothing is reported as sampled out.
    pub(crate) rate: Option<f64>,
    /// The random number that was compared to the rate.
    pub(crate) rand: SampleRand,
    /// Whether the decision was made here, and not where the trace came from.
    pub(crate) is_own: bool,
    /// Whether the rate was lowered because of load.
    pub(crate) lowered: bool,
}

impl TraceInfo {
    /// The id of a span by its number: never zero, and different for every number.
    pub(crate) fn span_id(&self, number: SpanNumber) -> SpanId {
        let id = |bits: u64| SpanId::from_bits(mix(self.id_seed.wrapping_add(bits)));
        // Only one number gives zero. It then gets the id of a number that is
        // never used, which can't be zero as well.
        id(number.bits())
            .or_else(|| id(u64::MAX))
            .unwrap_or(SpanId::ONE)
    }

    /// The id of the event whose root is this span. It is made of the same
    /// random numbers as the span's id, and differs wherever that does.
    pub(crate) fn event_id(&self, root: SpanNumber) -> EventId {
        let number = self.id_seed.wrapping_add(root.bits());
        let half = |salt: u64| u128::from(mix(number ^ salt));
        EventId::from_random(half(0) << 64 | half(self.trace_id.bits() as u64))
    }

    /// The dynamic sampling context of a trace, as it is known now.
    pub(crate) fn sampling_context(
        &self,
        remote: Option<&Remote>,
        name: &Name,
        identity: &Identity,
    ) -> Arc<DynamicSamplingContext> {
        match remote {
            Some(remote) => {
                let own = self.sampling.decision().filter(|_| self.sampling.is_own);
                remote.passed_on(own, self.sampling.rand)
            }
            None => {
                // A raw URL has identifiers in it and must not be propagated. Nor
                // are there transactions where tracing is not switched on.
                let good = name.source != TransactionSource::Url && !name.text.is_empty();
                let good = good && self.sampling.rate.is_some();
                let name = good.then(|| fields::name(name.text.clone()));
                Arc::new(self.own_sampling_context(name.as_deref(), identity))
            }
        }
    }

    /// The dynamic sampling context of a trace that began here.
    pub(crate) fn own_sampling_context(
        &self,
        transaction: Option<&str>,
        identity: &Identity,
    ) -> DynamicSamplingContext {
        let (decision, rand) = (self.sampling.decision(), self.sampling.rand);
        own_sampling_context(identity, self.trace_id, decision, rand, transaction)
    }
}

impl Sampling {
    /// The rate and the decision that was made with it, `None` if nothing was decided.
    fn decision(&self) -> Option<(f64, bool)> {
        Some((self.rate?, self.sampled))
    }

    /// Why a trace is dropped, `None` if nothing was decided.
    pub(crate) fn discard_reason(&self) -> Option<DiscardReason> {
        self.rate?;
        Some(match self.lowered {
            true => DiscardReason::Backpressure,
            false => DiscardReason::SampleRate,
        })
    }
}

/// Maps numbers to numbers that look random, and no two of them to the same.
fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
