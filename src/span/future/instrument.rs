//! Futures that carry a transaction, a span or a scope with them.

use std::borrow::Cow;
use std::fmt;

use super::in_span::InSpan;
use super::in_transaction::{InScope, InTransaction};
use super::record_err::RecordErr;
use super::with_scope::WithScope;
use crate::client::Client;
use crate::propagation::IncomingTrace;
use crate::scope::Scope;
use crate::span::builder::span;
use crate::span::span::Span;
use crate::span::transaction::transaction;
use crate::task::{Context, Layer};
use crate::trace::SpanLocation;

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
        InTransaction::new(Context::current(), transaction(op, name), self)
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
        InSpan::new(SpanLocation::current(), span(op, description), self)
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
        let context = match &span.location {
            None => Context::current(),
            Some(location) => Some(Context::below(location)),
        };
        InScope::new(context, self)
    }

    /// Makes the transactions of the future those of a client that is not installed.
    ///
    /// It has to be outside of them, so it stands after `in_transaction`. The
    /// future leaves the transaction that is current now, if there is one.
    fn with_client(self, client: &Client) -> InScope<Self> {
        InScope::new(Some(Context::of_client(client)), self)
    }

    /// Runs the future in the trace that came in, or in a new one if it can't be continued.
    ///
    /// No span is started by that. See [`continue_trace`](crate::continue_trace) for what it does,
    /// and [`TransactionBuilder::continue_trace`](crate::TransactionBuilder::continue_trace) for a
    /// single transaction. It has to be outside of the transactions, so it stands after
    /// `in_transaction`.
    fn continue_trace(self, incoming: &IncomingTrace) -> InScope<Self> {
        InScope::in_trace(Some(incoming.clone()), self)
    }

    /// Runs the future in a trace of its own. See [`start_new_trace`](crate::start_new_trace).
    fn start_new_trace(self) -> InScope<Self> {
        InScope::in_trace(None, self)
    }

    /// Runs the future in a scope of its own, which `configure` may change before its first poll.
    ///
    /// See [`with_scope`](crate::with_scope). It has to be outside of the transactions that it is
    /// to hold for, so it stands after `in_transaction`.
    ///
    /// ```
    /// # use taskspan::{Instrument, Options};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # let (client, sent) = taskspan::test::client(Options::default().traces_sample_rate(1.0));
    /// let work = async {}.in_transaction("task", "retry");
    /// work.with_scope(|scope| scope.set_tag("attempt", 2))
    /// #   .with_client(&client)
    ///     .await;
    /// # assert_eq!(sent.transactions()[0].tags["attempt"], "2");
    /// # }
    /// ```
    fn with_scope<C: FnOnce(&mut Scope)>(self, configure: C) -> WithScope<Self, C> {
        WithScope::new(Layer::Current, configure, self)
    }

    /// Runs the future in an isolation scope of its own, which `configure` may change before its
    /// first poll.
    ///
    /// See [`with_isolation_scope`](crate::with_isolation_scope).
    fn with_isolation_scope<C: FnOnce(&mut Scope)>(self, configure: C) -> WithScope<Self, C> {
        WithScope::new(Layer::Isolation, configure, self)
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

impl<F, C> fmt::Debug for WithScope<F, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WithScope").finish_non_exhaustive()
    }
}
