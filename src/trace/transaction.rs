//! Starting transactions.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::SystemTime;

use http::Extensions;
use serde::Serialize;
use serde_json::Value;

use super::attributes::{self, Kind};
use super::buffer::SpanBuffer;
use super::context::Context;
use super::future::InTransaction;
use super::record::{Record, SpanNumber};
use super::sampler::SamplingContext;
use super::sampling::Sampling;
use super::shared::{NO_TASK, ROOT_TASK};
use super::span::{OpenSpan, Place, Span};
use super::task::{DropAs, TaskSpans};
use super::{Name, Trace};
use crate::clock::Anchor;
use crate::diagnostics::{self, Topic};
use crate::id::TraceId;
use crate::propagation::{IncomingTrace, SampleRand};
use crate::protocol::{Request, SpanStatus, TransactionSource};
use crate::scope::task::{self, TaskScope};

/// A transaction that has not started yet. See [`transaction`].
#[derive(Clone, Debug)]
#[must_use = "a transaction starts with `in_scope`, `instrument` or `start`"]
pub struct TransactionBuilder {
    op: Cow<'static, str>,
    name: Cow<'static, str>,
    origin: &'static str,
    source: TransactionSource,
    // What few transactions need is apart, so that the others are cheap to move.
    more: Option<Box<More>>,
}

#[derive(Clone, Debug, Default)]
struct More {
    start: Option<SystemTime>,
    sampled: Option<bool>,
    attributes: Vec<(Cow<'static, str>, Value)>,
    request: Option<Request>,
    custom: Extensions,
    incoming: Option<IncomingTrace>,
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
        more: None,
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
        self.more().start = Some(time);
        self
    }

    /// Tells who records the transaction, `manual` by default. See
    /// [`SpanBuilder::origin`](crate::SpanBuilder::origin).
    pub fn origin(mut self, origin: &'static str) -> Self {
        self.origin = origin;
        self
    }

    /// Decides whether the transaction is recorded, over any sampler and rate and over what was
    /// decided by a caller or for a transaction around it.
    pub fn sampled(mut self, sampled: bool) -> Self {
        self.more().sampled = Some(sampled);
        self
    }

    /// Makes it part of the trace that came in, if that can be continued, and else of a new one.
    ///
    /// It is then not a part of any transaction around it. Whether it is recorded is what the
    /// caller decided, unless [`sampled`](Self::sampled) or a
    /// [`traces_sampler`](crate::Options::traces_sampler) says otherwise.
    pub fn continue_trace(mut self, incoming: &IncomingTrace) -> Self {
        self.more().incoming = Some(incoming.clone());
        self
    }

    /// Sets an attribute of its root from the start, so that a
    /// [`traces_sampler`](crate::Options::traces_sampler) can decide by it.
    ///
    /// Otherwise it is as [`Span::set_data`].
    pub fn data(mut self, key: impl Into<Cow<'static, str>>, value: impl Serialize) -> Self {
        let value = serde_json::to_value(value).unwrap_or_else(|error| error.to_string().into());
        self.more().attributes.push((key.into(), value));
        self
    }

    /// Sets the HTTP request that it answers from the start, so that a
    /// [`traces_sampler`](crate::Options::traces_sampler) can decide by it.
    ///
    /// Otherwise it is as [`set_request`](crate::set_request).
    pub fn request(mut self, request: Request) -> Self {
        self.more().request = Some(request);
        self
    }

    /// Gives a value to the [`traces_sampler`](crate::Options::traces_sampler), one of each type.
    ///
    /// It is not sent. The sampler finds it by its type:
    /// [`SamplingContext::custom`](crate::SamplingContext::custom).
    pub fn sampling_value<T: Clone + Send + Sync + 'static>(mut self, value: T) -> Self {
        self.more().custom.insert(value);
        self
    }

    fn more(&mut self) -> &mut More {
        self.more.get_or_insert_default()
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
        let Some((trace, buffer, context)) = self.trace(Context::current(), NO_TASK) else {
            return OpenSpan::new(Span::none());
        };
        {
            let mut shared = trace.shared();
            let shared = shared.get_or_insert_default();
            shared.scopes = context.scopes;
            shared.buffer = buffer;
        }
        OpenSpan::root(Place::root(trace))
    }

    /// Starts the transaction as a task of its own.
    pub(super) fn open(self, context: Option<Context>) -> Option<Box<TaskScope>> {
        let (trace, buffer, context) = self.trace(context, ROOT_TASK)?;
        Some(Box::new(TaskScope {
            client: context.client,
            spans: Some(TaskSpans::of_root(trace, buffer)),
            propagation: context.propagation,
            scopes: context.scopes,
        }))
    }

    /// Decides about sampling and starts the clock.
    fn trace(
        self,
        context: Option<Context>,
        task: u32,
    ) -> Option<(Arc<Trace>, SpanBuffer, Context)> {
        let mut context = context.unwrap_or_default();
        let mut more = self.more;
        let incoming = more.as_mut().and_then(|more| more.incoming.take());
        if let Some(incoming) = &incoming {
            context = context.in_trace(Some(incoming));
        }
        let Some(client) = context.client() else {
            diagnostics::once(Topic::NoClient);
            return None;
        };
        let Context {
            client: bound,
            parent,
            propagation,
            mut scopes,
        } = context;
        let (id_seed, trace_id) = rand::random::<(u64, u128)>();
        let (around, continued) = match (parent, &propagation) {
            (Some(around), _) => (Some(around), None),
            (None, Some(trace)) => (None, Some(Arc::clone(trace))),
            (None, None) => (None, client.trace_at_start().cloned()),
        };
        let trace_id = match (&around, &continued) {
            (Some((around, _)), _) => around.trace_id,
            (None, Some(continued)) => continued.trace_id,
            (None, None) => TraceId::from_random(trace_id),
        };
        let explicit = more.as_ref().and_then(|more| more.sampled);
        let sampling = match &around {
            Some((around, _)) if explicit.is_none() => around.sampling,
            _ => {
                let rand = match (&around, &continued) {
                    (Some((around, _)), _) => around.sampling.rand,
                    (None, Some(continued)) => continued.rand,
                    (None, None) => SampleRand::of(trace_id),
                };
                let remote = continued.as_ref().and_then(|trace| trace.remote.as_ref());
                let known = more.as_deref();
                let context = SamplingContext {
                    name: &self.name,
                    op: &self.op,
                    origin: self.origin,
                    source: self.source,
                    attributes: known.map(|more| &*more.attributes).unwrap_or_default(),
                    request: known.and_then(|more| more.request.as_ref()),
                    custom: known.map(|more| &more.custom),
                    parent_sampled: remote.and_then(|remote| remote.sampled),
                    parent_sample_rate: remote.and_then(|remote| remote.rate),
                };
                Sampling::decide(&client, explicit, &context, rand)
            }
        };
        let recorded = sampling.sampled || client.has_spotlight();
        let anchor = if recorded {
            Anchor::now()
        } else {
            Anchor::UNRECORDED
        };
        let mut start = anchor.ticks();
        if let Some(more) = &mut more {
            start = more.start.map_or(start, |time| anchor.ticks_at(time));
            if let Some(request) = more.request.take().filter(|_| recorded) {
                scopes.isolation.set_request(request);
            }
        }
        let root = SpanNumber::new(task, 0);
        let record = Record::new(self.op, Cow::Borrowed(""), self.origin, root, start);
        let parent = match (&around, &continued) {
            (Some((around, number)), _) => Some(around.span_id(*number)),
            (None, Some(continued)) => continued.remote.as_ref().map(|remote| remote.span_id),
            (None, None) => None,
        };
        let head = around
            .filter(|_| explicit.is_none())
            .map(|(around, _)| around);
        let trace = Trace {
            client,
            trace_id,
            id_seed,
            parent,
            sampling,
            recorded,
            name: Mutex::new(Name {
                text: self.name,
                source: self.source,
            }),
            head,
            continued,
            frozen: OnceLock::new(),
            anchor,
            root,
            reserved: AtomicU32::new(0),
            changed_away: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            shared: Mutex::new(None),
        };
        let mut buffer = SpanBuffer::default();
        if recorded {
            buffer = trace.client.buffers().take();
            buffer.records.push(record);
            for (key, value) in more.map(|more| more.attributes).unwrap_or_default() {
                attributes::with_json(value, |text| {
                    buffer.attributes.push(root, Kind::Data, key, text);
                });
            }
        }
        let scope = Context {
            client: bound,
            parent: None,
            propagation,
            scopes,
        };
        Some((Arc::new(trace), buffer, scope))
    }
}
