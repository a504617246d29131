//! Starting transactions.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use super::Trace;
use super::buffer::SpanBuffer;
use super::context::Context;
use super::future::InTransaction;
use super::record::{Record, SpanNumber};
use super::sampling::Sampling;
use super::shared::{NO_TASK, ROOT_TASK};
use super::span::{OpenSpan, Place, Span};
use super::task::{DropAs, TaskSpans};
use crate::client::{self, Client};
use crate::clock::Anchor;
use crate::diagnostics::{self, Topic};
use crate::id::TraceId;
use crate::protocol::{SpanStatus, TransactionSource};
use crate::scope::Scope;
use crate::scope::task::{self, TaskScope};

/// A transaction that has not started yet. See [`transaction`].
#[derive(Clone, Debug)]
#[must_use = "a transaction starts with `in_scope`, `instrument` or `start`"]
pub struct TransactionBuilder {
    op: Cow<'static, str>,
    name: Cow<'static, str>,
    origin: &'static str,
    source: TransactionSource,
    start: Option<SystemTime>,
    sampled: Option<bool>,
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
        op: op.into(),
        name: name.into(),
        origin: "manual",
        source: TransactionSource::Custom,
        start: None,
        sampled: None,
    }
}

impl TransactionBuilder {
    /// Tells what the name is made of, [`TransactionSource::Custom`] by default.
    pub fn source(mut self, source: TransactionSource) -> Self {
        self.source = source;
        self
    }

    /// Makes it start at a time in the past. By default it starts when it is started.
    pub fn start_time(mut self, time: SystemTime) -> Self {
        self.start = Some(time);
        self
    }

    /// Tells who records the transaction, `manual` by default. See
    /// [`SpanBuilder::origin`](crate::SpanBuilder::origin).
    pub fn origin(mut self, origin: &'static str) -> Self {
        self.origin = origin;
        self
    }

    /// Decides whether the transaction is recorded, over any sampling rate and
    /// over what was decided for a transaction around it.
    pub fn sampled(mut self, sampled: bool) -> Self {
        self.sampled = Some(sampled);
        self
    }

    /// Starts the transaction, calls `f` with its root as the current span, and ends it.
    ///
    /// It ends as `ok` unless `f` sets another status, and as `internal_error`
    /// if `f` panics; the panic goes on.
    pub fn in_scope<R>(self, f: impl FnOnce(&Span) -> R) -> R {
        let mut scope = self.open(Context::current());
        if scope.is_none() {
            return f(&Span::none());
        }
        let result = {
            let _entered = task::enter(&mut scope);
            let unwinding = DropAs(SpanStatus::InternalError);
            let result = match super::current_span() {
                Some(root) => f(&root),
                None => f(&Span::none()),
            };
            std::mem::forget(unwinding);
            result
        };
        drop(scope);
        result
    }

    /// Wraps a future, whose first poll starts the transaction. See
    /// [`Instrument::in_transaction`](crate::Instrument::in_transaction).
    pub fn instrument<F: Future>(self, future: F) -> InTransaction<F> {
        InTransaction::new(self, future)
    }

    /// Starts the transaction and returns its root, for work that is neither a closure nor a future.
    ///
    /// The scope data of the current task is copied now. Run futures below the root with
    /// [`Instrument::in_scope_of`](crate::Instrument::in_scope_of): the scope data that they
    /// leave behind becomes the transaction's.
    pub fn start(self) -> OpenSpan {
        let Some((trace, record, scope)) = self.trace(Context::current(), NO_TASK) else {
            return OpenSpan::new(Span::none());
        };
        let (number, recorded) = (trace.root, trace.sampling.sampled);
        {
            let mut shared = trace.shared();
            let shared = shared.get_or_insert_default();
            shared.scope = scope;
            if recorded {
                shared.buffer.records.push(record);
            }
        }
        OpenSpan::root(Place {
            trace,
            number,
            recorded,
        })
    }

    /// Starts the transaction as a task of its own.
    pub(super) fn open(self, context: Option<Context>) -> Option<Box<TaskScope>> {
        let (trace, record, scope) = self.trace(context, ROOT_TASK)?;
        let mut buffer = SpanBuffer::default();
        if trace.sampling.sampled {
            buffer = trace.client.buffers().take();
            buffer.records.push(record);
        }
        Some(TaskScope::new(
            None,
            Some(TaskSpans::of_root(trace, buffer)),
            scope,
        ))
    }

    /// Decides about sampling and starts the clock.
    fn trace(self, context: Option<Context>, task: u32) -> Option<(Arc<Trace>, Record, Scope)> {
        let Context {
            client,
            parent,
            scope,
        } = context.unwrap_or_default();
        let client = match &parent {
            Some((trace, _)) => trace.client.clone(),
            None => client
                .or_else(client::installed)
                .filter(Client::is_enabled)
                .or_else(|| {
                    diagnostics::once(Topic::NoClient);
                    None
                })?,
        };
        let (id_seed, trace_id) = rand::random::<(u64, u128)>();
        let trace_id = match &parent {
            Some((trace, _)) => trace.trace_id,
            None => TraceId::from_random(trace_id),
        };
        let sampling = match &parent {
            Some((trace, _)) if self.sampled.is_none() => trace.sampling,
            _ => Sampling::decide(&client, trace_id, self.sampled),
        };
        let anchor = if sampling.sampled {
            Anchor::now()
        } else {
            Anchor::UNSAMPLED
        };
        let start = self
            .start
            .map_or(anchor.ticks(), |time| anchor.ticks_at(time));
        let root = SpanNumber::new(task, 0);
        let record = Record::new(self.op, self.name, self.origin, root, start);
        let trace = Trace {
            client,
            trace_id,
            id_seed,
            parent: parent.map(|(trace, number)| trace.span_id(number)),
            sampling,
            source: self.source,
            anchor,
            root,
            reserved: AtomicU32::new(0),
            changed_away: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            shared: Mutex::new(None),
        };
        Some((Arc::new(trace), record, scope))
    }
}
