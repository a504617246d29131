//! From what was recorded to what is sent.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::mem;
use std::sync::Arc;

use serde_json::value::RawValue;

use super::short::remove_short;
use crate::client::Client;
use crate::clock::Ticks;
use crate::diagnostics;
use crate::hooks::EventProcessor;
use crate::protocol::{
    self, Data, DiscardReason, Link, SpanStatus, Tags, Timestamp, TransactionSource, fields,
};
#[cfg(feature = "_call-sites")]
use crate::record::CallSite;
#[cfg(feature = "_http-server")]
use crate::record::RecordedRequest;
#[cfg(feature = "tracing")]
use crate::record::metadata;
use crate::record::{Attributes, Change, Kind, Record, SPAN_LIMIT, SpanBuffer, SpanNumber};
use crate::scope::{Scope, Scopes, global};
use crate::trace::{Changes, NO_TASK, Name, Trace};

/// All that was recorded of a transaction, as its tasks left it.
///
/// It is made where the root ends, which only moves things here, and is turned
/// into what servers read by the worker.
pub(crate) struct Finished {
    pub(crate) trace: Arc<Trace>,
    pub(crate) root: Root,
    /// The buffer with the root in it, and the number of its task.
    pub(crate) own: (u32, SpanBuffer),
    pub(crate) others: Vec<(u32, SpanBuffer)>,
    pub(crate) changes: Changes,
    pub(crate) scopes: Scopes,
    pub(crate) ended: Ticks,
    /// How many spans below the root are recorded.
    pub(crate) children: u32,
    /// How many more there would be, had there been room.
    pub(crate) refused: u32,
}

/// A finished transaction, put together.
pub(crate) struct Assembly {
    pub(crate) transaction: Box<protocol::Transaction>,
    /// Those of its scopes, in the order in which they run.
    pub(crate) processors: Vec<EventProcessor>,
    /// How many spans were left out, and why.
    pub(crate) removed: Vec<(DiscardReason, u64)>,
}

/// What the root of a transaction is.
pub(crate) enum Root {
    /// The span that it was started with.
    Recorded(SpanNumber),
    /// The only outermost span of a task that outlived its transaction, or a
    /// span that stands for the task if it has more of them.
    Late { spawned_by: SpanNumber },
}

/// A record on its way to the wire, and what was set on it.
pub(crate) struct Assembled {
    pub(crate) number: SpanNumber,
    pub(crate) record: Record,
    tags: Tags,
    data: Data,
    links: Vec<Link>,
    /// The request that a root answers.
    #[cfg(feature = "_http-server")]
    request: Option<RecordedRequest>,
}

impl Assembled {
    fn new(number: SpanNumber, record: Record) -> Self {
        #[cfg_attr(not(feature = "tracing"), expect(unused_mut))]
        let mut data = Data::default();
        #[cfg(feature = "tracing")]
        for (key, value) in record.metadata.into_iter().flat_map(metadata::attributes) {
            data.insert_raw(key.into(), value);
        }
        Self {
            number,
            record,
            tags: Tags::default(),
            data,
            links: Vec::new(),
            #[cfg(feature = "_http-server")]
            request: None,
        }
    }
}

impl Finished {
    /// What a task recorded that outlived its transaction, if it is anything.
    pub(crate) fn of_late_task(
        trace: Arc<Trace>,
        own: (u32, SpanBuffer),
        spawned_by: SpanNumber,
        changes: Changes,
        refused: u32,
        scopes: Scopes,
    ) -> Option<Self> {
        let outermost = own
            .1
            .records
            .iter()
            .filter(|record| record.parent.task() != own.0)
            .count();
        if outermost == 0 && refused > 0 && trace.sampling.sampled {
            trace.client.count_refused_spans(refused);
        }
        let children = own.1.records.len() - usize::from(outermost == 1);
        (outermost > 0).then(|| Self {
            root: Root::Late { spawned_by },
            own,
            others: Vec::new(),
            changes,
            scopes,
            ended: Ticks::now(),
            children: u32::try_from(children).unwrap_or(u32::MAX),
            refused,
            trace,
        })
    }

    /// Gives it to the client, and counts the spans that were not recorded if it is sampled.
    pub(crate) fn deliver(self) {
        let client = self.trace.client.clone();
        if !self.trace.sampling.sampled {
            return client.show(self);
        }
        if self.refused > 0 {
            client.count_refused_spans(self.refused);
        }
        client.deliver(self);
    }

    /// How many spans are recorded, the root included. Not all of them may be sent.
    pub(crate) fn spans(&self) -> u32 {
        self.children.saturating_add(1)
    }

    pub(crate) fn client(&self) -> &Client {
        &self.trace.client
    }

    /// About how many bytes it holds on to.
    pub(crate) fn size(&self) -> usize {
        let buffers = self.others.iter().chain([&self.own]);
        let buffers: usize = buffers
            .map(|(_, buffer)| buffer.size() + texts(&buffer.records))
            .sum();
        size_of::<Self>()
            + size_of::<Trace>()
            + buffers
            + self.changes.attributes.capacity()
            + self.scopes.size()
    }

    /// Whether it may take long to put it together, however small it is.
    pub(crate) fn takes_long(&self) -> bool {
        #[cfg(feature = "_call-sites")]
        {
            let buffers = self.others.iter().chain([&self.own]);
            let mut attributes = buffers
                .map(|(_, buffer)| &buffer.attributes)
                .chain([&self.changes.attributes])
                .flat_map(Attributes::iter);
            attributes.any(|(attribute, _)| attribute.kind == Kind::CallSite)
        }
        #[cfg(not(feature = "_call-sites"))]
        false
    }

    /// Puts the transaction together, in a form that no server refuses.
    pub(crate) fn assemble(mut self) -> Assembly {
        let mut spans = self.collect();
        self.change(&mut spans);
        let root = self.take_root(&mut spans);
        let mut removed = Vec::new();
        let min_duration = self.trace.client.filters().min_span_duration;
        if !min_duration.is_zero() {
            let short = remove_short(&mut spans, min_duration);
            removed.push((DiscardReason::Ignored, short));
        }
        let cut = self.cut_off(&mut spans);
        if cut > 0 {
            diagnostics::once(&SPAN_LIMIT);
            removed.push((DiscardReason::BufferOverflow, cut));
        }
        let mut children = Vec::with_capacity(spans.len());
        for span in spans {
            children.push(self.child(span));
        }
        let global = global::snapshot();
        let processors = self.scopes.processors(&global);
        Assembly {
            transaction: Box::new(self.transaction(root, children, &global)),
            processors,
            removed,
        }
    }

    /// Brings all records together, ordered by their numbers, with their attributes.
    fn collect(&mut self) -> Vec<Assembled> {
        let mut spans = Vec::with_capacity(self.children as usize + 1);
        let buffers = [mem::take(&mut self.own)]
            .into_iter()
            .chain(mem::take(&mut self.others));
        let mut buffers: Vec<_> = buffers.collect();
        buffers.sort_by_key(|(task, _)| *task);
        for (task, buffer) in &mut buffers {
            for (index, record) in buffer.records.drain(..).enumerate() {
                let number = SpanNumber::new(*task, index as u32);
                spans.push(Assembled::new(number, record));
            }
        }
        for (_, buffer) in buffers {
            set(&mut spans, &buffer.attributes);
            self.trace.client.buffers().put(buffer);
        }
        // What was set away from home was set after what was set there.
        set(&mut spans, &self.changes.attributes);
        spans
    }

    /// Makes the changes that were left with the trace, and ends what did not end.
    fn change(&mut self, spans: &mut [Assembled]) {
        for (number, amendment) in mem::take(&mut self.changes.amendments) {
            if let Ok(place) = spans.binary_search_by_key(&number, |span| span.number) {
                amendment.apply_to(&mut spans[place].record);
            }
        }
        for Assembled { record, .. } in spans {
            // As servers do it with spans that have no end.
            record.apply(Change::End(self.ended, SpanStatus::DeadlineExceeded));
            // One span that ends before it starts has the whole transaction refused.
            record.end = record.end.max(record.start);
        }
    }

    /// Takes the root out of the list, or makes one.
    fn take_root(&self, spans: &mut Vec<Assembled>) -> Assembled {
        let spawned_by = match &self.root {
            Root::Recorded(number) => {
                if let Ok(place) = spans.binary_search_by_key(number, |span| span.number) {
                    return spans.remove(place);
                }
                *number
            }
            Root::Late { spawned_by } => *spawned_by,
        };
        let task = spans.first().map_or(NO_TASK, |span| span.number.task());
        let outermost = |span: &Assembled| span.record.parent.task() != task;
        if spans.iter().filter(|span| outermost(span)).count() == 1
            && let Some(place) = spans.iter().position(outermost)
        {
            return spans.remove(place);
        }
        let number = SpanNumber::new(task, u32::MAX);
        let start = spans
            .iter()
            .map(|span| span.record.start)
            .min()
            .unwrap_or(self.ended);
        for span in spans.iter_mut().filter(|span| outermost(span)) {
            span.record.parent = number;
        }
        let name = self.trace.name().text;
        let mut record = Record::new("task".into(), name, "manual", spawned_by, start);
        record.apply(Change::End(self.ended.max(start), SpanStatus::Ok));
        Assembled::new(number, record)
    }

    /// Orders the spans by their start and cuts off the last ones over the limit. Returns how many.
    fn cut_off(&self, spans: &mut Vec<Assembled>) -> u64 {
        spans.sort_by_key(|span| span.record.start);
        let limit = self.trace.client.max_sent_spans() as usize;
        if spans.len() <= limit {
            return 0;
        }
        let cut: BTreeMap<_, _> = spans
            .drain(limit..)
            .map(|span| (span.number, span.record.parent))
            .collect();
        // A span may have been given a start before its parent's.
        for span in spans {
            let mut seen = HashSet::new();
            while let Some(parent) = cut.get(&span.record.parent)
                && seen.insert(*parent)
            {
                span.record.parent = *parent;
            }
        }
        cut.len() as u64
    }

    fn child(&self, span: Assembled) -> protocol::Span {
        let Assembled {
            number,
            record,
            tags,
            mut data,
            links,
            ..
        } = span;
        let (start, end) = self.times(&record);
        protocol::Span {
            trace_id: self.trace.trace_id,
            span_id: self.trace.span_id(number),
            parent_span_id: self.trace.span_id(record.parent),
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
    fn times(&self, record: &Record) -> (Timestamp, Timestamp) {
        let time_at = |ticks| Timestamp::from(self.trace.anchor.time_at(ticks));
        let start = time_at(record.start);
        (start, time_at(record.end).max(start))
    }

    fn transaction(
        self,
        root: Assembled,
        spans: Vec<protocol::Span>,
        global: &Scope,
    ) -> protocol::Transaction {
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
        let (start, end) = self.times(&record);
        let trace = &self.trace;
        let (parent, name) = match self.root {
            Root::Recorded(_) => (trace.parent, trace.name()),
            Root::Late { .. } => {
                let name = Name {
                    text: record.name,
                    source: TransactionSource::Task,
                };
                (Some(trace.span_id(record.parent)), name)
            }
        };
        let source = name.source;
        let name = if name.text.is_empty() {
            record.op.clone()
        } else {
            name.text
        };
        let name = fields::name(name);
        let identity = trace.client.identity();
        let mut transaction = protocol::Transaction {
            event_id: trace.event_id(number),
            platform: "native",
            info: protocol::TransactionInfo::new(source),
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
            contexts: protocol::Contexts {
                trace: protocol::TraceContext {
                    trace_id: trace.trace_id,
                    span_id: trace.span_id(number),
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
            sampling_context: Some(trace.envelope_sampling_context()),
            name,
        };
        #[cfg(feature = "_http-server")]
        if let Some(request) = request {
            let personal = trace.client.sends_default_pii();
            request.put_on(&mut transaction, &mut data, personal);
        }
        // Later ones win: what was set on the root itself is known best.
        let mut all_tags = Tags::default();
        self.scopes
            .apply_to(global, &mut transaction, &mut all_tags);
        let breadcrumbs = &mut transaction.breadcrumbs;
        let oldest = breadcrumbs
            .len()
            .saturating_sub(trace.client.max_breadcrumbs());
        breadcrumbs.drain(..oldest);
        all_tags.extend(tags);
        transaction.contexts.trace.data = data;
        transaction.tags = all_tags.finish(&mut transaction.contexts.trace.data);
        transaction
    }
}

/// Puts attributes on the spans that they belong to. `spans` is ordered by number.
fn set(spans: &mut [Assembled], attributes: &Attributes) {
    for (attribute, text) in attributes.iter() {
        let Ok(place) = spans.binary_search_by_key(&attribute.span, |span| span.number) else {
            continue;
        };
        let span = &mut spans[place];
        let as_text = || String::from_utf8_lossy(text).into_owned();
        match attribute.kind {
            Kind::Tag => span.tags.set(attribute.key.clone(), as_text()),
            Kind::Data => {
                if let Ok(json) = RawValue::from_string(as_text()) {
                    span.data.insert_raw(attribute.key.clone(), json);
                }
            }
            #[cfg(feature = "tracing")]
            Kind::Link => {
                let ids = attribute.key.split_once('-');
                if let Some((Ok(trace), Ok(cause))) = ids.map(|(a, b)| (a.parse(), b.parse())) {
                    let link = Link::follows_from(trace, cause);
                    if span.links.len() < MAX_LINKS && !span.links.contains(&link) {
                        span.links.push(link);
                    }
                }
            }
            #[cfg(feature = "_http-server")]
            Kind::Request => span.request = Some(RecordedRequest::new(text)),
            #[cfg(feature = "_call-sites")]
            Kind::CallSite => {
                if let Some(site) = CallSite::resolve(text) {
                    site.note(&mut span.data);
                }
            }
        }
    }
}

/// How many bytes records hold on to beside themselves.
fn texts(records: &[Record]) -> usize {
    let owned = |text: &Cow<'static, str>| match text {
        Cow::Borrowed(_) => 0,
        Cow::Owned(text) => text.capacity(),
    };
    records
        .iter()
        .map(|record| owned(&record.op) + owned(&record.name))
        .sum()
}

/// How many links a span may have, as in OpenTelemetry: they are not shortened later.
#[cfg(feature = "tracing")]
const MAX_LINKS: usize = 128;
