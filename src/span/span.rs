//! Handles to spans: looking at one, changing it, starting others below it.

use crate::protocol::value::Borrowed;
use crate::protocol::value::with_or_reason;
use crate::protocol::value::with_text;
use crate::record::Content;
use std::borrow::Cow;
use std::fmt::{self, Display};

use serde::Serialize;

#[cfg(any(feature = "axum", feature = "tracing"))]
use crate::client::Client;
#[cfg(feature = "_call-sites")]
use crate::clock::{self, Ticks};
#[cfg(feature = "_http-server")]
use crate::protocol::value::with_bytes;
use crate::protocol::{SpanId, SpanStatus, TraceId, TransactionSource};
#[cfg(feature = "_http-server")]
use crate::record::RequestWriter;
#[cfg(feature = "_call-sites")]
use crate::record::call_site;
use crate::record::{Change, Kind};
use crate::task::{Context, Restore, in_task_of, slot};
use crate::trace::SpanLocation;

/// A span that was started by somebody: the root of a transaction or one below it.
///
/// A handle may be cloned, sent to other threads and kept for as long as one
/// likes. It does not keep the span from ending, see [`OpenSpan`](crate::OpenSpan) for that. What
/// is set after the transaction has ended is ignored.
///
/// The handle of a span that is not recorded, because its trace is not sampled
/// or its transaction has reached its limit of spans, takes every call and does
/// nothing.
#[derive(Clone)]
pub struct Span {
    // `None` where there was no transaction.
    pub(crate) location: Option<SpanLocation>,
}

impl Span {
    pub(crate) fn none() -> Self {
        Self { location: None }
    }

    /// The trace that the span belongs to.
    pub fn trace_id(&self) -> Option<TraceId> {
        self.location
            .as_ref()
            .map(|location| location.trace.info.trace_id)
    }

    /// The id of the span, or of the nearest span above it that is recorded.
    pub fn span_id(&self) -> Option<SpanId> {
        self.location
            .as_ref()
            .map(|location| location.trace.info.span_id(location.number))
    }

    /// Whether what is set here will be sent.
    pub fn is_recorded(&self) -> bool {
        self.location
            .as_ref()
            .is_some_and(|location| location.recorded)
    }

    /// Sets a tag, a short value to search by. Tags of a root span are those of its transaction.
    ///
    /// Keys and values that servers would not take are made to fit, and kept
    /// whole in the span's data: see [`Scope::set_tag`](crate::Scope::set_tag).
    pub fn set_tag(&self, key: impl Into<Cow<'static, str>>, value: impl Display) {
        if let Some(location) = self.recorded() {
            let key = key.into();
            with_text(value, |text| {
                location.set(Kind::Tag, key, Content::Value(Borrowed::Text(text)));
            });
        }
    }

    /// Sets an attribute to any value that serialises.
    ///
    /// Integers over 64 bits are sent as strings and numbers that are not
    /// finite as `null`, as JSON has neither. A value that does not serialise
    /// is replaced by the reason. The value is not looked at, and nothing is
    /// allocated, unless the span is recorded. Numbers, truth values and texts
    /// are not formatted where the code runs. What a transaction sets beyond
    /// 8 MiB, keys included, is not kept.
    pub fn set_data(&self, key: impl Into<Cow<'static, str>>, value: impl Serialize) {
        if let Some(location) = self.recorded() {
            let key = key.into();
            with_or_reason(&value, |value| {
                location.set(Kind::Data, key, Content::Value(value));
            });
        }
    }

    /// How many bytes of a request's body may be told.
    #[cfg(feature = "axum")]
    pub(crate) fn max_request_body_size(&self) -> usize {
        let client = self
            .location
            .as_ref()
            .map(|location| &location.trace.client);
        client.map_or(0, Client::max_request_body_size)
    }

    /// Whether data that identifies people is sent.
    #[cfg(feature = "tracing")]
    pub(crate) fn sends_default_pii(&self) -> bool {
        let client = self
            .location
            .as_ref()
            .map(|location| &location.trace.client);
        client.is_some_and(Client::sends_default_pii)
    }

    /// Records the place in the code that is waiting for this, if it began long enough ago.
    #[cfg(feature = "_call-sites")]
    pub(crate) fn record_slow_call_site(&self, began: Ticks) {
        let Some(location) = self.recorded() else {
            return;
        };
        let threshold = location.trace.client.call_site_threshold();
        if threshold.is_some_and(|threshold| clock::span(began, Ticks::now()) >= threshold) {
            let mut bytes = Vec::new();
            call_site::capture(&mut bytes);
            if !bytes.is_empty() {
                location.set(Kind::CallSite, Cow::Borrowed(""), Content::Bytes(&bytes));
            }
        }
    }

    /// Records the request that a transaction answers.
    #[cfg(feature = "_http-server")]
    pub(crate) fn record_request(&self, write: impl FnOnce(&mut RequestWriter<'_>)) {
        if let Some(location) = self.recorded() {
            with_bytes(|bytes| {
                write(&mut RequestWriter::new(bytes));
                location.set(Kind::Request, Cow::Borrowed(""), Content::Bytes(bytes));
            });
        }
    }

    /// Sets how the work of the span ended, over what its end would tell.
    pub fn set_status(&self, status: SpanStatus) {
        self.change(Change::Status(status));
    }

    /// Sets the name of a transaction, or the description of another span.
    ///
    /// The source of a transaction's name becomes `custom`. Servers cut the
    /// name of a transaction to 200 characters.
    pub fn set_name(&self, name: impl Into<Cow<'static, str>>) {
        match &self.location {
            Some(location) if location.is_root() => location.trace.rename(|root| {
                root.text = name.into();
                root.source = TransactionSource::Custom;
            }),
            _ => self.change(Change::Name(name.into())),
        }
    }

    /// Tells what the name of a transaction is made of, after [`set_name`](Self::set_name). Other
    /// spans have no such thing.
    pub fn set_source(&self, source: TransactionSource) {
        if let Some(location) = self.location.as_ref().filter(|location| location.is_root()) {
            location.trace.rename(|root| root.source = source);
        }
    }

    /// Sets the name of a transaction and what it is made of, unless that is something else than it
    /// was since.
    #[cfg(feature = "_http-server")]
    pub(crate) fn rename_from(
        &self,
        was: TransactionSource,
        name: String,
        source: TransactionSource,
    ) {
        if let Some(location) = self.location.as_ref().filter(|location| location.is_root()) {
            location.trace.rename(|root| {
                if root.source == was {
                    (root.text, root.source) = (name.into(), source);
                }
            });
        }
    }

    /// Sets what kind of work the span is. Servers cut it to 128 characters.
    pub fn set_op(&self, op: impl Into<Cow<'static, str>>) {
        self.change(Change::Op(op.into()));
    }

    /// Calls `f` with this as the current span. The span does not end by that.
    pub fn in_scope<R>(&self, f: impl FnOnce() -> R) -> R {
        let Some(location) = &self.location else {
            return f();
        };
        let current = in_task_of(&location.trace, |spans| {
            Some(spans.set_current(location.number))
        });
        if let Some(current) = current {
            let _restore = Restore {
                trace: &location.trace,
                current,
            };
            return f();
        }
        let mut scope = Some(Context::below(location).open());
        let _entered = slot::enter(&mut scope);
        f()
    }

    #[inline]
    pub(crate) fn recorded(&self) -> Option<&SpanLocation> {
        self.location.as_ref().filter(|location| location.recorded)
    }

    fn change(&self, change: Change) {
        if let Some(location) = self.recorded() {
            location.change(change);
        }
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Span")
            .field("trace_id", &self.trace_id())
            .field("span_id", &self.span_id())
            .field("recorded", &self.is_recorded())
            .finish()
    }
}
