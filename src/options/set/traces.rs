//! Options about which traces are recorded, and which requests and callers share them.

use crate::hooks::{Sampler, SamplingContext};
use crate::options::options::Options;
use crate::pattern::Pattern;

impl Options {
    /// The share of traces that is recorded, from 0 to 1.
    ///
    /// It decides about traces that begin here; one that comes in from elsewhere is decided
    /// already, unless its caller left that open. Unset by default: then no trace begins here that
    /// is recorded, and those from elsewhere are passed on as they came. With 0 they are recorded
    /// nevertheless if their callers decided so.
    pub fn traces_sample_rate(mut self, rate: f64) -> Self {
        self.traces.sample_rate = Some(rate);
        self
    }

    /// Decides with which rate, from 0 to 1, each transaction is recorded.
    ///
    /// It wins over [`traces_sample_rate`](Self::traces_sample_rate) and over what callers in
    /// other processes decided. To leave their traces whole, have it return
    /// [`inherit_or_sample_with`](SamplingContext::inherit_or_sample_with). Unset by default.
    ///
    /// It runs where the transaction starts, so it must be quick and must not block. It is not asked
    /// about a transaction that was started with a decision or inside of another one. Where it
    /// returns something else than a rate the transaction is not recorded, and where it panics
    /// things go on as if it were unset; either is said once in [`debug`](Self::debug) mode.
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
    /// They are by default. Every 10 seconds in which the queue was full or the server had set a
    /// limit halve the rate once more, down to a 1,024th, and 10 seconds without set it back. It
    /// is not applied to transactions that are started with a decision. What is left out by it is
    /// counted under `backpressure`.
    pub fn enable_backpressure_handling(mut self, enable: bool) -> Self {
        self.traces.backpressure = enable;
        self
    }

    /// Whether integrations make transactions of requests with the method `OPTIONS`.
    ///
    /// They do not by default; such requests only carry their trace on.
    pub fn trace_options_requests(mut self, trace: bool) -> Self {
        self.traces.options_requests = trace;
        self
    }

    /// The URLs to which requests are told of the trace that they are part of.
    ///
    /// All of them by default, and none with an empty list. A text has to be contained in the URL;
    /// a regular expression has to be found in it. Requests to the host of the DSN are never told.
    /// What comes in is continued whatever stands here.
    pub fn trace_propagation_targets<T: Into<Pattern>>(
        mut self,
        targets: impl IntoIterator<Item = T>,
    ) -> Self {
        self.traces.targets = Some(targets.into_iter().map(Into::into).collect());
        self
    }

    /// Whether only traces are continued that come from the same organisation for certain.
    ///
    /// Not so by default. Traces that name another organisation than [`org_id`](Self::org_id) are
    /// never continued. With this, neither are those that name none, nor those that name one if
    /// `org_id` is not known; only where neither is known they go on.
    pub fn strict_trace_continuation(mut self, strict: bool) -> Self {
        self.traces.strict_continuation = strict;
        self
    }

    /// Whether other processes are also sent the header `traceparent` of W3C's Trace Context.
    ///
    /// They are not by default.
    pub fn propagate_traceparent(mut self, propagate: bool) -> Self {
        self.traces.propagate_traceparent = propagate;
        self
    }

    /// Whether a trace is continued that came with no `sentry-trace` header but with `traceparent`.
    ///
    /// It is not by default. Its caller reports to something else than Sentry, so that its span
    /// will be missing there. A caller that did not record the trace leaves the decision open.
    pub fn accept_traceparent(mut self, accept: bool) -> Self {
        self.traces.accept_traceparent = accept;
        self
    }
}
