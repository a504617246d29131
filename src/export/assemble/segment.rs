//! From a finished transaction to its spans: all of them, changed, filtered and ordered.

use std::collections::{BTreeMap, HashSet};
use std::mem;

use super::min_duration::remove_short;
use super::span::{Assembled, set};
use crate::clock::Ticks;
use crate::diagnostics;
use crate::options::Settings;
use crate::protocol::{DiscardReason, SpanStatus};
use crate::record::{
    Change, Changes, HandedOver, Left, NO_TASK, Record, Root, SPAN_LIMIT, Segment, SpanNumber,
    buffer,
};

/// The spans of a segment, whichever form they will be sent in.
pub(crate) struct AssembledSegment {
    pub(crate) root: Assembled,
    /// The spans below the root, ordered by their start.
    pub(crate) spans: Vec<Assembled>,
    /// How many spans were dropped, and why.
    pub(crate) removed: Vec<(DiscardReason, u64)>,
    /// The segment without what was recorded of its spans.
    pub(crate) segment: Segment,
}

/// Brings a segment together. Its emptied buffers are used again.
pub(crate) fn assemble(mut segment: Segment, settings: &Settings) -> AssembledSegment {
    let (mut spans, changes) = collect(&mut segment);
    change(changes, segment.root, segment.ended, &mut spans);
    let root = take_root(&segment, &mut spans);
    let mut removed = Vec::new();
    let min_duration = settings.filters.min_span_duration;
    if !min_duration.is_zero() {
        let short = remove_short(&mut spans, min_duration);
        removed.push((DiscardReason::Ignored, short));
    }
    let cut = cut_off(&mut spans, settings.max_sent_spans as usize);
    if cut > 0 {
        diagnostics::once(&SPAN_LIMIT);
        removed.push((DiscardReason::BufferOverflow, cut));
    }
    AssembledSegment {
        root,
        spans,
        removed,
        segment,
    }
}

/// Brings all records together, ordered by their numbers, with their attributes.
fn collect(segment: &mut Segment) -> (Vec<Assembled>, Changes) {
    let mut spans = Vec::with_capacity(segment.children as usize + 1);
    let left = segment.left.take().map_or_else(Left::default, |left| *left);
    let HandedOver {
        whole: mut buffers,
        records,
        attributes,
    } = left.others;
    let small = records.into_iter();
    spans.extend(small.map(|(number, record)| Assembled::new(number, record)));
    buffers.push((segment.task, mem::take(&mut segment.own)));
    for (task, buffer) in &mut buffers {
        for (index, record) in buffer.records.drain(..).enumerate() {
            let number = SpanNumber::new(*task, index as u32);
            spans.push(Assembled::new(number, record));
        }
    }
    spans.sort_by_key(|span| span.number);
    set(&mut spans, &attributes);
    for (_, buffer) in buffers {
        set(&mut spans, &buffer.attributes);
        buffer::recycle(buffer);
    }
    // What was set away from home was set after what was set there.
    for attributes in left.changes.attributes() {
        set(&mut spans, attributes);
    }
    (spans, left.changes)
}

/// Makes the changes that were left with the trace, and ends what did not end.
fn change(mut changes: Changes, root: Root, ended: Ticks, spans: &mut [Assembled]) {
    for (number, amendment) in changes.take_amendments() {
        if let Ok(place) = spans.binary_search_by_key(&number, |span| span.number) {
            amendment.apply_to(&mut spans[place].record);
        }
    }
    let root_status = match root {
        Root::Recorded(number) => spans
            .binary_search_by_key(&number, |span| span.number)
            .ok()
            .and_then(|place| spans[place].record.status),
        Root::Late { .. } => None,
    };
    let root_status = root_status.unwrap_or(SpanStatus::Ok);
    for Assembled { record, .. } in spans {
        // As servers do it with spans that have no end.
        let status = match ends_with_root(record) {
            true => root_status,
            false => SpanStatus::DeadlineExceeded,
        };
        record.apply(Change::End(ended, status));
        // One span that ends before it starts has the whole transaction refused.
        record.end = record.end.max(record.start);
    }
}

/// Whether a span that is still open ends with its root, as a middleware's does: what it wraps is
/// dropped just after the response, and nothing of its work is missing then.
fn ends_with_root(record: &Record) -> bool {
    #[cfg(feature = "tracing")]
    {
        record.metadata.is_some()
    }
    #[cfg(not(feature = "tracing"))]
    {
        let _ = record;
        false
    }
}

/// Takes the root out of the list, or makes one.
fn take_root(segment: &Segment, spans: &mut Vec<Assembled>) -> Assembled {
    let spawned_by = match segment.root {
        Root::Recorded(number) => {
            if let Ok(place) = spans.binary_search_by_key(&number, |span| span.number) {
                return spans.remove(place);
            }
            number
        }
        Root::Late { spawned_by } => spawned_by,
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
        .unwrap_or(segment.ended);
    for span in spans.iter_mut().filter(|span| outermost(span)) {
        span.record.parent = number;
    }
    let name = segment.name.text.clone();
    let mut record = Record::new("task".into(), name, "manual", spawned_by, start);
    record.apply(Change::End(segment.ended.max(start), SpanStatus::Ok));
    Assembled::new(number, record)
}

/// Orders the spans by their start and cuts off the last ones over the limit. Returns how many.
fn cut_off(spans: &mut Vec<Assembled>, limit: usize) -> u64 {
    spans.sort_by_key(|span| span.record.start);
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
