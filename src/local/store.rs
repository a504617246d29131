//! The last deliveries, within bounds.

use std::collections::VecDeque;
use std::sync::Arc;

use super::decode::ReceivedTransaction;
use super::delivery::Delivery;
use super::refusal::Refusal;

/// The last deliveries and refusals.
#[derive(Debug)]
pub(super) struct Store {
    /// Oldest first. The newest is kept whatever its size.
    deliveries: VecDeque<Arc<Delivery>>,
    /// How many deliveries came before the first of those.
    dropped: u64,
    /// The sum of the lengths of their envelopes.
    bytes: usize,
    /// Oldest first.
    refusals: VecDeque<Refusal>,
    keep: usize,
}

impl Store {
    pub(super) fn new(keep: usize) -> Self {
        Self {
            deliveries: VecDeque::new(),
            dropped: 0,
            bytes: 0,
            refusals: VecDeque::new(),
            keep: keep.max(1),
        }
    }

    pub(super) fn push(&mut self, delivery: Arc<Delivery>) {
        self.bytes += delivery.length;
        self.deliveries.push_back(delivery);
        while self.deliveries.len() > 1
            && (self.deliveries.len() > self.keep || self.bytes > MAX_BYTES)
        {
            if let Some(oldest) = self.deliveries.pop_front() {
                self.bytes -= oldest.length;
                self.dropped += 1;
            }
        }
    }

    pub(super) fn push_refusal(&mut self, refusal: Refusal) {
        if self.refusals.len() == MAX_REFUSALS {
            self.refusals.pop_front();
        }
        self.refusals.push_back(refusal);
    }

    pub(super) fn deliveries(&self) -> impl Iterator<Item = &Arc<Delivery>> {
        self.deliveries.iter()
    }

    pub(super) fn refusals(&self) -> impl Iterator<Item = &Refusal> {
        self.refusals.iter()
    }

    /// The first transaction among the deliveries from number `cursor` on,
    /// and the number after it.
    pub(super) fn next_transaction(&self, cursor: u64) -> Option<(u64, Arc<ReceivedTransaction>)> {
        let seen = cursor.saturating_sub(self.dropped);
        let seen = usize::try_from(seen).ok()?;
        let rest = self.deliveries.iter().enumerate().skip(seen);
        rest.filter_map(|(index, delivery)| {
            let transaction = delivery.transaction.as_ref()?;
            Some((self.dropped + index as u64 + 1, Arc::clone(transaction)))
        })
        .next()
    }
}

/// How many bytes of envelopes are kept.
pub(super) const MAX_BYTES: usize = 16 * 1024 * 1024;
const MAX_REFUSALS: usize = 100;
