//! What waits to be delivered.

use super::ledger::Weight;
use super::payload::Payload;

/// Something finished, as it goes through the channel.
pub(super) struct Item {
    pub(super) payload: Box<dyn Payload>,
    /// How much it counts for.
    pub(super) weight: Weight,
    /// The bytes it holds in memory, as far as the bounds are concerned.
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
