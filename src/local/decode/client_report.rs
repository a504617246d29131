//! Client reports: what SDKs dropped.

use serde_json::Value;

use super::envelope::ReceivedItem;
use super::invalid::InvalidItem;
use super::json::parse_json;

/// Reads the reason, category and quantity of everything that was dropped.
pub(crate) fn discarded_events(
    item: &ReceivedItem,
) -> Result<Vec<(String, String, u64)>, InvalidItem> {
    let report = parse_json(item)?;
    let entries = match report.get("discarded_events") {
        None => return Ok(Vec::new()),
        Some(entries) => entries.as_array(),
    };
    let entries = entries.ok_or_else(|| InvalidItem::new("discarded_events is not a list"))?;
    let entry = |entry: &Value| {
        let text = |name| Some(entry.get(name)?.as_str()?.to_owned());
        let quantity = entry.get("quantity")?.as_u64()?;
        Some((text("reason")?, text("category")?, quantity))
    };
    entries
        .iter()
        .map(entry)
        .collect::<Option<_>>()
        .ok_or_else(|| InvalidItem::new("an entry of discarded_events is malformed"))
}
