//! Spans that are sent on their own, outside of transactions.

use serde_json::Value;

use super::envelope::{ReceivedEnvelope, ReceivedItem};
use super::invalid::InvalidItem;
use super::json::parse_json;

/// Checks a container of streamed spans, and returns how many spans it has.
pub(crate) fn count_spans(
    envelope: &ReceivedEnvelope,
    item: &ReceivedItem,
) -> Result<u64, InvalidItem> {
    let trace = envelope.headers.get("trace");
    let trace_id = trace
        .and_then(|trace| trace.get("trace_id"))
        .ok_or_else(|| {
            InvalidItem::new("streamed spans need a sampling context in the envelope")
        })?;
    let payload = parse_json(item)?;
    let spans = payload.get("items").and_then(Value::as_array);
    let spans = spans.ok_or_else(|| InvalidItem::new("the span container has no items"))?;
    let count = spans.len() as u64;
    if item.headers.get("item_count").and_then(Value::as_u64) != Some(count) {
        return Err(InvalidItem::new("item_count is not the number of spans"));
    }
    if spans
        .iter()
        .any(|span| span.get("trace_id") != Some(trace_id))
    {
        return Err(InvalidItem::new(
            "a streamed span belongs to another trace than the envelope",
        ));
    }
    Ok(count)
}

/// Checks a span that is an item by itself.
pub(crate) fn check_span(item: &ReceivedItem) -> Result<(), InvalidItem> {
    parse_json(item).map(drop)
}
