//! Which traces are recorded, and which requests and callers share them.

use super::checks;
use super::error::OptionsError;
use crate::hooks::Sampler;
use crate::pattern::Pattern;
use crate::propagation::Policy;
use crate::protocol::Dsn;

/// What is set about traces.
#[derive(Clone, Debug)]
pub(super) struct Traces {
    pub(super) sample_rate: Option<f64>,
    pub(super) sampler: Option<Sampler>,
    pub(super) backpressure: bool,
    pub(super) options_requests: bool,
    pub(super) targets: Option<Vec<Pattern>>,
    pub(super) strict_continuation: bool,
    pub(super) propagate_traceparent: bool,
    pub(super) accept_traceparent: bool,
}

impl Traces {
    pub(super) fn validate(&self) -> Result<(), OptionsError> {
        match self.sample_rate {
            Some(rate) => checks::rate("traces_sample_rate", rate).map(drop),
            None => Ok(()),
        }
    }

    /// Whether any trace that begins here can be recorded.
    pub(super) fn samples(&self) -> bool {
        self.sample_rate.is_some() || self.sampler.is_some()
    }

    /// What a client does with incoming and outgoing traces.
    pub(super) fn policy(&self, dsn: Option<&Dsn>, org_id: Option<u64>) -> Policy {
        Policy {
            targets: self.targets.clone(),
            own_host: dsn.and_then(Policy::host_of),
            org_id: org_id.map(|id| id.to_string().into()),
            strict: self.strict_continuation,
            propagate_traceparent: self.propagate_traceparent,
            accept_traceparent: self.accept_traceparent,
        }
    }
}

impl Default for Traces {
    fn default() -> Self {
        Self {
            sample_rate: None,
            sampler: None,
            backpressure: true,
            options_requests: false,
            targets: None,
            strict_continuation: false,
            propagate_traceparent: false,
            accept_traceparent: false,
        }
    }
}
