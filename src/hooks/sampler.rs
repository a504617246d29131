//! What a user's sampler is told.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use http::Extensions;
use serde_json::Value;

use super::request_head::RequestHead;
use crate::own_work::during;
use crate::protocol::TransactionSource;

/// What is known of a transaction when it is decided whether it is recorded.
///
/// It is what [`traces_sampler`](crate::Options::traces_sampler) decides by.
pub struct SamplingContext<'a> {
    pub(crate) name: &'a str,
    pub(crate) op: &'a str,
    pub(crate) origin: &'a str,
    pub(crate) source: TransactionSource,
    pub(crate) attributes: &'a [(Cow<'static, str>, Value)],
    pub(crate) request: Option<&'a dyn RequestHead>,
    pub(crate) custom: Option<&'a Extensions>,
    pub(crate) parent_sampled: Option<bool>,
    pub(crate) parent_sample_rate: Option<f64>,
}

impl<'a> SamplingContext<'a> {
    /// The name of the transaction.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// What kind of work it is.
    pub fn op(&self) -> &'a str {
        self.op
    }

    /// Who records it: `manual`, or `auto.` and an integration.
    pub fn origin(&self) -> &'a str {
        self.origin
    }

    /// What the name is made of.
    pub fn source(&self) -> TransactionSource {
        self.source
    }

    /// An attribute that is [set from the start](crate::TransactionBuilder::data).
    pub fn attribute(&self, key: &str) -> Option<&'a Value> {
        let (_, value) = self.attributes.iter().rfind(|(found, _)| found == key)?;
        Some(value)
    }

    /// The method of the HTTP request that the transaction answers.
    pub fn method(&self) -> Option<&'a str> {
        self.request?.method()
    }

    /// The URL of the HTTP request that the transaction answers, as far as it is known.
    pub fn url(&self) -> Option<Cow<'a, str>> {
        self.request?.url()
    }

    /// The route that the request has taken, such as `/items/{id}`: as an integration knows it, or
    /// the attribute `http.route`.
    pub fn route(&self) -> Option<&'a str> {
        let known = self.request.and_then(|request| request.route());
        known.or_else(|| self.attribute("http.route")?.as_str())
    }

    /// A header of the HTTP request, by its name in lower case, if it is text.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.request?.header(name)
    }

    /// A value that was given for the sampler alone, by its type.
    ///
    /// See [`TransactionBuilder::sampling_value`](crate::TransactionBuilder::sampling_value).
    pub fn custom<T: Send + Sync + 'static>(&self) -> Option<&'a T> {
        self.custom?.get()
    }

    /// What the caller in another process has decided, `None` if there is no such caller or it
    /// left the decision open.
    pub fn parent_sampled(&self) -> Option<bool> {
        self.parent_sampled
    }

    /// The rate by which the trace was decided about in another process, if it is known.
    pub fn parent_sample_rate(&self) -> Option<f64> {
        self.parent_sample_rate
    }

    /// The rate that leaves traces whole: that of the caller in another process, or 1 or 0 as it
    /// decided, or else `fallback`.
    ///
    /// ```
    /// use taskspan::Options;
    ///
    /// let options = Options::default().traces_sampler(|context| match context.name() {
    ///     "GET /health" => 0.0,
    ///     _ => context.inherit_or_sample_with(0.1),
    /// });
    /// ```
    pub fn inherit_or_sample_with(&self, fallback: f64) -> f64 {
        let decided = self
            .parent_sampled
            .map(|sampled| if sampled { 1.0 } else { 0.0 });
        self.parent_sample_rate.or(decided).unwrap_or(fallback)
    }
}

impl fmt::Debug for SamplingContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SamplingContext")
            .field("name", &self.name)
            .field("op", &self.op)
            .field("source", &self.source)
            .field("parent_sampled", &self.parent_sampled)
            .field("parent_sample_rate", &self.parent_sample_rate)
            .finish_non_exhaustive()
    }
}

/// A function that says with which rate a transaction is recorded.
#[derive(Clone)]
pub(crate) struct Sampler(Arc<dyn Fn(&SamplingContext<'_>) -> f64 + Send + Sync>);

impl Sampler {
    pub(crate) fn new(
        sampler: impl Fn(&SamplingContext<'_>) -> f64 + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(sampler))
    }

    pub(crate) fn sample_rate(&self, context: &SamplingContext<'_>) -> f64 {
        during(|| (self.0)(context))
    }
}

impl fmt::Debug for Sampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sampler")
    }
}
