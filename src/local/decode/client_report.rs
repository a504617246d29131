//! Client reports: what SDKs dropped.

use std::ops::ControlFlow;

use serde_json::Value;

use super::envelope::RawItem;
use super::invalid::InvalidItem;
use super::json::{Fields, check_json, scalar, visit_list};

/// Reads the reason, category and quantity of everything that was dropped.
pub(crate) fn discarded_events(
    item: &RawItem<'_>,
) -> Result<Vec<(String, String, u64)>, InvalidItem> {
    let report =
        check_json(item.payload).map_err(|error| InvalidItem::not_json(&item.kind, &error))?;
    let Some(entries) = Fields::read(report).and_then(|fields| fields.get("discarded_events"))
    else {
        return Ok(Vec::new());
    };
    let mut discarded = Vec::new();
    match visit_list(entries, |entry| match read_entry(entry) {
        Some(entry) => {
            discarded.push(entry);
            ControlFlow::Continue(())
        }
        None => ControlFlow::Break(()),
    }) {
        Some(ControlFlow::Continue(())) => Ok(discarded),
        Some(ControlFlow::Break(())) => Err(InvalidItem::new(
            "an entry of discarded_events is malformed",
        )),
        None => Err(InvalidItem::new("discarded_events is not a list")),
    }
}

fn read_entry(entry: &str) -> Option<(String, String, u64)> {
    let fields = Fields::read(entry)?;
    let text = |name| match scalar(fields.get(name)?)? {
        Value::String(text) => Some(text),
        _ => None,
    };
    let quantity = scalar(fields.get("quantity")?)?.as_u64()?;
    Some((text("reason")?, text("category")?, quantity))
}
