//! Whether a trace is recorded, decided once at its root.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::trace::Trace;
use crate::client::Client;
use crate::diagnostics::{self, Topic};
use crate::hooks::SamplingContext;
use crate::propagation::SampleRand;
use crate::protocol::DynamicSamplingContext;
use crate::record::{Sampling, SamplingContextSource};

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
        let rate = match load {
            0 => rate,
            _ => rate / 2_f64.powi(load.min(i32::MAX as u32) as i32),
        };
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
        let identity = self.client.identity();
        self.info
            .sampling_context(self.remote(), &self.name(), identity)
    }

    /// What the dynamic sampling context is made of, now that the root has ended.
    ///
    /// It is built by the worker, unless another transaction knows it, or it has left before.
    pub(crate) fn sampling_context_source(&self) -> SamplingContextSource {
        if self.head.is_some() {
            return SamplingContextSource::Frozen(self.sampling_context());
        }
        match (self.frozen.get(), &self.continued) {
            (Some(frozen), _) => SamplingContextSource::Frozen(Arc::clone(frozen)),
            (None, Some(continued)) => SamplingContextSource::Continued(Arc::clone(continued)),
            (None, None) => SamplingContextSource::Own,
        }
    }
}

static BAD_SAMPLER_RATE: Topic = Topic::new(
    "`traces_sampler` returns something else than a number from 0 to 1: such transactions are not recorded",
);
static SAMPLER_PANICKED: Topic = Topic::new("`traces_sampler` panics, and is then taken for unset");
