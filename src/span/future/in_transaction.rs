//! Futures that are polled and dropped in a scope of their own.

use std::mem;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use pin_project::{pin_project, pinned_drop};

use super::record_err::RecordErr;
use crate::poll::poll_and_drop;
use crate::propagation::IncomingTrace;
use crate::span::open_scope::OpenScope;
use crate::span::start::NewTransaction;
use crate::span::transaction::TransactionBuilder;
use crate::task::{Context, TaskScope};

/// The future returned by [`Instrument::in_transaction`](crate::Instrument::in_transaction).
#[pin_project]
#[must_use = "nothing runs, or is measured, until this future is polled"]
pub struct InTransaction<F> {
    // The context counts where nothing is current at the first poll.
    start: Option<(NewTransaction, Option<Context>)>,
    #[pin]
    scoped: Scoped<F>,
}

/// The future returned by [`Instrument::in_current_scope`](crate::Instrument::in_current_scope),
/// [`Instrument::in_scope_of`](crate::Instrument::in_scope_of), [`Instrument::with_client`](crate::Instrument::with_client),
/// [`Instrument::continue_trace`](crate::Instrument::continue_trace) and
/// [`Instrument::start_new_trace`](crate::Instrument::start_new_trace).
#[pin_project]
#[must_use = "nothing runs, or is measured, until this future is polled"]
pub struct InScope<F> {
    start: Option<Start>,
    #[pin]
    scoped: Scoped<F>,
}

/// What a future is polled in from its first poll on.
enum Start {
    /// What was current when it was wrapped.
    Context(Context),
    /// The trace that came in, or a new one: where the first poll is, and else as when it was wrapped.
    Trace(Option<IncomingTrace>, Option<Context>),
}

impl TransactionBuilder {
    /// Wraps a future, whose first poll starts the transaction. See
    /// [`Instrument::in_transaction`](crate::Instrument::in_transaction).
    pub fn instrument<F: Future>(self, future: F) -> InTransaction<F> {
        InTransaction::new(Context::current(), self, future)
    }
}

impl<F> InTransaction<F> {
    pub(crate) fn new(wrapped_in: Option<Context>, start: TransactionBuilder, future: F) -> Self {
        Self {
            start: Some((start.new, wrapped_in)),
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
        if let Some((new, context)) = this.start {
            let scope = new.open(Context::current_or(context), None);
            this.scoped.as_mut().open(scope);
            *this.start = None;
        }
        this.scoped.poll(cx)
    }
}

impl<F> InScope<F> {
    pub(crate) fn new(context: Option<Context>, future: F) -> Self {
        Self {
            start: context.map(Start::Context),
            scoped: Scoped::new(future),
        }
    }

    pub(crate) fn in_trace(incoming: Option<IncomingTrace>, future: F) -> Self {
        Self {
            start: Some(Start::Trace(incoming, Context::current())),
            scoped: Scoped::new(future),
        }
    }
}

impl<F: Future> Future for InScope<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        if let Some(start) = this.start.take() {
            let context = match start {
                Start::Context(context) => context,
                Start::Trace(incoming, context) => {
                    let context = Context::current().or(context).unwrap_or_default();
                    context.in_trace(incoming.as_ref())
                }
            };
            this.scoped.as_mut().open(Some(context.open()));
        }
        this.scoped.poll(cx)
    }
}

/// A future with the scope that it is polled and dropped in.
#[pin_project(PinnedDrop)]
struct Scoped<F> {
    scope: OpenScope,
    #[pin]
    inner: Option<F>,
}

impl<F> Scoped<F> {
    fn map<G>(mut self, f: impl FnOnce(F) -> G) -> Scoped<G> {
        Scoped {
            scope: mem::take(&mut self.scope),
            inner: self.inner.take().map(f),
        }
    }

    fn new(inner: F) -> Self {
        Self {
            scope: OpenScope::default(),
            inner: Some(inner),
        }
    }

    fn open(self: Pin<&mut Self>, scope: Option<Box<TaskScope>>) {
        *self.project().scope = OpenScope::new(scope);
    }
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        let output = ready!(this.scope.run(|| poll_and_drop(this.inner.as_mut(), cx)));
        this.scope.end();
        Poll::Ready(output)
    }
}

#[pinned_drop]
impl<F> PinnedDrop for Scoped<F> {
    fn drop(self: Pin<&mut Self>) {
        let mut this = self.project();
        if this.inner.is_some() {
            this.scope.cancel(|| this.inner.set(None));
        }
    }
}
