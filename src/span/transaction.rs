//! Describing transactions.

use std::borrow::Cow;
use std::time::SystemTime;

use serde::Serialize;

#[cfg(any(feature = "_http-server", feature = "apalis"))]
use super::open_scope::OpenScope;
use super::open_span::OpenSpan;
use super::span::Span;
#[cfg(feature = "_http-server")]
use super::start::Arrival;
use super::start::{NewTransaction, Started};
#[cfg(any(feature = "_http-server", feature = "apalis"))]
use crate::client::Client;
use crate::propagation::IncomingTrace;
use crate::protocol::{Request, SpanStatus, TransactionSource};
use crate::record::NO_TASK;
use crate::task::{Context, DropAs, slot};
use crate::trace::SpanLocation;

/// A transaction that has not started yet. See [`transaction`].
#[derive(Clone, Debug)]
#[must_use = "a transaction starts with `in_scope`, `instrument` or `start`"]
pub struct TransactionBuilder {
    pub(super) new: NewTransaction,
}

/// Describes a transaction: what kind of work it is, and the name it is grouped by.
///
/// Inside of another transaction it is sent as one of its own, in the same
/// trace and under the current span, sampled as that one is.
///
/// ```
/// # use taskspan::{Options, TransactionSource};
/// let sum = taskspan::transaction("cli", "add")
///     .source(TransactionSource::Task)
///     .in_scope(|transaction| {
///         transaction.set_data("numbers", 2);
///         1 + 1
///     });
/// assert_eq!(sum, 2);
/// ```
pub fn transaction(
    op: impl Into<Cow<'static, str>>,
    name: impl Into<Cow<'static, str>>,
) -> TransactionBuilder {
    TransactionBuilder {
        new: NewTransaction {
            op: op.into(),
            name: name.into(),
            origin: "manual",
            source: TransactionSource::Custom,
            more: None,
        },
    }
}

impl TransactionBuilder {
    /// Tells what the name is made of, [`TransactionSource::Custom`] by default.
    pub fn source(mut self, source: TransactionSource) -> Self {
        self.new.source = source;
        self
    }

    /// Makes it start at a time in the past. By default it starts when it is started.
    pub fn start_time(mut self, time: SystemTime) -> Self {
        self.new.more().start = Some(time);
        self
    }

    /// Tells who records the transaction, `manual` by default. See
    /// [`SpanBuilder::origin`](crate::SpanBuilder::origin).
    pub fn origin(mut self, origin: &'static str) -> Self {
        self.new.origin = origin;
        self
    }

    /// Decides whether the transaction is recorded, over any sampler and rate and over what was
    /// decided by a caller or for a transaction around it.
    pub fn sampled(mut self, sampled: bool) -> Self {
        self.new.more().sampled = Some(sampled);
        self
    }

    /// Makes it part of the trace that came in, if that can be continued, and else of a new one.
    ///
    /// It is then not a part of any transaction around it. Whether it is recorded is what the
    /// caller decided, unless [`sampled`](Self::sampled) or a
    /// [`traces_sampler`](crate::Options::traces_sampler) says otherwise.
    pub fn continue_trace(mut self, incoming: &IncomingTrace) -> Self {
        self.new.more().incoming = Some(incoming.clone());
        self
    }

    /// Sets an attribute of its root from the start, so that a
    /// [`traces_sampler`](crate::Options::traces_sampler) can decide by it.
    ///
    /// Otherwise it is as [`Span::set_data`].
    pub fn data(mut self, key: impl Into<Cow<'static, str>>, value: impl Serialize) -> Self {
        let value = serde_json::to_value(value).unwrap_or_else(|error| error.to_string().into());
        self.new.more().attributes.push((key.into(), value));
        self
    }

    /// Sets the HTTP request that it answers from the start, so that a
    /// [`traces_sampler`](crate::Options::traces_sampler) can decide by it.
    ///
    /// Otherwise it is as [`set_request`](crate::set_request).
    pub fn request(mut self, request: Request) -> Self {
        self.new.more().request = Some(request);
        self
    }

    /// Gives a value to the [`traces_sampler`](crate::Options::traces_sampler), one of each type.
    ///
    /// It is not sent. The sampler finds it by its type:
    /// [`SamplingContext::custom`](crate::SamplingContext::custom).
    pub fn sampling_value<T: Clone + Send + Sync + 'static>(mut self, value: T) -> Self {
        self.new.more().custom.insert(value);
        self
    }

    /// Starts the transaction, calls `f` with its root as the current span, and ends it.
    ///
    /// It ends as `ok` unless `f` sets another status, and as `internal_error`
    /// if `f` panics; the panic goes on.
    pub fn in_scope<R>(mut self, f: impl FnOnce(&Span) -> R) -> R {
        let mut scope = self.new.open(Context::current(), None);
        if scope.is_none() {
            return f(&Span::none());
        }
        let result = {
            let _entered = slot::enter(&mut scope);
            let unwinding = DropAs(SpanStatus::InternalError);
            let result = match super::current_transaction() {
                Some(root) => f(&root),
                None => f(&Span::none()),
            };
            std::mem::forget(unwinding);
            result
        };
        drop(scope);
        result
    }

    /// Starts the transaction and returns its root, for work that is neither a closure nor a future.
    ///
    /// The scope data of the current task is copied now. Run futures below the root with
    /// [`Instrument::in_scope_of`](crate::Instrument::in_scope_of): the scope data that they
    /// leave behind becomes the transaction's.
    pub fn start(mut self) -> OpenSpan {
        let Some(started) = self.new.begin(Context::current(), None, NO_TASK) else {
            return OpenSpan::new(Span::none());
        };
        let Started {
            trace,
            buffer,
            context,
        } = started;
        {
            let mut mailbox = trace.mailbox();
            let mailbox = mailbox.get_or_insert_default();
            mailbox.scopes = context.scopes;
            mailbox.buffer = buffer;
        }
        OpenSpan::root(SpanLocation::root(trace))
    }

    /// Starts the transaction under a client or the one of where it is, for work that comes in pieces.
    #[cfg(feature = "apalis")]
    pub(crate) fn open_under(mut self, client: Option<&Client>) -> OpenScope {
        OpenScope::new(self.new.open(context_under(client), None))
    }

    /// Starts the transaction of a request that has arrived, under a client or the one of where it is.
    ///
    /// What only asks for options is none, but goes on with its trace.
    #[cfg(feature = "_http-server")]
    pub(crate) fn answer(mut self, client: Option<&Client>, arrival: Arrival<'_>) -> OpenScope {
        let mut context = context_under(client);
        if arrival.request.method() == Some("OPTIONS") {
            let mut here = context.take().unwrap_or_default();
            here.client = here.take_client();
            if here
                .client
                .as_ref()
                .is_some_and(|it| !it.traces_options_requests())
            {
                let scope = here.in_trace(Some(arrival.incoming)).open();
                return OpenScope::new(Some(scope));
            }
            context = Some(here);
        }
        OpenScope::new(self.new.open(context, Some(arrival)))
    }
}

/// What is known under a client, or else here.
#[cfg(any(feature = "_http-server", feature = "apalis"))]
fn context_under(client: Option<&Client>) -> Option<Context> {
    match client {
        Some(client) => Some(Context::of_client(client)),
        None => Context::current(),
    }
}
