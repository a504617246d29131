//! Time as columns.

use std::time::{Duration, SystemTime};

use crate::local::decode::ReceivedTransaction;

/// The time that a drawing covers.
#[derive(Clone, Copy)]
pub(super) struct Axis {
    start: SystemTime,
    length: Duration,
}

impl Axis {
    /// From the first start to the last end: spans may go on after their transaction.
    pub(super) fn of(transaction: &ReceivedTransaction) -> Self {
        let spans = &transaction.spans;
        let starts = spans.iter().map(|span| span.start);
        let ends = spans.iter().map(|span| span.end);
        let start = starts.fold(transaction.start, SystemTime::min);
        let end = ends.fold(transaction.end, SystemTime::max);
        Self {
            start,
            length: end.duration_since(start).unwrap_or_default(),
        }
    }

    pub(super) fn length(self) -> Duration {
        self.length
    }

    /// A bar of half cells in so many columns, and how many columns come before it.
    pub(super) fn bar(self, start: SystemTime, end: SystemTime, columns: usize) -> (usize, String) {
        let halves = columns * 2;
        let first = self.halves(start, halves, u128::div_euclid).min(halves - 1);
        let end = self.halves(end, halves, u128::div_ceil).max(first + 1);
        let mut bar = String::new();
        for cell in first / 2..end.div_ceil(2) {
            let left = first <= cell * 2;
            let right = cell * 2 + 1 < end;
            bar.push(match (left, right) {
                (true, true) => '█',
                (true, false) => '▌',
                (false, _) => '▐',
            });
        }
        (first / 2, bar)
    }

    fn halves(self, at: SystemTime, halves: usize, divide: fn(u128, u128) -> u128) -> usize {
        let offset = at.duration_since(self.start).unwrap_or_default();
        let length = self.length.as_nanos().max(1);
        let scaled = divide(offset.as_nanos() * halves as u128, length);
        usize::try_from(scaled).unwrap_or(halves).min(halves)
    }
}
