//! Spans that are sent on their own, outside of transactions.

use std::ops::ControlFlow;

use serde_json::Value;

use super::envelope::{Header, RawItem};
use super::invalid::InvalidItem;
use super::json::{Fields, check_json, scalar, visit_list};

/// Checks a container of streamed spans, and returns how many spans it has.
pub(crate) fn count_spans(header: &Header<'_>, item: &RawItem<'_>) -> Result<u64, InvalidItem> {
    let trace = header.get("trace").and_then(Fields::read);
    let trace_id = trace
        .and_then(|trace| scalar(trace.get("trace_id")?))
        .ok_or_else(|| {
            InvalidItem::new("streamed spans need a sampling context in the envelope")
        })?;
    let payload =
        check_json(item.payload).map_err(|error| InvalidItem::not_json(&item.kind, &error))?;
    let (mut count, mut is_of_trace) = (0_u64, true);
    let visited = Fields::read(payload)
        .and_then(|fields| fields.get("items"))
        .and_then(|spans| {
            visit_list(spans, |span| {
                count += 1;
                let of_span = Fields::read(span).and_then(|fields| fields.get("trace_id"));
                is_of_trace &= of_span.and_then(scalar).as_ref() == Some(&trace_id);
                ControlFlow::<()>::Continue(())
            })
        });
    if visited.is_none() {
        return Err(InvalidItem::new("the span container has no items"));
    }
    let item_count = item.header.scalar("item_count");
    if item_count.as_ref().and_then(Value::as_u64) != Some(count) {
        return Err(InvalidItem::new("item_count is not the number of spans"));
    }
    if !is_of_trace {
        return Err(InvalidItem::new(
            "a streamed span belongs to another trace than the envelope",
        ));
    }
    Ok(count)
}

/// Checks a span that is an item by itself.
pub(crate) fn check_span(item: &RawItem<'_>) -> Result<(), InvalidItem> {
    let checked = check_json(item.payload).map(drop);
    checked.map_err(|error| InvalidItem::not_json(&item.kind, &error))
}
