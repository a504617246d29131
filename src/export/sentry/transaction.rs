//! Writing a transaction, the form that has all spans in one event.

use crate::options::Settings;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::clock::Anchor;
use crate::export::assemble::{Assembled, AssembledSegment, assemble};
use crate::hooks::EventProcessor;
use crate::protocol::{
    Contexts, Data, DiscardReason, DynamicSamplingContext, Span, Tags, Timestamp, TraceContext,
    Transaction, TransactionInfo, TransactionSource, fields,
};
use crate::record::{Name, Record, Root, SamplingContextSource, Segment, TraceInfo};
use crate::scope::{Scope, global};

/// A finished transaction, put together.
pub(crate) struct Assembly {
    pub(crate) transaction: Box<Transaction>,
    /// Those of its scopes, in the order in which they run.
    pub(crate) processors: Vec<EventProcessor>,
    /// How many spans were dropped, and why.
    pub(crate) removed: Vec<(DiscardReason, u64)>,
}

/// Puts a transaction together, in a form that no server refuses.
pub(crate) fn transaction(segment: Segment, settings: &Settings) -> Assembly {
    let AssembledSegment {
        root,
        spans,
        removed,
        segment,
    } = assemble(segment, settings);
    let mut children = Vec::with_capacity(spans.len());
    for span in spans {
        children.push(child(&segment.info, span));
    }
    let global = global::snapshot();
    let processors = segment.scopes.processors(&global);
    Assembly {
        transaction: Box::new(of_root(segment, root, children, &global, settings)),
        processors,
        removed,
    }
}

fn child(info: &TraceInfo, span: Assembled) -> Span {
    let Assembled {
        number,
        record,
        tags,
        mut data,
        links,
        ..
    } = span;
    let (start, end) = times(&info.anchor, &record);
    Span {
        trace_id: info.trace_id,
        span_id: info.span_id(number),
        parent_span_id: info.span_id(record.parent),
        op: fields::op(record.op),
        description: record.name,
        start_timestamp: start,
        timestamp: end,
        status: record.status,
        origin: fields::origin(record.origin.into()),
        tags: tags.finish(&mut data),
        data,
        links,
    }
}

/// When a span started and ended, in the form and in the order that they are sent in.
fn times(anchor: &Anchor, record: &Record) -> (Timestamp, Timestamp) {
    let time_at = |ticks| Timestamp::from(anchor.time_at(ticks));
    let start = time_at(record.start);
    (start, time_at(record.end).max(start))
}

fn of_root(
    segment: Segment,
    root: Assembled,
    spans: Vec<Span>,
    global: &Scope,
    settings: &Settings,
) -> Transaction {
    let Assembled {
        number,
        record,
        tags,
        #[cfg_attr(not(feature = "_http-server"), expect(unused_mut))]
        mut data,
        links,
        #[cfg(feature = "_http-server")]
        request,
    } = root;
    let info = &segment.info;
    let (start, end) = times(&info.anchor, &record);
    let sampling_context = sampling_context(&segment, settings);
    let (parent, name) = match segment.root {
        Root::Recorded(_) => (info.parent, segment.name),
        Root::Late { .. } => {
            let name = Name {
                text: record.name,
                source: TransactionSource::Task,
            };
            (Some(info.span_id(record.parent)), name)
        }
    };
    let source = name.source;
    let name = if name.text.is_empty() {
        record.op.clone()
    } else {
        name.text
    };
    let name = fields::name(name);
    let identity = &settings.identity;
    let mut transaction = Transaction {
        event_id: info.event_id(number),
        platform: "native",
        info: TransactionInfo::new(source),
        start_timestamp: start,
        timestamp: end,
        release: identity.release.clone(),
        dist: identity.dist.clone(),
        environment: Arc::clone(&identity.environment),
        server_name: identity.server_name.clone(),
        level: None,
        tags: BTreeMap::new(),
        user: None,
        request: None,
        breadcrumbs: Vec::new(),
        contexts: Contexts {
            trace: TraceContext {
                trace_id: info.trace_id,
                span_id: info.span_id(number),
                parent_span_id: parent,
                op: fields::op(record.op),
                status: record.status,
                origin: fields::origin(record.origin.into()),
                data: Data::default(),
                links,
            },
            others: identity.contexts.clone(),
        },
        spans,
        sdk: Arc::clone(&identity.sdk),
        sampling_context: Some(sampling_context),
        name,
    };
    #[cfg(feature = "_http-server")]
    if let Some(request) = request {
        let personal = settings.pii;
        request.put_on(&mut transaction, &mut data, personal);
    }
    // Later ones win: what was set on the root itself is known best.
    let mut all_tags = Tags::default();
    let scopes = &segment.scopes;
    scopes.apply_to(global, &mut transaction, &mut all_tags);
    let breadcrumbs = &mut transaction.breadcrumbs;
    let oldest = breadcrumbs.len().saturating_sub(settings.max_breadcrumbs);
    breadcrumbs.drain(..oldest);
    all_tags.extend(tags);
    transaction.contexts.trace.data = data;
    transaction.tags = all_tags.finish(&mut transaction.contexts.trace.data);
    transaction
}

/// The dynamic sampling context for the envelope of a transaction.
///
/// If none came in with a trace, none goes on, but servers want one.
fn sampling_context(segment: &Segment, settings: &Settings) -> Arc<DynamicSamplingContext> {
    let (info, identity) = (&segment.info, &settings.identity);
    let context = match &segment.sampling_context {
        SamplingContextSource::Frozen(context) => Arc::clone(context),
        SamplingContextSource::Continued(trace) => {
            info.sampling_context(trace.remote.as_ref(), &segment.name, identity)
        }
        SamplingContextSource::Own => info.sampling_context(None, &segment.name, identity),
    };
    if context.is_empty() {
        return Arc::new(info.own_sampling_context(None, identity));
    }
    context
}
