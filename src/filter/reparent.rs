//! A tree of which spans were taken out, made a tree again.

use std::collections::HashMap;

use crate::id::SpanId;
use crate::protocol::Span;

/// Has the children of spans that were removed stand below the nearest span above that is there.
///
/// `removed` has the parents of the spans that were.
pub(super) fn reparent(spans: &mut [Span], removed: &HashMap<SpanId, SpanId>) {
    if removed.is_empty() {
        return;
    }
    for span in spans {
        // The parents are the program's to change, and may go round in a circle.
        for _ in 0..removed.len() {
            match removed.get(&span.parent_span_id) {
                Some(parent) => span.parent_span_id = *parent,
                None => break,
            }
        }
    }
}
