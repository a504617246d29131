//! What goes through the channel.

use super::ledger::Weight;
use super::payload::Payload;

/// A finished item on its way to the worker.
pub(super) struct Item {
    pub(super) payload: Box<dyn Payload>,
    /// How much it counts for in each category.
    pub(super) weight: Weight,
    /// The bytes that it reserves.
    pub(super) size: usize,
}

impl Item {
    pub(super) fn new(payload: Box<dyn Payload>) -> Self {
        Self {
            weight: Weight::of_transaction(payload.spans().into()),
            size: payload.size(),
            payload,
        }
    }
}
