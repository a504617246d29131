//! A finished transaction, as the payload of its envelope item.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::id::{EventId, SpanId, TraceId};
use super::{
    Breadcrumb, Data, DynamicSamplingContext, Link, Request, Sdk, Span, SpanStatus, Timestamp, User,
};

/// A finished transaction: the root span spread over an event, its children in a list.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename = "transaction")]
#[non_exhaustive]
pub struct Transaction {
    /// This event.
    pub event_id: EventId,
    /// Always `native`: servers have no platform of the name `rust`.
    pub platform: &'static str,
    /// The name that transactions are grouped by.
    #[serde(rename = "transaction")]
    pub name: Cow<'static, str>,
    /// Where the name came from.
    #[serde(rename = "transaction_info")]
    pub info: TransactionInfo,
    /// When the work began.
    pub start_timestamp: Timestamp,
    /// When the work ended: never before it began.
    pub timestamp: Timestamp,
    /// The version of the program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<Arc<str>>,
    /// The variant of the release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dist: Option<Arc<str>>,
    /// Where the program runs, such as `production`.
    pub environment: Arc<str>,
    /// The name of the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_name: Option<Arc<str>>,
    /// How important the event is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    /// Short values to search by.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<Cow<'static, str>, String>,
    /// Who the work was done for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<User>,
    /// The HTTP request that the work answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<Request>,
    /// The trace context and everything else that is known of the surroundings.
    pub contexts: Contexts,
    /// What happened on the way, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "write_values")]
    pub breadcrumbs: Vec<Breadcrumb>,
    /// The spans below the root, in order of their start.
    pub spans: Vec<Span>,
    /// Who wrote this.
    pub sdk: Arc<Sdk>,
    /// The sampling facts that go into the envelope's header, not into the event.
    #[serde(skip)]
    pub sampling_context: Option<Arc<DynamicSamplingContext>>,
}

/// The contexts of a transaction.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Contexts {
    /// The root span's place in the trace.
    pub trace: TraceContext,
    /// All other contexts by name.
    #[serde(flatten)]
    pub others: BTreeMap<Cow<'static, str>, Value>,
}

/// The part of the root span that has no place of its own in an event.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename = "trace")]
#[non_exhaustive]
pub struct TraceContext {
    /// The trace that the transaction belongs to.
    pub trace_id: TraceId,
    /// The root span.
    pub span_id: SpanId,
    /// The span outside of this transaction that caused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_span_id: Option<SpanId>,
    /// What kind of work this is, such as `http.server`.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub op: Cow<'static, str>,
    /// How the work ended, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<SpanStatus>,
    /// Who recorded the transaction: `manual`, or `auto.` and an integration.
    pub origin: Cow<'static, str>,
    /// Attributes of the root span.
    #[serde(skip_serializing_if = "Data::is_empty")]
    pub data: Data,
    /// Spans that the root span has to do with, other than the one that caused it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
}

/// Where a transaction's name came from.
#[derive(Clone, Copy, Debug, Serialize)]
#[non_exhaustive]
pub struct TransactionInfo {
    /// The source of the name.
    pub source: TransactionSource,
}

/// What a transaction's name is made of, which tells servers how to group by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TransactionSource {
    /// A name that the user chose.
    #[default]
    Custom,
    /// A raw URL or path, identifiers included. Such a name is never propagated.
    Url,
    /// A route with placeholders.
    Route,
    /// The name of a handler.
    View,
    /// The name of a function or a type.
    Component,
    /// The name of a background task.
    Task,
}

/// How important an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// For developers only.
    Debug,
    /// As it should be.
    Info,
    /// Worth a look.
    Warning,
    /// Something failed.
    Error,
    /// The program cannot go on.
    Fatal,
}

/// Writes a list in the form that events have for it.
fn write_values<S: Serializer>(values: &[Breadcrumb], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map([("values", values)])
}

impl TransactionInfo {
    /// What is known of a name that comes from this source.
    pub fn new(source: TransactionSource) -> Self {
        Self { source }
    }
}
