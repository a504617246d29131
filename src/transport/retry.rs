//! When to try again what failed on the way to the server.

use std::time::Duration;

use tokio::time::Instant;

/// How often an envelope is sent at most. Attempts that reached no server do not count.
pub(super) const MAX_TRIES: u32 = 4;
/// How long after its first try an envelope is given up.
pub(super) const MAX_AGE: Duration = Duration::from_secs(60);

/// A time in which no connection to the server could be made.
///
/// While it lasts, one envelope at a time is tried, further and further apart,
/// and everything else stays in the queue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outage {
    failures: u32,
    until: Instant,
}

impl Outage {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            failures: 1,
            until: now + backoff(1),
        }
    }

    /// When the server is tried next.
    pub(super) fn until(&self) -> Instant {
        self.until
    }

    /// An envelope is tried: the next one waits, whatever becomes of this one.
    pub(super) fn probe(&mut self, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        self.until = now + backoff(self.failures);
    }

    /// Makes the next try due, because somebody waits for it.
    pub(super) fn hurry(&mut self, now: Instant) {
        *self = Self {
            failures: 0,
            until: now,
        };
    }
}

/// How long to wait after a number of failures in a row: doubled each time, with jitter.
pub(super) fn backoff(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let longest = (FIRST_WAIT * 2_u32.pow(doublings)).min(LONGEST_WAIT);
    longest.mul_f64(rand::random_range(0.5..=1.0))
}

const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound() {
        for (failures, longest) in [(0, 250), (1, 250), (2, 500), (5, 4000), (7, 10_000)] {
            let longest = Duration::from_millis(longest);
            for _ in 0..100 {
                let wait = backoff(failures);
                assert!(
                    wait >= longest / 2 && wait <= longest,
                    "{failures}: {wait:?}"
                );
            }
        }
        assert!(backoff(u32::MAX) <= LONGEST_WAIT);
    }

    #[tokio::test(start_paused = true)]
    async fn each_probe_puts_off_the_next() {
        let now = Instant::now();
        let mut outage = Outage::new(now);
        assert!(outage.until() >= now + Duration::from_millis(125));
        outage.probe(now);
        assert!(outage.until() >= now + Duration::from_millis(250));
        outage.hurry(now);
        assert_eq!(outage.until(), now);
    }
}
