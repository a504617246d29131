//! Whether a trace is recorded, decided once at its root.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::trace::Trace;
use crate::client::Client;
use crate::diagnostics::{self, Topic};
use crate::hooks::SamplingContext;
use crate::propagation::{SampleRand, own_sampling_context};
use crate::protocol::{DiscardReason, DynamicSamplingContext, TransactionSource, fields};

/// The decision about a trace and what it was made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sampling {
    /// Whether the trace is recorded for the server.
    pub(crate) sampled: bool,
    /// What other processes are told: `None` leaves the decision to them.
    pub(crate) passed_on: Option<bool>,
    /// The rate that the decision was made with. Without one, tracing is not
    /// switched on, nothing was decided, and nothing is reported as sampled out.
    pub(crate) rate: Option<f64>,
    /// The random number that was compared to the rate.
    pub(crate) rand: SampleRand,
    /// Whether the decision was made here, and not by whoever the trace came from.
    pub(crate) is_own: bool,
    /// Whether the rate was lowered because of load.
    pub(crate) lowered: bool,
}

impl Sampling {
    /// Decides about a new transaction.
    ///
    /// What counts is, in this order: what the caller says, what the sampler
    /// says, what the remote caller decided, and the client's rate.
    pub(crate) fn decide(
        client: &Client,
        explicit: Option<bool>,
        context: &SamplingContext<'_>,
        rand: SampleRand,
    ) -> Self {
        if let Some(sampled) = explicit {
            let rate = if sampled { 1.0 } else { 0.0 };
            return Self::at_rate(rate, rand, 0);
        }
        let load = client.load();
        if let Some(rate) = sampler_rate(client, context) {
            return Self::at_rate(rate, rand, load);
        }
        let inherited = context.parent_sampled();
        let Some(own_rate) = client.sample_rate() else {
            return Self {
                sampled: false,
                passed_on: inherited,
                rate: None,
                rand,
                is_own: false,
                lowered: false,
            };
        };
        match inherited {
            None => Self::at_rate(own_rate, rand, load),
            Some(sampled) => {
                let certain = if sampled { 1.0 } else { 0.0 };
                let rate = context.parent_sample_rate().unwrap_or(certain);
                if sampled && load > 0 {
                    // Every service under load leaves out the same traces.
                    return Self::at_rate(rate, rand, load);
                }
                Self {
                    sampled,
                    passed_on: inherited,
                    rate: Some(rate),
                    rand,
                    is_own: false,
                    lowered: false,
                }
            }
        }
    }

    /// Decides by a rate, which is halved as often as the load says.
    fn at_rate(rate: f64, rand: SampleRand, load: u32) -> Self {
        let rate = rate / 2_f64.powi(load.min(i32::MAX as u32) as i32);
        let sampled = rand.is_below(rate);
        Self {
            sampled,
            passed_on: Some(sampled),
            rate: Some(rate),
            rand,
            is_own: true,
            lowered: load > 0,
        }
    }

    /// The rate and what came of it, `None` if nothing was decided.
    fn decision(&self) -> Option<(f64, bool)> {
        Some((self.rate?, self.sampled))
    }

    /// Why a trace is left out, `None` if nothing was decided.
    pub(crate) fn left_out_because(&self) -> Option<DiscardReason> {
        self.rate?;
        Some(match self.lowered {
            true => DiscardReason::Backpressure,
            false => DiscardReason::SampleRate,
        })
    }
}

/// The rate that the user's sampler says, `None` if there is none or it panicked.
fn sampler_rate(client: &Client, context: &SamplingContext<'_>) -> Option<f64> {
    let sampler = client.sampler()?;
    // Whatever the sampler has left half done is its own.
    match catch_unwind(AssertUnwindSafe(|| sampler.sample_rate(context))) {
        Ok(rate) if (0.0..=1.0).contains(&rate) => Some(rate),
        Ok(_) => {
            diagnostics::once(&BAD_SAMPLER_RATE);
            Some(0.0)
        }
        Err(_) => {
            diagnostics::once(&SAMPLER_PANICKED);
            None
        }
    }
}

impl Trace {
    /// What is known of the trace, which changes no more from now on.
    pub(crate) fn sampling_context(&self) -> Arc<DynamicSamplingContext> {
        match &self.head {
            Some(head) => head.sampling_context(),
            None => Arc::clone(self.frozen.get_or_init(|| self.freeze())),
        }
    }

    fn freeze(&self) -> Arc<DynamicSamplingContext> {
        match self.remote() {
            Some(remote) => {
                let own = self.sampling.decision().filter(|_| self.sampling.is_own);
                remote.passed_on(own, self.sampling.rand)
            }
            None => {
                let name = self.name();
                // A raw URL has identifiers in it and must not be propagated. Nor
                // are there transactions where tracing is not switched on.
                let good = name.source != TransactionSource::Url && !name.text.is_empty();
                let good = good && self.sampling.rate.is_some();
                let name = good.then(|| fields::name(name.text));
                Arc::new(self.own_sampling_context(name.as_deref()))
            }
        }
    }

    /// The dynamic sampling context for the envelope of a transaction.
    ///
    /// Where none came in with a trace, none goes on, but servers want one.
    pub(crate) fn envelope_sampling_context(&self) -> Arc<DynamicSamplingContext> {
        let context = self.sampling_context();
        if context.is_empty() {
            return Arc::new(self.own_sampling_context(None));
        }
        context
    }

    fn own_sampling_context(&self, transaction: Option<&str>) -> DynamicSamplingContext {
        let (decision, rand) = (self.sampling.decision(), self.sampling.rand);
        let identity = self.client.identity();
        own_sampling_context(identity, self.trace_id, decision, rand, transaction)
    }
}

static BAD_SAMPLER_RATE: Topic = Topic::new(
    "`traces_sampler` returns something else than a number from 0 to 1: such transactions are not recorded",
);
static SAMPLER_PANICKED: Topic = Topic::new("`traces_sampler` panics, and is then taken for unset");
