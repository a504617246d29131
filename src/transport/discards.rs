//! Losses that the server has not been told of yet.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::ledger::{CATEGORIES, DISCARD_REASONS};
use crate::protocol::{Category, ClientReport, DiscardReason, Discarded};

/// How many were lost since the last client report, by reason and category.
#[derive(Debug, Default)]
pub(super) struct Discards {
    counts: Counts<AtomicU64>,
}

/// Losses on their way to the server.
///
/// Dropped before [`Unsent::sent`], they go back to where they were counted,
/// whatever ended the attempt.
pub(super) struct Unsent {
    counts: Counts<u64>,
    report: ClientReport,
    discards: Arc<Discards>,
}

type Counts<T> = [[T; CATEGORIES.len()]; DISCARD_REASONS.len()];

impl Discards {
    pub(super) fn add(&self, reason: DiscardReason, category: Category, quantity: u64) {
        let count = &self.counts[reason as usize][category as usize];
        count.fetch_add(quantity, Ordering::Relaxed);
    }

    fn take(&self) -> Counts<u64> {
        let counts = self.counts.each_ref();
        counts.map(|counts| {
            let counts = counts.each_ref();
            counts.map(|count| count.swap(0, Ordering::Relaxed))
        })
    }
}

impl Unsent {
    /// Takes all that the server has not been told of, if there is any.
    pub(super) fn take(discards: &Arc<Discards>) -> Option<Self> {
        let counts = discards.take();
        let report = to_client_report(&counts)?;
        Some(Self {
            counts,
            report,
            discards: Arc::clone(discards),
        })
    }

    /// What the server is told.
    pub(super) fn report(&self) -> &ClientReport {
        &self.report
    }

    /// The server has read it, so it is not told again.
    pub(super) fn sent(mut self) {
        mem::take(&mut self.counts);
    }
}

impl Drop for Unsent {
    fn drop(&mut self) {
        for (reason, category, count) in each(&self.counts) {
            self.discards.add(reason, category, count);
        }
    }
}

/// The counts that are not zero.
fn each(counts: &Counts<u64>) -> impl Iterator<Item = (DiscardReason, Category, u64)> {
    let reasons = DISCARD_REASONS.into_iter().zip(counts);
    reasons
        .flat_map(|(reason, counts)| {
            let categories = CATEGORIES.into_iter().zip(counts);
            categories.map(move |(category, count)| (reason, category, *count))
        })
        .filter(|(_, _, count)| *count > 0)
}

/// `None`: there is nothing to report.
fn to_client_report(counts: &Counts<u64>) -> Option<ClientReport> {
    let mut discarded = Vec::new();
    for (reason, category, mut count) in each(counts) {
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
    (!discarded.is_empty()).then(|| ClientReport::new(discarded))
}
