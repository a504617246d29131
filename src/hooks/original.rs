//! What a callback cannot change, and what of its changes servers would refuse.

use std::collections::{HashMap, HashSet};
use std::mem;
use std::sync::Arc;

use crate::diagnostics::{self, Topic};
use crate::protocol::{
    EventId, Refusal, Span, SpanId, TraceId, Transaction, check_dist, check_environment,
    check_release, check_server_name, fields, tags, valid,
};

/// The place of a transaction in its trace, and the tree in it, before the program's code ran.
pub(crate) struct Original {
    event_id: EventId,
    platform: &'static str,
    release: Option<Arc<str>>,
    environment: Arc<str>,
    dist: Option<Arc<str>>,
    server_name: Option<Arc<str>>,
    trace_id: TraceId,
    span_id: SpanId,
    parent_span_id: Option<SpanId>,
    /// Every span below the root, with its parent.
    spans: Vec<(SpanId, SpanId)>,
}

/// The place of a span in its transaction.
pub(crate) struct OriginalSpan {
    trace_id: TraceId,
    span_id: SpanId,
    parent_span_id: SpanId,
}

impl Original {
    pub(crate) fn of(transaction: &Transaction) -> Self {
        let trace = &transaction.contexts.trace;
        let spans = transaction.spans.iter();
        Self {
            event_id: transaction.event_id,
            platform: transaction.platform,
            release: transaction.release.clone(),
            environment: Arc::clone(&transaction.environment),
            dist: transaction.dist.clone(),
            server_name: transaction.server_name.clone(),
            trace_id: trace.trace_id,
            span_id: trace.span_id,
            parent_span_id: trace.parent_span_id,
            spans: spans
                .map(|span| (span.span_id, span.parent_span_id))
                .collect(),
        }
    }

    /// Makes a transaction one that servers take, in its old place. Returns how many spans it has less.
    pub(crate) fn restore(&self, transaction: &mut Transaction) -> u64 {
        transaction.event_id = self.event_id;
        transaction.platform = self.platform;
        if is_refused(transaction.release.as_deref(), check_release) {
            transaction.release.clone_from(&self.release);
        }
        if is_refused(Some(&transaction.environment), check_environment) {
            transaction.environment = Arc::clone(&self.environment);
        }
        if is_refused(transaction.dist.as_deref(), check_dist) {
            transaction.dist.clone_from(&self.dist);
        }
        if is_refused(transaction.server_name.as_deref(), check_server_name) {
            transaction.server_name.clone_from(&self.server_name);
        }
        transaction.name = fields::name(mem::take(&mut transaction.name));
        transaction.timestamp = transaction.timestamp.max(transaction.start_timestamp);
        if let Some(user) = &mut transaction.user {
            valid::make_valid(user);
        }
        let request = transaction.request.as_mut();
        if let Some(data) = request.and_then(|request| request.data.as_mut()) {
            valid::limit_depth(data);
        }
        let contexts = &mut transaction.contexts;
        // A key that stands twice has readers refuse everything.
        contexts.others.remove("trace");
        for context in contexts.others.values_mut() {
            *context = valid::context_of(context.take());
        }
        let trace = &mut contexts.trace;
        trace.trace_id = self.trace_id;
        trace.span_id = self.span_id;
        trace.parent_span_id = self.parent_span_id;
        trace.op = fields::op(mem::take(&mut trace.op));
        trace.origin = fields::origin(mem::take(&mut trace.origin));
        tags::make_valid(&mut transaction.tags, &mut trace.data);
        for span in &mut transaction.spans {
            span.trace_id = self.trace_id;
            make_valid(span);
        }
        self.restore_tree(&mut transaction.spans);
        self.spans.len().saturating_sub(transaction.spans.len()) as u64
    }

    /// Leaves one span of each id, below the nearest of those that were above it and are there.
    fn restore_tree(&self, spans: &mut Vec<Span>) {
        let mut there = HashSet::from([self.span_id]);
        spans.retain(|span| there.insert(span.span_id));
        let parents: HashMap<_, _> = self.spans.iter().copied().collect();
        for span in spans {
            if let Some(parent) = parents.get(&span.span_id) {
                span.parent_span_id = *parent;
            } else if !parents.contains_key(&span.parent_span_id) {
                // It was added, and must not form a circle with others that were.
                span.parent_span_id = self.span_id;
            }
            while !there.contains(&span.parent_span_id)
                && let Some(above) = parents.get(&span.parent_span_id)
            {
                span.parent_span_id = *above;
            }
        }
    }
}

impl OriginalSpan {
    pub(crate) fn of(span: &Span) -> Self {
        Self {
            trace_id: span.trace_id,
            span_id: span.span_id,
            parent_span_id: span.parent_span_id,
        }
    }

    /// Makes a span one that servers take, in its old place.
    pub(crate) fn restore(&self, span: &mut Span) {
        span.trace_id = self.trace_id;
        span.span_id = self.span_id;
        span.parent_span_id = self.parent_span_id;
        make_valid(span);
    }
}

/// Whether servers would remove a text, which is reported.
fn is_refused(text: Option<&str>, rule: fn(&str) -> Result<(), Refusal>) -> bool {
    let (Some(text), Some(Err(refusal))) = (text, text.map(rule)) else {
        return false;
    };
    diagnostics::once_with(&REFUSED, &format_args!("{text:?} {refusal}"));
    true
}

fn make_valid(span: &mut Span) {
    span.timestamp = span.timestamp.max(span.start_timestamp);
    span.op = fields::op(mem::take(&mut span.op));
    span.origin = fields::origin(mem::take(&mut span.origin));
    tags::make_valid(&mut span.tags, &mut span.data);
}

static REFUSED: Topic = Topic::new(
    "a callback set a release, environment, dist or server name that servers refuse: the client's own is sent",
);
