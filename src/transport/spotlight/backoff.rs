//! When Spotlight is tried again.

use std::time::Duration;

use tokio::time::Instant;

/// A pause after every failure, twice as long as the one before.
#[derive(Default)]
pub(super) struct Backoff {
    /// The length of the last pause and its end.
    pause: Option<(Duration, Instant)>,
}

impl Backoff {
    /// Whether nothing is to be sent now.
    pub(super) fn is_active(&self, now: Instant) -> bool {
        self.pause.is_some_and(|(_, end)| now < end)
    }

    pub(super) fn failed(&mut self, now: Instant) {
        let length = match self.pause {
            None => FIRST,
            Some((last, _)) => (last * 2).min(LONGEST),
        };
        self.pause = Some((length, now + length));
    }

    pub(super) fn succeeded(&mut self) {
        self.pause = None;
    }
}

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn pauses_double_up_to_a_minute_and_end_with_a_success() {
        let mut backoff = Backoff::default();
        assert!(!backoff.is_active(Instant::now()));
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            backoff.failed(Instant::now());
            advance(Duration::from_secs(seconds) - Duration::from_millis(1)).await;
            assert!(backoff.is_active(Instant::now()), "{seconds}");
            advance(Duration::from_millis(1)).await;
            assert!(!backoff.is_active(Instant::now()), "{seconds}");
        }
        backoff.succeeded();
        backoff.failed(Instant::now());
        advance(FIRST).await;
        assert!(!backoff.is_active(Instant::now()));
    }
}
