//! Handles to spans: looking at one, changing it, starting others below it.

use std::borrow::Cow;
use std::fmt::{self, Display};
use std::mem;
use std::ops::Deref;
use std::sync::Arc;
use std::time::SystemTime;

use serde::Serialize;

use super::Trace;
use super::attributes::{self, Kind};
use super::buffer::SpanBuffer;
#[cfg(feature = "_call-sites")]
use super::call_site;
use super::context::Context;
use super::record::{Change, SpanNumber};
#[cfg(feature = "_http-server")]
use super::recorded_request::RequestWriter;
use super::span_builder::SpanBuilder;
use super::task::{drop_status, in_task_of};
#[cfg(feature = "axum")]
use crate::client::Client;
#[cfg(feature = "_call-sites")]
use crate::clock;
use crate::clock::Ticks;
use crate::id::{SpanId, TraceId};
use crate::protocol::{SpanStatus, TransactionSource};
use crate::scope::task;

/// A span that was started by somebody: the root of a transaction or one below it.
///
/// A handle may be cloned, sent to other threads and kept for as long as one
/// likes. It does not keep the span from ending, see [`OpenSpan`] for that. What
/// is set after the transaction has ended is ignored.
///
/// The handle of a span that is not recorded, because its trace is not sampled
/// or its transaction has reached its limit of spans, takes every call and does
/// nothing.
#[derive(Clone)]
pub struct Span {
    // `None` where there was no transaction.
    pub(super) place: Option<Place>,
}

/// Where a span is recorded.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) trace: Arc<Trace>,
    pub(super) number: SpanNumber,
    /// If not, `number` is that of the nearest span above which is, or of the
    /// root where none is.
    pub(super) recorded: bool,
    /// Whether it is the root, recorded or not, and not a span that stands for it.
    pub(super) is_root: bool,
}

/// A span that ends when this is dropped.
///
/// It is a [`Span`] in all other respects. It never becomes the current span by
/// itself, so it can be held across an `.await`: use [`Span::in_scope`] or
/// [`Instrument::in_scope_of`](crate::Instrument::in_scope_of) to run code below it.
///
/// It ends as `ok` unless another status was set, as `internal_error` when it is
/// dropped by a panic, and as `cancelled` when it is dropped with a future that
/// was not ready. Once the transaction has ended it can't be added to any more:
/// a span that is still open then is sent with the end of the transaction and
/// the status `deadline_exceeded`, as servers would do it.
///
/// ```
/// # use taskspan::{Instrument, Options};
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # let (client, sent) = taskspan::test::client(Options::default().traces_sample_rate(1.0));
/// # async {
/// let connection = taskspan::transaction("websocket.server", "connection").start();
/// for message in ["first", "second"] {
///     // In this order: the span lies below the connection.
///     async {}.in_span("message", message).in_scope_of(&connection).await;
/// }
/// connection.start_child("close", "handshake").finish();
/// connection.finish();
/// # }
/// # .with_client(&client)
/// # .await;
/// # assert_eq!(sent.transactions()[0].spans.len(), 3);
/// # }
/// ```
#[must_use = "a span ends as soon as it is dropped"]
pub struct OpenSpan {
    span: Span,
    /// Whether the transaction ends with it.
    ends_transaction: bool,
}

/// The span that the current code runs in, `None` outside of any transaction.
///
/// ```
/// # use taskspan::{Instrument, Options};
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # let (client, sent) = taskspan::test::client(Options::default().traces_sample_rate(1.0));
/// async fn load() {
///     if let Some(span) = taskspan::current_span() {
///         span.set_data("cache.hit", true);
///     }
/// }
///
/// async { load().in_span("cache.get", "items").await }
///     .in_transaction("task", "import")
/// #   .with_client(&client)
///     .await;
/// # assert_eq!(sent.transactions()[0].spans[0].data.get("cache.hit"), Some(true.into()));
///
/// assert!(taskspan::current_span().is_none());
/// # }
/// ```
pub fn current_span() -> Option<Span> {
    let place = Some(Place::current()?);
    Some(Span { place })
}

/// Whether a span that is started here and now would be recorded, as long as there is room for it.
///
/// It is the cheapest thing to ask, and allocates nothing.
#[cfg(any(feature = "_calls", feature = "tracing"))]
pub(crate) fn is_recording() -> bool {
    task::with(|task| Some(task.spans.as_ref()?.is_recorded())).unwrap_or(false)
}

/// The root span of the transaction that the current code runs in, `None` outside of any.
///
/// ```
/// # use taskspan::{Instrument, Options};
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # let (client, sent) = taskspan::test::client(Options::default().traces_sample_rate(1.0));
/// async {
///     if let Some(transaction) = taskspan::current_transaction() {
///         transaction.set_name("GET /items/{id}");
///     }
/// }
/// .in_transaction("http.server", "GET /items/7")
/// # .with_client(&client)
/// .await;
/// # assert_eq!(sent.transactions()[0].name, "GET /items/{id}");
/// # }
/// ```
pub fn current_transaction() -> Option<Span> {
    task::with(|task| {
        let spans = task.spans.as_mut()?;
        Some(Span {
            place: Some(Place::root(Arc::clone(spans.trace()))),
        })
    })
}

impl Span {
    pub(super) fn none() -> Self {
        Self { place: None }
    }

    /// The trace that the span belongs to.
    pub fn trace_id(&self) -> Option<TraceId> {
        self.place.as_ref().map(|place| place.trace.trace_id)
    }

    /// The id of the span, or of the nearest span above it that is recorded.
    pub fn span_id(&self) -> Option<SpanId> {
        self.place
            .as_ref()
            .map(|place| place.trace.span_id(place.number))
    }

    /// Whether what is set here will be sent.
    pub fn is_recorded(&self) -> bool {
        self.place.as_ref().is_some_and(|place| place.recorded)
    }

    /// Sets a tag, a short value to search by. Tags of a root span are those of its transaction.
    ///
    /// Keys and values that servers would not take are made to fit, and kept
    /// whole in the span's data: see [`Scope::set_tag`](crate::Scope::set_tag).
    pub fn set_tag(&self, key: impl Into<Cow<'static, str>>, value: impl Display) {
        if let Some(place) = self.recorded() {
            let key = key.into();
            attributes::with_text(value, |text| place.set(Kind::Tag, key, text));
        }
    }

    /// Sets an attribute to any value that serialises.
    ///
    /// Integers over 64 bits are sent as strings and numbers that are not
    /// finite as `null`, as JSON has neither. A value that does not serialise
    /// is replaced by the reason. The value is not looked at, and nothing is
    /// allocated, unless the span is recorded. What a task sets beyond 8 MiB
    /// before it ends is not kept.
    pub fn set_data(&self, key: impl Into<Cow<'static, str>>, value: impl Serialize) {
        if let Some(place) = self.recorded() {
            let key = key.into();
            attributes::with_json(value, |text| place.set(Kind::Data, key, text));
        }
    }

    /// How many bytes of a request's body may be told.
    #[cfg(feature = "axum")]
    pub(crate) fn max_request_body_size(&self) -> usize {
        let client = self.place.as_ref().map(|place| &place.trace.client);
        client.map_or(0, Client::max_request_body_size)
    }

    /// Records the place in the code that is waiting for this, if it began long enough ago.
    #[cfg(feature = "_call-sites")]
    pub(super) fn record_slow_call_site(&self, began: Ticks) {
        let Some(place) = self.recorded() else {
            return;
        };
        let threshold = place.trace.client.call_site_threshold();
        if threshold.is_some_and(|threshold| clock::span(began, Ticks::now()) >= threshold) {
            let set = |bytes: &[u8]| {
                if !bytes.is_empty() {
                    place.set(Kind::CallSite, Cow::Borrowed(""), bytes);
                }
            };
            attributes::with_bytes(set, call_site::capture);
        }
    }

    /// Records the request that a transaction answers.
    #[cfg(feature = "_http-server")]
    pub(crate) fn record_request(&self, write: impl FnOnce(&mut RequestWriter<'_>)) {
        if let Some(place) = self.recorded() {
            attributes::with_bytes(
                |bytes| place.set(Kind::Request, Cow::Borrowed(""), bytes),
                |bytes| write(&mut RequestWriter::new(bytes)),
            );
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
        match &self.place {
            Some(place) if place.is_root() => place.trace.rename(|root| {
                root.text = name.into();
                root.source = TransactionSource::Custom;
            }),
            _ => self.change(Change::Name(name.into())),
        }
    }

    /// Tells what the name of a transaction is made of, after [`set_name`](Self::set_name). Other
    /// spans have no such thing.
    pub fn set_source(&self, source: TransactionSource) {
        if let Some(place) = self.place.as_ref().filter(|place| place.is_root()) {
            place.trace.rename(|root| root.source = source);
        }
    }

    /// Sets the name of a transaction and what it is made of, unless that is something else than it
    /// was since.
    #[cfg(feature = "actix-web")]
    pub(crate) fn rename_from(
        &self,
        was: TransactionSource,
        name: String,
        source: TransactionSource,
    ) {
        if let Some(place) = self.place.as_ref().filter(|place| place.is_root()) {
            place.trace.rename(|root| {
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

    /// Starts a span below this one, from any thread.
    pub fn start_child(
        &self,
        op: impl Into<Cow<'static, str>>,
        description: impl Into<Cow<'static, str>>,
    ) -> OpenSpan {
        SpanBuilder::new(op.into(), description.into())
            .child_of(self)
            .start()
    }

    /// Calls `f` with this as the current span. The span does not end by that.
    pub fn in_scope<R>(&self, f: impl FnOnce() -> R) -> R {
        let Some(place) = &self.place else { return f() };
        let current = in_task_of(&place.trace, |spans| Some(spans.set_current(place.number)));
        if let Some(current) = current {
            let _restore = Restore {
                trace: &place.trace,
                current,
            };
            return f();
        }
        let mut scope = Some(Context::below(place).open());
        let _entered = task::enter(&mut scope);
        f()
    }

    #[inline]
    pub(super) fn recorded(&self) -> Option<&Place> {
        self.place.as_ref().filter(|place| place.recorded)
    }

    fn change(&self, change: Change) {
        if let Some(place) = self.recorded() {
            place.change(change);
        }
    }
}

impl Place {
    /// The place of the current span.
    pub(super) fn current() -> Option<Self> {
        task::with(|task| {
            let spans = task.spans.as_mut()?;
            Some(spans.place(spans.current()))
        })
    }

    /// The root of a transaction, recorded or not.
    pub(super) fn root(trace: Arc<Trace>) -> Self {
        Self {
            number: trace.root,
            recorded: trace.recorded,
            is_root: true,
            trace,
        }
    }

    fn is_root(&self) -> bool {
        self.is_root || self.recorded && self.number == self.trace.root
    }

    /// Makes a change where the span is recorded, if that is the current task, else with the trace.
    fn change(&self, change: Change) {
        let mut change = Some(change);
        self.at_home(|buffer| {
            buffer
                .records
                .get_mut(self.number.index())?
                .apply(change.take()?);
            Some(())
        });
        if let Some(change) = change {
            self.trace.change_away(self.number, change);
        }
    }

    /// Sets an attribute, likewise.
    pub(super) fn set(&self, kind: Kind, mut key: Cow<'static, str>, value: &[u8]) {
        let set = self.at_home(|buffer| {
            buffer
                .attributes
                .push(self.number, kind, mem::take(&mut key), value);
            Some(())
        });
        if set.is_none() {
            self.trace.set_away(self.number, kind, key, value);
        }
    }

    /// Calls `f` if changes to this span are made in the current task's buffer.
    #[inline]
    fn at_home(&self, f: impl FnOnce(&mut SpanBuffer) -> Option<()>) -> Option<()> {
        in_task_of(&self.trace, |spans| f(spans.home_of(self.number)?))
    }

    /// Ends the span, if it is recorded.
    pub(super) fn end(&self, ticks: Ticks, status: SpanStatus) {
        if self.recorded {
            self.change(Change::End(ticks, status));
        }
    }
}

impl OpenSpan {
    pub(super) fn new(span: Span) -> Self {
        Self {
            span,
            ends_transaction: false,
        }
    }

    /// The root of a transaction without a task of its own.
    pub(super) fn root(place: Place) -> Self {
        Self {
            span: Span { place: Some(place) },
            ends_transaction: true,
        }
    }

    /// Ends the span now, as `ok` unless another status was set.
    pub fn finish(mut self) {
        self.end(None, SpanStatus::Ok);
    }

    /// Ends the span at a time in the past or the future.
    ///
    /// A time before the span's start is taken for its start, since servers
    /// refuse whole transactions for spans that end before they start.
    pub fn finish_at(mut self, time: SystemTime) {
        self.end(Some(time), SpanStatus::Ok);
    }

    /// Ends the span, unless it has ended.
    fn end(&mut self, time: Option<SystemTime>, status: SpanStatus) {
        let Some(place) = self.span.place.take() else {
            return;
        };
        let ticks = match time {
            Some(time) => place.trace.anchor.ticks_at(time),
            None => Ticks::now(),
        };
        if self.ends_transaction && !place.recorded {
            place.trace.unsampled_root_ended();
        } else if self.ends_transaction {
            let scopes = place.trace.scopes();
            let end = Change::End(ticks, status);
            place
                .trace
                .root_ended(SpanBuffer::default(), end, 0, scopes);
        } else {
            place.end(ticks, status);
        }
    }
}

impl Drop for OpenSpan {
    fn drop(&mut self) {
        if self.span.place.is_none() {
            return;
        }
        self.end(None, drop_status());
    }
}

impl Deref for OpenSpan {
    type Target = Span;

    fn deref(&self) -> &Span {
        &self.span
    }
}

/// Makes another span of the current task the current one again.
pub(super) struct Restore<'a> {
    pub(super) trace: &'a Arc<Trace>,
    pub(super) current: SpanNumber,
}

impl Drop for Restore<'_> {
    #[inline]
    fn drop(&mut self) {
        in_task_of(self.trace, |spans| Some(spans.set_current(self.current)));
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

impl fmt::Debug for OpenSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OpenSpan").field(&self.span).finish()
    }
}
