//! When to try again what failed on the way to the server.

use std::time::Duration;

/// How often an envelope is sent at most. Attempts that reached no server do not count.
pub(super) const MAX_TRIES: u32 = 4;
/// How long after its first try an envelope is given up.
pub(super) const MAX_AGE: Duration = Duration::from_secs(60);

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
}
