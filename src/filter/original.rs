//! What the program's own code cannot change, and what of its changes servers would refuse.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::reparent::reparent;
use crate::id::{EventId, SpanId, TraceId};
use crate::protocol::{Span, Transaction};
use crate::{origin, scope, tag};

/// The place of a transaction in its trace, and the tree in it, before the program's code ran.
pub(super) struct Original {
    event_id: EventId,
    trace_id: TraceId,
    span_id: SpanId,
    parent_span_id: Option<SpanId>,
    /// Every span below the root, with its parent.
    parents: Vec<(SpanId, SpanId)>,
}

/// The place of a span in its transaction.
pub(super) struct OriginalSpan {
    trace_id: TraceId,
    span_id: SpanId,
    parent_span_id: SpanId,
}

impl Original {
    pub(super) fn of(transaction: &Transaction) -> Self {
        let trace = &transaction.contexts.trace;
        let spans = transaction.spans.iter();
        Self {
            event_id: transaction.event_id,
            trace_id: trace.trace_id,
            span_id: trace.span_id,
            parent_span_id: trace.parent_span_id,
            parents: spans
                .map(|span| (span.span_id, span.parent_span_id))
                .collect(),
        }
    }

    /// Makes a transaction one that servers take, in its old place. Returns how many spans it has less.
    pub(super) fn restore(&self, transaction: &mut Transaction) -> u64 {
        transaction.event_id = self.event_id;
        transaction.timestamp = transaction.timestamp.max(transaction.start_timestamp);
        if let Some(user) = &mut transaction.user {
            scope::make_valid(user);
        }
        let request = transaction.request.as_mut();
        if let Some(data) = request.and_then(|request| request.data.as_mut()) {
            scope::limit_depth(data);
        }
        let contexts = &mut transaction.contexts;
        // The trace context has this name, and two of one name have readers refuse everything.
        contexts.others.remove("trace");
        contexts.others.values_mut().for_each(scope::limit_depth);

        let trace = &mut contexts.trace;
        trace.trace_id = self.trace_id;
        trace.span_id = self.span_id;
        trace.parent_span_id = self.parent_span_id;
        make_valid_origin(&mut trace.origin);
        tag::make_valid(&mut transaction.tags, &mut trace.data);
        for span in &mut transaction.spans {
            span.trace_id = self.trace_id;
            make_valid(span);
        }
        self.restore_tree(&mut transaction.spans);
        self.parents.len().saturating_sub(transaction.spans.len()) as u64
    }

    /// Finds a parent for every span that has lost it.
    fn restore_tree(&self, spans: &mut [Span]) {
        let mut known: HashSet<_> = spans.iter().map(|span| span.span_id).collect();
        known.insert(self.span_id);
        let gone = self.parents.iter().copied();
        let gone: HashMap<_, _> = gone.filter(|(id, _)| !known.contains(id)).collect();
        reparent(spans, &gone);
        for span in spans {
            let parent = span.parent_span_id;
            if parent == span.span_id || !known.contains(&parent) {
                span.parent_span_id = self.span_id;
            }
        }
    }
}

impl OriginalSpan {
    pub(super) fn of(span: &Span) -> Self {
        Self {
            trace_id: span.trace_id,
            span_id: span.span_id,
            parent_span_id: span.parent_span_id,
        }
    }

    /// Makes a span one that servers take, in its old place.
    pub(super) fn restore(&self, span: &mut Span) {
        span.trace_id = self.trace_id;
        span.span_id = self.span_id;
        span.parent_span_id = self.parent_span_id;
        make_valid(span);
    }
}

fn make_valid(span: &mut Span) {
    span.timestamp = span.timestamp.max(span.start_timestamp);
    make_valid_origin(&mut span.origin);
    tag::make_valid(&mut span.tags, &mut span.data);
}

fn make_valid_origin(origin: &mut Cow<'static, str>) {
    *origin = origin::valid(std::mem::take(origin));
}
