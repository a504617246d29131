//! What the sampling decided against.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::protocol::DiscardReason;

/// How many transactions were left out, for each of the [`REASONS`].
#[derive(Debug, Default)]
pub(super) struct Unsampled {
    counts: [AtomicU64; REASONS.len()],
    /// How many of them went into client reports.
    reported: [AtomicU64; REASONS.len()],
}

impl Unsampled {
    /// Counts a transaction. Other reasons than the [`REASONS`] are those of losses, and not counted here.
    pub(super) fn count(&self, reason: DiscardReason) {
        if let Some(place) = REASONS.iter().position(|known| *known == reason) {
            self.counts[place].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many there were so far.
    pub(super) fn total(&self) -> u64 {
        let counts = self.counts.iter();
        counts.map(|count| count.load(Ordering::Relaxed)).sum()
    }

    /// Takes what no client report tells of yet. There is one worker at a time that does.
    pub(super) fn take_unreported(&self) -> impl Iterator<Item = (DiscardReason, u64)> {
        let counts = self.counts.iter().zip(&self.reported);
        REASONS
            .into_iter()
            .zip(counts)
            .map(|(reason, (count, reported))| {
                let count = count.load(Ordering::Relaxed);
                let before = reported.swap(count, Ordering::Relaxed);
                (reason, count.saturating_sub(before))
            })
    }
}

/// The reasons that are decisions and no losses.
const REASONS: [DiscardReason; 2] = [DiscardReason::SampleRate, DiscardReason::Backpressure];
