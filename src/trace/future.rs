//! Futures that carry a transaction, a span or a scope with them.

use std::borrow::Cow;
use std::fmt;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use pin_project::{pin_project, pinned_drop};

use super::builder::{SpanBuilder, TransactionBuilder, span, transaction};
use super::context::Context;
use super::record::SpanNumber;
use super::span::{Place, Span, current_span};
use super::task::{DropAs, TaskSpans, in_task_of, set_dropped_as};
use crate::client::Client;
use crate::clock::Ticks;
use crate::protocol::SpanStatus;
use crate::scope::task::{self, TaskScope};

/// Attaches transactions, spans and scopes to futures.
pub trait Instrument: Future + Sized {
    /// Runs the future as a transaction, from its first poll until it is ready.
    ///
    /// `op` is the kind of work, such as `task`; `name` is what transactions
    /// are grouped by, so leave identifiers out of it. All spans below land in
    /// its tree, until 1,000 of them ([`Options::max_spans`](crate::Options::max_spans)).
    /// See [`transaction`](crate::transaction) for more to set, and for what
    /// happens inside of another transaction.
    ///
    /// ```
    /// # use taskspan::{Instrument, Options};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # let (client, sent) = taskspan::test::client(Options::default().traces_sample_rate(1.0));
    /// async fn import() -> usize {
    ///     3
    /// }
    ///
    /// let work = import().in_transaction("task", "import items");
    /// # let work = work.with_client(&client);
    /// assert_eq!(work.await, 3);
    /// # assert_eq!(sent.tree(), "task import items (ok)\n");
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped before it is ready ends the transaction, as
    /// `cancelled`. One that panics ends it as `internal_error`, and the panic goes on.
    fn in_transaction(
        self,
        op: impl Into<Cow<'static, str>>,
        name: impl Into<Cow<'static, str>>,
    ) -> InTransaction<Self> {
        transaction(op, name).instrument(self)
    }

    /// Runs the future as a span, from its first poll until it is ready.
    ///
    /// The span lies below the one that is current at the first poll, or where
    /// none is, below the one that was current when this was called; so a
    /// spawned future stays in the transaction. Being polled is free: nothing
    /// is recorded for it.
    ///
    /// ```
    /// # use taskspan::{Instrument, Options};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # let (client, sent) = taskspan::test::client(Options::default().traces_sample_rate(1.0));
    /// async {
    ///     let load = async { 3 };
    ///     let rows = load.in_span("db.query", "SELECT * FROM items").await;
    ///     assert_eq!(rows, 3);
    /// }
    /// .in_transaction("task", "import")
    /// .with_client(&client)
    /// .await;
    /// # assert_eq!(sent.transactions()[0].spans[0].op, "db.query");
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped before it is ready ends the span, as
    /// `cancelled`. One that panics ends it as `internal_error`, and the panic goes on.
    fn in_span(
        self,
        op: impl Into<Cow<'static, str>>,
        description: impl Into<Cow<'static, str>>,
    ) -> InSpan<Self> {
        span(op, description).instrument(self)
    }

    /// Keeps the future in the transaction, span and scope that are current now.
    ///
    /// For tasks that are spawned, on any executor. What they set on their
    /// scope is theirs alone. A task that outlives its transaction is sent as a
    /// transaction of its own, in the same trace.
    fn in_current_scope(self) -> InScope<Self> {
        InScope::new(Context::current(), self)
    }

    /// Runs the future with `span` as the current span. The span does not end by that.
    fn in_scope_of(self, span: &Span) -> InScope<Self> {
        let context = match &span.place {
            None => Context::current(),
            Some(place) => Some(Context {
                client: None,
                parent: Some((Arc::clone(&place.trace), place.number)),
                scope: task::current_scope(),
            }),
        };
        InScope::new(context, self)
    }

    /// Makes the transactions of the future those of a client that is not installed.
    ///
    /// It has to be outside of them, so it stands after `in_transaction`. The
    /// future leaves the transaction that is current now, if there is one.
    fn with_client(self, client: &Client) -> InScope<Self> {
        let context = Context {
            client: Some(client.clone()),
            parent: None,
            scope: task::current_scope(),
        };
        InScope::new(Some(context), self)
    }

    /// Sets the status of the current span to `internal_error` if the future is ready with an `Err`.
    ///
    /// It may stand before [`in_span`](Self::in_span) and
    /// [`in_transaction`](Self::in_transaction) or right behind them; either way it is about the
    /// span that they carry.
    ///
    /// ```
    /// # use taskspan::Instrument;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let load = async { Err::<(), _>("no such table") };
    /// let result = load.in_span("db.query", "SELECT * FROM items").record_err().await;
    /// assert_eq!(result, Err("no such table"));
    /// # }
    /// ```
    fn record_err<T, E>(self) -> RecordErr<Self>
    where
        Self: Future<Output = Result<T, E>>,
    {
        RecordErr::new(self)
    }
}

impl<F: Future> Instrument for F {}

/// The future returned by [`Instrument::in_transaction`].
#[pin_project]
#[must_use = "nothing runs, or is measured, until this future is polled"]
pub struct InTransaction<F> {
    // The context counts where nothing is current at the first poll.
    start: Option<(TransactionBuilder, Option<Context>)>,
    #[pin]
    scoped: Scoped<F>,
}

/// The future returned by [`Instrument::in_current_scope`],
/// [`Instrument::in_scope_of`] and [`Instrument::with_client`].
#[pin_project]
#[must_use = "nothing runs, or is measured, until this future is polled"]
pub struct InScope<F> {
    context: Option<Context>,
    #[pin]
    scoped: Scoped<F>,
}

/// The future returned by [`Instrument::in_span`].
#[pin_project(PinnedDrop)]
#[must_use = "nothing runs, or is measured, until this future is polled"]
pub struct InSpan<F> {
    carried: CarriedSpan,
    #[pin]
    inner: Option<F>,
}

/// The future returned by [`Instrument::record_err`].
#[pin_project]
#[must_use = "futures do nothing unless polled"]
pub struct RecordErr<F> {
    #[pin]
    inner: F,
}

/// The span of an [`InSpan`].
struct CarriedSpan {
    stage: Stage,
    /// What is started at the first poll.
    span: SpanBuilder,
    /// Where the span is, and before it starts where its parent is, which
    /// counts if nothing is current at the first poll.
    place: Option<Place>,
    /// What the future is polled in away from its trace.
    own: Option<Box<TaskScope>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Stage {
    /// Not polled yet.
    Waiting,
    /// Recorded, and not ended.
    Running,
    /// Not recorded, or ended.
    Idle,
}

impl<F> InTransaction<F> {
    pub(super) fn new(start: TransactionBuilder, future: F) -> Self {
        Self {
            start: Some((start, Context::current())),
            scoped: Scoped::new(future),
        }
    }
}

impl<F: Future> InTransaction<F> {
    /// Sets the status of this transaction to `internal_error` if the future is ready with an `Err`.
    pub fn record_err<T, E>(self) -> InTransaction<RecordErr<F>>
    where
        F: Future<Output = Result<T, E>>,
    {
        InTransaction {
            start: self.start,
            scoped: self.scoped.map(RecordErr::new),
        }
    }
}

impl<F: Future> Future for InTransaction<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        if let Some(start) = this.start.take() {
            let (builder, context) = start;
            this.scoped
                .as_mut()
                .open(builder.open(Context::current().or(context)));
        }
        this.scoped.poll(cx)
    }
}

impl<F> InScope<F> {
    fn new(context: Option<Context>, future: F) -> Self {
        Self {
            context,
            scoped: Scoped::new(future),
        }
    }
}

impl<F: Future> Future for InScope<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        if let Some(context) = this.context.take() {
            this.scoped.as_mut().open(Some(context.open()));
        }
        this.scoped.poll(cx)
    }
}

impl<F: Future> InSpan<F> {
    /// Sets the status of this span to `internal_error` if the future is ready with an `Err`.
    pub fn record_err<T, E>(mut self) -> InSpan<RecordErr<F>>
    where
        F: Future<Output = Result<T, E>>,
    {
        let inner = self.inner.take().map(RecordErr::new);
        InSpan {
            carried: mem::replace(&mut self.carried, CarriedSpan::nothing()),
            inner,
        }
    }
}

impl<F> InSpan<F> {
    #[inline]
    pub(super) fn new(span: SpanBuilder, future: F) -> Self {
        Self {
            carried: CarriedSpan::new(span),
            inner: Some(future),
        }
    }
}

impl<F: Future> Future for InSpan<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<F::Output> {
        let this = self.project();
        let mut polling = this.carried.enter();
        let output = poll_and_drop(this.inner, cx);
        if output.is_ready() {
            polling.end_as = Some(SpanStatus::Ok);
        } else {
            polling.end_as = None;
        }
        output
    }
}

#[pinned_drop]
impl<F> PinnedDrop for InSpan<F> {
    #[inline]
    fn drop(self: Pin<&mut Self>) {
        let mut this = self.project();
        if this.inner.is_some() && this.carried.stage != Stage::Waiting {
            let mut polling = this.carried.enter();
            cancel(|| this.inner.set(None));
            polling.end_as = Some(SpanStatus::Cancelled);
        }
    }
}

impl CarriedSpan {
    fn nothing() -> Self {
        Self {
            stage: Stage::Idle,
            span: span("", ""),
            place: None,
            own: None,
        }
    }

    #[inline]
    fn new(span: SpanBuilder) -> Self {
        let place = current_span().and_then(|span| span.place);
        Self {
            stage: Stage::Waiting,
            span,
            place,
            own: None,
        }
    }

    /// Makes the span the current one. It starts now if it has not yet.
    #[inline]
    fn enter(&mut self) -> Polling<'_> {
        let entry = match (self.stage, &self.place) {
            (Stage::Waiting, _) => self.start(),
            (Stage::Running, Some(place)) => {
                let before =
                    in_task_of(&place.trace, |spans| Some(spans.set_current(place.number)));
                before.map_or_else(|| self.enter_own(), |before| Entry::Here { before })
            }
            _ if self.own.is_none() => Entry::Nothing,
            _ => self.enter_own(),
        };
        Polling {
            carried: self,
            entry,
            end_as: Some(SpanStatus::InternalError),
        }
    }

    /// Enters what the future is polled in away from its trace.
    #[cold]
    fn enter_own(&mut self) -> Entry {
        if let (None, Some(place)) = (&self.own, &self.place) {
            self.own = Some(place.task_scope());
        }
        task::swap(&mut self.own);
        Entry::Own
    }

    /// Starts the span in the task that polls, or in one of its own, if there
    /// is anything that it could be a part of.
    #[inline(never)]
    fn start(&mut self) -> Entry {
        self.stage = Stage::Idle;
        if let Some(parent) = self.span.take_parent() {
            return self.start_below(parent);
        }
        match task::with(|task| Some(self.start_in(task.spans.as_mut()?))) {
            Some(before) => Entry::Here { before },
            None => match self.place.take() {
                Some(parent) => self.start_in_own(parent),
                None => Entry::Nothing,
            },
        }
    }

    /// Starts the span in a task and tells which one was current there.
    #[inline(always)]
    fn start_in(&mut self, spans: &mut TaskSpans) -> SpanNumber {
        let before = spans.current();
        let reference = self.place.take();
        if !spans.is_sampled() {
            if let Some(place) = reference {
                spans.take_back(place.trace);
            }
            return before;
        }
        let place = spans.start(&mut self.span, reference);
        if place.recorded {
            spans.set_current(place.number);
            self.stage = Stage::Running;
            self.place = Some(place);
        } else {
            spans.take_back(place.trace);
        }
        before
    }

    #[cold]
    fn start_below(&mut self, parent: Place) -> Entry {
        let here = in_task_of(&parent.trace, |spans| {
            let before = spans.set_current(parent.number);
            self.start_in(spans);
            if self.stage == Stage::Idle {
                spans.set_current(before);
            }
            Some(before)
        });
        match here {
            Some(before) => Entry::Here { before },
            None => self.start_in_own(parent),
        }
    }

    #[cold]
    fn start_in_own(&mut self, parent: Place) -> Entry {
        let Place { trace, number, .. } = parent;
        let scope = trace.scope();
        let mut spans = TaskSpans::below(trace, number, false);
        self.start_in(&mut spans);
        self.own = Some(TaskScope::new(None, Some(spans), scope));
        task::swap(&mut self.own);
        Entry::Own
    }

    /// Makes current what was before, and ends the span if there is a status for it.
    #[inline]
    fn leave(&mut self, entry: &Entry, end_as: Option<SpanStatus>) {
        match (entry, end_as) {
            (Entry::Nothing, _) => {}
            (Entry::Here { before }, None) => self.pause(*before),
            (Entry::Here { before }, Some(status)) => self.end_here(*before, status),
            (Entry::Own, end_as) => {
                task::swap(&mut self.own);
                if let Some(status) = end_as {
                    self.end_away(status);
                }
            }
        }
    }

    #[inline]
    fn pause(&self, before: SpanNumber) {
        task::with(|task| {
            task.spans.as_mut()?.set_current(before);
            Some(())
        });
    }

    #[inline(never)]
    fn end_here(&mut self, before: SpanNumber, status: SpanStatus) {
        self.stage = Stage::Idle;
        task::with(|task| {
            let spans = task.spans.as_mut()?;
            spans.set_current(before);
            spans.end(self.place.take()?, status);
            Some(())
        });
        self.own = None;
    }

    #[cold]
    fn end_away(&mut self, status: SpanStatus) {
        if let Some(place) = self.place.take() {
            let in_own = self.own.as_mut().and_then(|own| own.spans.as_mut());
            match in_own {
                Some(spans) => spans.end(place, status),
                None => place.end(Ticks::now(), status),
            }
        }
        self.stage = Stage::Idle;
        self.own = None;
    }
}

/// Where a poll found its span to belong.
enum Entry {
    /// To the task that polls, whose current span was this one before.
    Here { before: SpanNumber },
    /// To another trace than that of the task that polls.
    Own,
    /// Nowhere.
    Nothing,
}

/// A span that is current until this is dropped.
struct Polling<'a> {
    carried: &'a mut CarriedSpan,
    entry: Entry,
    /// How the span ends with it. Only a panic finds it as it is at the start.
    end_as: Option<SpanStatus>,
}

impl Drop for Polling<'_> {
    #[inline]
    fn drop(&mut self) {
        self.carried.leave(&self.entry, self.end_as);
    }
}

/// Calls `f`, which drops a future that was not ready.
fn cancel(f: impl FnOnce()) {
    let before = set_dropped_as(SpanStatus::Cancelled);
    f();
    if let Some(before) = before {
        set_dropped_as(before);
    }
}

impl<F> RecordErr<F> {
    fn new(inner: F) -> Self {
        Self { inner }
    }
}

impl<F, T, E> Future for RecordErr<F>
where
    F: Future<Output = Result<T, E>>,
{
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let result = ready!(self.project().inner.poll(cx));
        if result.is_err()
            && let Some(span) = current_span()
        {
            span.set_status(SpanStatus::InternalError);
        }
        Poll::Ready(result)
    }
}

/// Polls a future and drops it once it is ready: what it holds ends before what is around it does.
#[inline]
fn poll_and_drop<F: Future>(
    mut future: Pin<&mut Option<F>>,
    cx: &mut TaskContext<'_>,
) -> Poll<F::Output> {
    let polled = future
        .as_mut()
        .as_pin_mut()
        .expect("a future is not polled after it was ready");
    let output = ready!(polled.poll(cx));
    future.set(None);
    Poll::Ready(output)
}

/// A future with a slot for the scope that it is polled and dropped in.
#[pin_project(PinnedDrop)]
struct Scoped<F> {
    scope: Option<Box<TaskScope>>,
    #[pin]
    inner: Option<F>,
}

impl<F> Scoped<F> {
    fn map<G>(mut self, f: impl FnOnce(F) -> G) -> Scoped<G> {
        Scoped {
            scope: self.scope.take(),
            inner: self.inner.take().map(f),
        }
    }

    fn new(inner: F) -> Self {
        Self {
            scope: None,
            inner: Some(inner),
        }
    }

    fn open(self: Pin<&mut Self>, scope: Option<Box<TaskScope>>) {
        *self.project().scope = scope;
    }
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        if this.scope.is_none() {
            return poll_and_drop(this.inner, cx);
        }
        let output = {
            let _entered = task::enter(this.scope);
            let unwinding = DropAs(SpanStatus::InternalError);
            let output = poll_and_drop(this.inner.as_mut(), cx);
            mem::forget(unwinding);
            ready!(output)
        };
        *this.scope = None;
        Poll::Ready(output)
    }
}

#[pinned_drop]
impl<F> PinnedDrop for Scoped<F> {
    fn drop(self: Pin<&mut Self>) {
        let mut this = self.project();
        if this.scope.is_some() && this.inner.is_some() {
            let _entered = task::enter(this.scope);
            // A future that has panicked is dropped as that.
            if set_dropped_as(SpanStatus::Cancelled) == Some(SpanStatus::InternalError) {
                set_dropped_as(SpanStatus::InternalError);
            }
            this.inner.set(None);
        }
    }
}

macro_rules! debug_as_name {
    ($($name:ident)*) => {$(
        impl<F> fmt::Debug for $name<F> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )*};
}

debug_as_name!(InTransaction InScope InSpan RecordErr);
