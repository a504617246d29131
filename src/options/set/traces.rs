//! Options about which traces are recorded, and which requests and callers share them.

use crate::hooks::{Sampler, SamplingContext};
use crate::options::options::Options;
use crate::pattern::Pattern;

impl Options {
    /// The share of traces that is recorded, from 0 to 1.
    ///
    /// It decides about traces that start here. For an incoming trace the caller has decided,
    /// unless it left the decision open. Unset by default: no traces are started here, and incoming
    /// ones are only propagated. With 0 incoming traces are still recorded if their callers decided
    /// so.
    ///
    /// A client with a DSN and neither this nor a [`traces_sampler`](Self::traces_sampler) sends
    /// nothing but transactions that are started with a decision, which is reported once on
    /// standard error.
    pub fn traces_sample_rate(mut self, rate: f64) -> Self {
        self.traces.sample_rate = Some(rate);
        self
    }

    /// Returns the rate, from 0 to 1, at which each transaction is recorded.
    ///
    /// It overrides [`traces_sample_rate`](Self::traces_sample_rate) and the decisions of callers
    /// in other processes. To keep their traces whole, return
    /// [`inherit_or_sample_with`](SamplingContext::inherit_or_sample_with). Unset by default.
    ///
    /// It runs when a transaction starts, so it must be quick and must not block. It is not called
    /// for a transaction that is started with a decision or inside another transaction. If it
    /// returns anything but a rate the transaction is not recorded, and if it panics it counts as
    /// unset; both are reported once in [`debug`](Self::debug) mode.
    ///
    /// ```
    /// use taskspan::Options;
    ///
    /// let options = Options::default().traces_sampler(|context| {
    ///     let is_health_check = context.url().is_some_and(|url| url.ends_with("/health"));
    ///     if is_health_check { 0.0 } else { context.inherit_or_sample_with(0.25) }
    /// });
    /// ```
    pub fn traces_sampler(
        mut self,
        sampler: impl Fn(&SamplingContext<'_>) -> f64 + Send + Sync + 'static,
    ) -> Self {
        self.traces.sampler = Some(Sampler::new(sampler));
        self
    }

    /// Whether fewer traces are recorded while they can't be delivered.
    ///
    /// On by default. Every 10 seconds in which the queue was full or the server set a rate limit
    /// halve the sample rate again, down to a 1,024th, and 10 seconds without restore it.
    /// Transactions that are started with a decision are not affected. What this drops is counted
    /// as `backpressure`.
    pub fn enable_backpressure_handling(mut self, enable: bool) -> Self {
        self.traces.backpressure = enable;
        self
    }

    /// Whether integrations record requests with the method `OPTIONS` as transactions.
    ///
    /// Off by default: such requests only propagate their trace.
    pub fn trace_options_requests(mut self, trace: bool) -> Self {
        self.traces.options_requests = trace;
        self
    }

    /// The URLs of outgoing requests that carry trace headers.
    ///
    /// All by default; none with an empty list. Unlike the filters, this takes a text that is
    /// *contained* in the URL, as Sentry's protocol has it, or a regular expression that is found
    /// in it. Requests to the host of the DSN never carry trace headers. Incoming traces are
    /// continued whatever this is set to.
    pub fn trace_propagation_targets<T: Into<Pattern>>(
        mut self,
        targets: impl IntoIterator<Item = T>,
    ) -> Self {
        self.traces.targets = Some(targets.into_iter().map(Into::into).collect());
        self
    }

    /// Whether an incoming trace is continued only if it certainly belongs to the same organisation.
    ///
    /// Off by default. Traces of another organisation than [`org_id`](Self::org_id) are never
    /// continued. With this on, neither are traces that name no organisation, nor any that name one
    /// while `org_id` is unknown; if both are unknown the trace is continued.
    pub fn strict_trace_continuation(mut self, strict: bool) -> Self {
        self.traces.strict_continuation = strict;
        self
    }

    /// Whether outgoing requests also carry the header `traceparent` of W3C Trace Context, which
    /// OpenTelemetry reads.
    ///
    /// Off by default.
    pub fn propagate_traceparent(mut self, propagate: bool) -> Self {
        self.traces.propagate_traceparent = propagate;
        self
    }

    /// Whether a trace is continued from `traceparent` if there is no `sentry-trace` header.
    ///
    /// Off by default. Such a caller does not report to Sentry, so its span will be missing there.
    /// If it did not record the trace, the decision is open.
    pub fn accept_traceparent(mut self, accept: bool) -> Self {
        self.traces.accept_traceparent = accept;
        self
    }
}
