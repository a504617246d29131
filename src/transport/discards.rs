//! Losses that the server has not been told of yet.

use std::sync::Arc;

use super::ledger::DISCARD_REASONS;
use super::shared::Shared;
use crate::protocol::{Category, ClientReport, DiscardReason, Discarded};

/// How many were lost since the last client report, by reason and category.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Discards {
    counts: [[u64; CATEGORIES.len()]; DISCARD_REASONS.len()],
}

/// Losses on their way to the server.
///
/// Dropped before [`Unsent::sent`], they go back to where they were counted,
/// whatever ended the attempt.
pub(super) struct Unsent {
    discards: Discards,
    report: ClientReport,
    shared: Arc<Shared>,
}

impl Discards {
    pub(super) fn add(&mut self, reason: DiscardReason, category: Category, quantity: u64) {
        self.counts[reason as usize][category as usize] += quantity;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.counts.iter().flatten().all(|count| *count == 0)
    }

    fn add_all(&mut self, other: &Self) {
        for (reason, category, count) in other.iter() {
            self.add(reason, category, count);
        }
    }

    fn iter(&self) -> impl Iterator<Item = (DiscardReason, Category, u64)> {
        let reasons = DISCARD_REASONS.into_iter().zip(&self.counts);
        reasons
            .flat_map(|(reason, counts)| {
                let categories = CATEGORIES.into_iter().zip(counts);
                categories.map(move |(category, count)| (reason, category, *count))
            })
            .filter(|(_, _, count)| *count > 0)
    }

    fn to_client_report(self) -> ClientReport {
        let mut discarded = Vec::new();
        for (reason, category, mut count) in self.iter() {
            // Servers read 32 bits, so more than that becomes several entries.
            while count > 0 {
                let quantity = u32::try_from(count).unwrap_or(u32::MAX);
                count -= u64::from(quantity);
                discarded.push(Discarded {
                    reason,
                    category,
                    quantity,
                });
            }
        }
        ClientReport::new(discarded)
    }
}

impl Unsent {
    /// Takes all that the server has not been told of, if there is any.
    pub(super) fn take(shared: &Arc<Shared>) -> Option<Self> {
        if !shared.config.send_client_reports {
            return None;
        }
        let discards = shared.take_discards();
        (!discards.is_empty()).then(|| Self {
            discards,
            report: discards.to_client_report(),
            shared: Arc::clone(shared),
        })
    }

    /// What the server is told.
    pub(super) fn report(&self) -> &ClientReport {
        &self.report
    }

    /// The server has read it, so it is not told again.
    pub(super) fn sent(mut self) {
        self.discards = Discards::default();
    }
}

impl Drop for Unsent {
    fn drop(&mut self) {
        if !self.discards.is_empty() {
            self.shared.lock().discards.add_all(&self.discards);
        }
    }
}

/// Every category at the place that its number says.
const CATEGORIES: [Category; 2] = [Category::Transaction, Category::Span];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_category_stands_at_its_number() {
        for (place, category) in CATEGORIES.into_iter().enumerate() {
            assert_eq!(category as usize, place);
        }
    }
}
