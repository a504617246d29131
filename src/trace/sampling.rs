//! Whether a trace is recorded, decided once at its root.

use crate::client::Client;
use crate::id::TraceId;
use crate::protocol::{DynamicSamplingContext, TransactionSource};

use super::Trace;

/// The decision about a trace and what it was made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sampling {
    /// Whether the trace is recorded.
    pub(crate) sampled: bool,
    /// The rate that the decision was made with. Without one, tracing is not
    /// switched on, nothing was decided, and nothing is reported as sampled out.
    pub(crate) rate: Option<f64>,
    /// The random number that was compared to the rate, in millionths.
    pub(crate) rand: u32,
}

impl Sampling {
    /// Decides for a new trace: `sampled` if that is given, else by the client's rate.
    pub(super) fn decide(client: &Client, trace_id: TraceId, sampled: Option<bool>) -> Self {
        let rand = rand_of(trace_id);
        let rate = match sampled {
            Some(sampled) => Some(if sampled { 1.0 } else { 0.0 }),
            None => client.traces_sample_rate(),
        };
        let below = |rate: f64| f64::from(rand) / f64::from(MILLION) < rate;
        Self {
            sampled: rate.is_some_and(below),
            rate,
            rand,
        }
    }
}

impl Trace {
    /// The dynamic sampling context of the trace, under the name of its transaction.
    pub(super) fn sampling_context(
        &self,
        name: &str,
        source: TransactionSource,
    ) -> DynamicSamplingContext {
        let mut context = DynamicSamplingContext::default();
        let identity = self.client.identity();
        context.insert("trace_id", self.trace_id.to_string());
        if let Some(key) = &identity.public_key {
            context.insert("public_key", &**key);
        }
        if let Some(rate) = self.sampling.rate {
            context.insert("sample_rate", rate.to_string());
            context.insert("sampled", self.sampling.sampled.to_string());
        }
        context.insert("sample_rand", format!("0.{:06}", self.sampling.rand));
        if let Some(release) = &identity.release {
            context.insert("release", &**release);
        }
        context.insert("environment", &*identity.environment);
        // A raw URL has identifiers in it and must not be propagated.
        if source != TransactionSource::Url && !name.is_empty() {
            context.insert("transaction", name);
        }
        if let Some(org_id) = &identity.org_id {
            context.insert("org_id", &**org_id);
        }
        context
    }
}

/// A number below a million that is the same for all who see the trace, evenly spread.
fn rand_of(trace_id: TraceId) -> u32 {
    let low = trace_id.bits() as u64;
    // At most 999,999, because the product is below a million times 2^64.
    ((u128::from(low) * u128::from(MILLION)) >> 64) as u32
}

const MILLION: u32 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_random_number_is_always_below_a_million() {
        for (bits, rand) in [
            (1, 0),
            (u128::from(u64::MAX), 999_999),
            (1 << 63, 500_000),
            (u128::MAX, 999_999),
        ] {
            assert_eq!(rand_of(TraceId::from_random(bits)), rand, "{bits:x}");
        }
    }
}
