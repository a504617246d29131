//! What the sampling decided against.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::protocol::DiscardReason;

/// How many transactions were left out, for each of the [`REASONS`].
///
/// It is apart from the state behind the lock, because deciding against a
/// transaction must cost next to nothing.
#[derive(Debug, Default)]
pub(super) struct Unsampled {
    counts: [AtomicU64; REASONS.len()],
}

impl Unsampled {
    /// Counts a transaction. Other reasons than the [`REASONS`] are those of losses, and not counted here.
    pub(super) fn count(&self, reason: DiscardReason) {
        if let Some(place) = REASONS.iter().position(|known| *known == reason) {
            self.counts[place].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many there were so far, for each of the reasons.
    pub(super) fn counts(&self) -> [u64; REASONS.len()] {
        let counts = self.counts.each_ref();
        counts.map(|count| count.load(Ordering::Relaxed))
    }
}

/// The reasons that are decisions and no losses.
pub(super) const REASONS: [DiscardReason; 2] =
    [DiscardReason::SampleRate, DiscardReason::Backpressure];
