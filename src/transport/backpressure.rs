//! How much less is to be sampled, because what is sampled can't be delivered.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// How often the sample rate is to be halved. Read wherever a transaction starts.
#[derive(Debug, Default)]
pub(super) struct Load(AtomicU32);

/// The worker's look at how delivery is doing, every ten seconds.
pub(super) struct Monitor {
    due: Instant,
}

impl Load {
    pub(super) fn halvings(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// Takes note of ten seconds.
    fn update(&self, healthy: bool) {
        let halvings = match healthy {
            true => 0,
            false => (self.halvings() + 1).min(MAX_HALVINGS),
        };
        self.0.store(halvings, Ordering::Relaxed);
    }
}

impl Monitor {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            due: now + INTERVAL,
        }
    }

    /// Whether it is time to look again.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        now >= self.due
    }

    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// Takes note of how it looks.
    pub(super) fn check(&mut self, healthy: bool, load: &Load, now: Instant) {
        self.due = now + INTERVAL;
        load.update(healthy);
    }
}

const INTERVAL: Duration = Duration::from_secs(10);
const MAX_HALVINGS: u32 = 10;

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn every_bad_interval_halves_once_more_and_a_good_one_sets_it_back() {
        let load = Load::default();
        let mut monitor = Monitor::new(Instant::now());
        let mut halvings = Vec::new();
        for healthy in [[true].as_slice(), &[false; 12], &[true, false]].concat() {
            assert!(!monitor.is_due(Instant::now()));
            advance(INTERVAL).await;
            assert!(monitor.is_due(Instant::now()));
            monitor.check(healthy, &load, Instant::now());
            halvings.push(load.halvings());
        }
        assert_eq!(halvings, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 10, 0, 1]);
    }
}
