//! The start of a transaction: what it is a part of, and whether it is recorded.

use std::borrow::Cow;
use std::mem;
use std::sync::Arc;
use std::time::SystemTime;

use http::Extensions;
use serde_json::Value;

use crate::client::Client;
use crate::clock::Anchor;
use crate::diagnostics::{self, Topic};
use crate::hooks::{RequestHead, SamplingContext};
use crate::own_work;
use crate::propagation::{IncomingTrace, PropagationContext, Remote, SampleRand};
use crate::protocol::value::with_or_reason;
use crate::protocol::{Request, SpanId, TraceId, TransactionSource, id};
use crate::record::{
    self, Content, Kind, Name, ROOT_TASK, Record, Sampling, SpanBuffer, SpanNumber, TraceInfo,
};
use crate::task::{Context, TaskScope};
use crate::trace::{TaskSpans, Trace};

/// What a transaction starts with.
#[derive(Clone, Debug)]
pub(crate) struct NewTransaction {
    pub(crate) op: Cow<'static, str>,
    pub(crate) name: Cow<'static, str>,
    pub(crate) origin: &'static str,
    pub(crate) source: TransactionSource,
    // What few transactions need is apart, so that the others are cheap to move.
    pub(crate) more: Option<Box<More>>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct More {
    pub(crate) start: Option<SystemTime>,
    pub(crate) sampled: Option<bool>,
    pub(crate) attributes: Vec<(Cow<'static, str>, Value)>,
    pub(crate) request: Option<Request>,
    pub(crate) custom: Extensions,
    pub(crate) incoming: Option<IncomingTrace>,
}

impl NewTransaction {
    pub(crate) fn more(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }
}

/// A transaction that has just started.
pub(crate) struct Started {
    pub(crate) trace: Arc<Trace>,
    /// The root's record and its attributes, if it is recorded.
    pub(crate) buffer: SpanBuffer,
    /// What its task knows.
    pub(crate) context: Context,
}

/// A request that a new transaction answers. It is only looked at.
#[derive(Clone, Copy)]
pub(crate) struct Arrival<'a> {
    /// What came with it. Without any, the transaction is in the trace around, or in one of its own.
    pub(crate) incoming: &'a IncomingTrace,
    pub(crate) request: &'a dyn RequestHead,
}

/// What a new transaction is a part of.
enum Origin {
    /// The transaction around, below one of its spans.
    Around(Arc<Trace>, SpanNumber),
    /// A trace that a scope knows, most often one that came in.
    Continued(Arc<PropagationContext>),
    /// A trace that begins with it.
    New(TraceId),
}

impl NewTransaction {
    /// Decides about sampling and starts the clock. `None`: there is no client.
    ///
    /// The context is that of where it starts.
    pub(crate) fn begin(
        &mut self,
        context: Option<Context>,
        arrival: Option<Arrival<'_>>,
        task: u32,
    ) -> Option<Started> {
        if own_work::is_current() {
            diagnostics::once(&IN_CALLBACK);
            return None;
        }
        let mut context = context.unwrap_or_default();
        let Some(client) = context.take_client() else {
            diagnostics::once(&NO_CLIENT);
            return None;
        };
        let (id_seed, trace_id) = id::random::<(u64, u128)>();
        let trace_id = TraceId::from_random(trace_id);
        let origin = self.origin_in(&mut context, arrival, &client, trace_id);
        let explicit = self.more.as_ref().and_then(|more| more.sampled);
        let sampling = match &origin {
            Origin::Around(around, _) if explicit.is_none() => around.info.sampling,
            _ => {
                let request = arrival.map(|arrival| arrival.request);
                let known = self.sampling_context(request, origin.remote());
                Sampling::decide(&client, explicit, &known, origin.rand())
            }
        };
        let parent = origin.parent();
        let trace_id = origin.trace_id();
        let (head, continued) = match origin {
            // What it decides for itself is not what the trace around was told about.
            Origin::Around(around, _) if explicit.is_some() => (None, around.continued.clone()),
            Origin::Around(around, _) => (Some(around), None),
            Origin::Continued(trace) => (None, Some(trace)),
            Origin::New(_) => (None, None),
        };
        let recorded = sampling.sampled || client.has_spotlight();
        let info = TraceInfo {
            trace_id,
            id_seed,
            parent,
            root: SpanNumber::new(task, 0),
            anchor: match recorded {
                true => Anchor::now(),
                false => Anchor::UNRECORDED,
            },
            sampling,
        };
        let name = Name {
            text: mem::take(&mut self.name),
            source: self.source,
        };
        let trace = Arc::new(Trace::new(client, info, recorded, name, head, continued));
        let mut buffer = SpanBuffer::default();
        if recorded {
            buffer = record::buffer::take();
            let mut start = info.anchor.ticks();
            if let Some(more) = self.more.take() {
                start = more.start.map_or(start, |time| info.anchor.ticks_at(time));
                if let Some(request) = more.request {
                    context.scopes.isolation.set_request(request);
                }
                for (key, value) in more.attributes {
                    with_or_reason(&value, |value| {
                        let (content, room) = (Content::Value(value), &trace.attribute_room);
                        let attributes = &mut buffer.attributes;
                        attributes.push(info.root, Kind::Data, key, content, room);
                    });
                }
            }
            // The name is the trace's.
            let name = Cow::Borrowed("");
            let record = Record::new(mem::take(&mut self.op), name, self.origin, info.root, start);
            buffer.records.push(record);
        }
        context.parent = None;
        Some(Started {
            trace,
            buffer,
            context,
        })
    }

    /// Starts it as a task of its own.
    #[inline]
    pub(crate) fn open(
        &mut self,
        context: Option<Context>,
        arrival: Option<Arrival<'_>>,
    ) -> Option<Box<TaskScope>> {
        let Started {
            trace,
            buffer,
            context,
        } = self.begin(context, arrival, ROOT_TASK)?;
        Some(Box::new(TaskScope::new(
            context.client,
            Some(TaskSpans::of_root(trace, buffer)),
            context.propagation,
            context.scopes,
        )))
    }

    /// What it becomes a part of. The id is for a trace that begins with it.
    fn origin_in(
        &self,
        context: &mut Context,
        arrival: Option<Arrival<'_>>,
        client: &Client,
        trace_id: TraceId,
    ) -> Origin {
        let arrived = arrival.map(|arrival| arrival.incoming);
        let arrived = arrived.filter(|it| context.parent.is_none() || !it.is_empty());
        let incoming = arrived.or_else(|| self.more.as_ref()?.incoming.as_ref());
        if let Some(incoming) = incoming {
            context.parent = None;
            context.propagation =
                PropagationContext::continuing(incoming, client.propagation()).map(Arc::new);
        }
        match (&context.parent, &context.propagation) {
            (Some((around, number)), _) => Origin::Around(Arc::clone(around), *number),
            (None, Some(trace)) => Origin::Continued(Arc::clone(trace)),
            (None, None) => match client.trace_at_start().filter(|_| incoming.is_none()) {
                Some(trace) => Origin::Continued(Arc::clone(trace)),
                None => Origin::New(trace_id),
            },
        }
    }

    /// What the sampler is told.
    fn sampling_context<'a>(
        &'a self,
        request: Option<&'a dyn RequestHead>,
        remote: Option<&Remote>,
    ) -> SamplingContext<'a> {
        let more = self.more.as_deref();
        let told = more.and_then(|more| more.request.as_ref());
        SamplingContext {
            name: &self.name,
            op: &self.op,
            origin: self.origin,
            source: self.source,
            attributes: more.map(|more| &*more.attributes).unwrap_or_default(),
            request: request.or(told.map(|request| request as &dyn RequestHead)),
            custom: more.map(|more| &more.custom),
            parent_sampled: remote.and_then(|remote| remote.sampled),
            parent_sample_rate: remote.and_then(|remote| remote.rate),
        }
    }
}

impl Origin {
    fn trace_id(&self) -> TraceId {
        match self {
            Self::Around(around, _) => around.info.trace_id,
            Self::Continued(trace) => trace.trace_id,
            Self::New(trace_id) => *trace_id,
        }
    }

    fn rand(&self) -> SampleRand {
        match self {
            Self::Around(around, _) => around.info.sampling.rand,
            Self::Continued(trace) => trace.rand,
            Self::New(trace_id) => SampleRand::of(*trace_id),
        }
    }

    /// The span above it, if there is one.
    fn parent(&self) -> Option<SpanId> {
        match self {
            Self::Around(around, number) => Some(around.info.span_id(*number)),
            _ => self.remote().map(|remote| remote.span_id),
        }
    }

    /// Who has decided about its trace before.
    fn remote(&self) -> Option<&Remote> {
        match self {
            Self::Continued(trace) => trace.remote.as_ref(),
            _ => None,
        }
    }
}

static NO_CLIENT: Topic =
    Topic::new("a transaction was not recorded: there is no client, or it has no DSN");
static IN_CALLBACK: Topic = Topic::new(
    "a transaction was not recorded: it was started by a callback of the client, which would call itself without end",
);
