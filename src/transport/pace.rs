//! How many uploads may be in flight, and when the next may start.

use tokio::time::Instant;

use super::retry::backoff;
use crate::http::{Failure, POOL_IDLE_TIMEOUT};

/// Adapts to how the server is doing.
///
/// The number of uploads in flight doubles with every answer and halves
/// without, so that neither the start nor a recovery opens a connection for
/// each of them at once. While no connection can be made at all, one upload at
/// a time probes the way, further and further apart.
pub(super) struct Pace {
    longest_window: usize,
    window: usize,
    last_answer: Instant,
    outage: Option<Outage>,
    /// Set when nobody waits any more: then there are no pauses.
    abandoned: bool,
    given_up: bool,
}

/// A time in which no connection can be made.
#[derive(Clone, Copy)]
struct Outage {
    failures: u32,
    until: Instant,
}

impl Pace {
    pub(super) fn new(max_uploads: usize, now: Instant) -> Self {
        Self {
            longest_window: max_uploads.max(1),
            window: FIRST_WINDOW.min(max_uploads).max(1),
            last_answer: now,
            outage: None,
            abandoned: false,
            given_up: false,
        }
    }

    /// Whether one more upload may be in flight beside these.
    pub(super) fn has_slot(&self, in_flight: usize) -> bool {
        in_flight < self.window
    }

    /// When the server is tried next, if it could not be reached and that is not yet.
    pub(super) fn probe_at(&self, now: Instant) -> Option<Instant> {
        let until = self.outage?.until;
        (now < until && !self.abandoned).then_some(until)
    }

    /// An upload starts beside these.
    pub(super) fn started(&mut self, in_flight: usize, now: Instant) {
        let idle = now.duration_since(self.last_answer) > POOL_IDLE_TIMEOUT;
        if in_flight == 0 && idle {
            // No connection is open any more.
            self.window = self.window.min(FIRST_WINDOW);
        }
        if let Some(outage) = &mut self.outage {
            // The next one waits, whatever becomes of this one.
            outage.failures = outage.failures.saturating_add(1);
            outage.until = now + backoff(outage.failures);
        }
    }

    /// The server answered, whatever it said.
    pub(super) fn answered(&mut self, now: Instant) {
        self.window = (self.window * 2).min(self.longest_window);
        self.last_answer = now;
        self.outage = None;
    }

    /// An upload failed, for the nth time. Returns when it is to be tried again.
    pub(super) fn failed(&mut self, failure: Failure, tries: u32, now: Instant) -> Instant {
        self.window = (self.window / 2).max(1);
        if self.abandoned && failure != Failure::Exchange {
            self.given_up = true;
        }
        match failure {
            Failure::Connect => {
                let outage = self.outage.get_or_insert_with(|| Outage {
                    failures: 1,
                    until: now + backoff(1),
                });
                outage.until
            }
            // Most likely an idle connection that the server had closed.
            Failure::Exchange if tries == 1 => now,
            Failure::Exchange | Failure::Timeout => now + backoff(tries),
        }
    }

    /// Another runtime goes on, with connections of its own.
    pub(super) fn resume(&mut self) {
        self.window = self.window.min(FIRST_WINDOW);
    }

    /// Somebody waits: the next probe is due.
    pub(super) fn hurry(&mut self, now: Instant) {
        if let Some(outage) = &mut self.outage {
            *outage = Outage {
                failures: 0,
                until: now,
            };
        }
    }

    /// Nobody waits any more.
    pub(super) fn abandon(&mut self) {
        self.abandoned = true;
    }

    /// Whether nobody waits any more and the server could not be reached since.
    pub(super) fn has_given_up(&self) -> bool {
        self.given_up
    }
}

/// How many uploads may be in flight before the server has answered.
const FIRST_WINDOW: usize = 4;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn uploads_grow_with_answers_and_shrink_with_failures_and_time() {
        let mut pace = Pace::new(64, Instant::now());
        assert!(pace.has_slot(3) && !pace.has_slot(4));
        for _ in 0..10 {
            pace.answered(Instant::now());
        }
        assert!(pace.has_slot(63) && !pace.has_slot(64));
        pace.failed(Failure::Timeout, 1, Instant::now());
        assert!(pace.has_slot(31) && !pace.has_slot(32));
        advance(POOL_IDLE_TIMEOUT * 2).await;
        pace.started(0, Instant::now());
        assert!(pace.has_slot(3) && !pace.has_slot(4));
        for _ in 0..10 {
            pace.failed(Failure::Exchange, 1, Instant::now());
        }
        assert!(pace.has_slot(0) && !pace.has_slot(1));
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_is_probed_further_and_further_apart() {
        let mut now = Instant::now();
        let mut pace = Pace::new(64, now);
        assert_eq!(pace.probe_at(now), None);
        let mut waits = Vec::new();
        for _ in 0..8 {
            let due = pace.failed(Failure::Connect, 0, now);
            assert_eq!(pace.failed(Failure::Connect, 0, now), due);
            assert_eq!(pace.probe_at(now), Some(due));
            waits.push(due - now);
            advance(due - now).await;
            now = Instant::now();
            assert_eq!(pace.probe_at(now), None);
            pace.started(0, now);
        }
        assert!(waits[0] <= Duration::from_millis(250), "{waits:?}");
        assert!(waits[7] >= Duration::from_secs(5), "{waits:?}");
        pace.hurry(now);
        assert_eq!(pace.probe_at(now), None);
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_broken_connection_is_tried_again_at_once() {
        let now = Instant::now();
        let mut pace = Pace::new(64, now);
        assert_eq!(pace.failed(Failure::Exchange, 1, now), now);
        assert!(pace.failed(Failure::Exchange, 2, now) > now);
        assert!(pace.failed(Failure::Timeout, 1, now) > now);
        pace.abandon();
        pace.failed(Failure::Exchange, 1, now);
        assert!(!pace.has_given_up());
        pace.failed(Failure::Timeout, 1, now);
        assert!(pace.has_given_up());
    }
}
