//! Payloads that are JSON.

use serde_json::Value;

use super::envelope::ReceivedItem;
use super::invalid::InvalidItem;

/// Reads the payload of an item.
pub(super) fn parse_json(item: &ReceivedItem) -> Result<Value, InvalidItem> {
    serde_json::from_slice(&item.payload)
        .map_err(|error| InvalidItem::new(format!("invalid {}: {error}", item.kind())))
}
