//! When the server is told of losses.

use std::time::Duration;

use tokio::time::Instant;

/// The calendar of client reports.
pub(super) struct Reporting {
    /// From when on losses ride along with the next envelope.
    attach_from: Instant,
    /// From when on losses are sent alone.
    alone_from: Instant,
    /// Whether losses are being sent alone.
    under_way: bool,
    said_goodbye: bool,
}

impl Reporting {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            attach_from: now,
            alone_from: now + ALONE,
            under_way: false,
            said_goodbye: false,
        }
    }

    /// Another worker goes on.
    pub(super) fn resume(&mut self, now: Instant) {
        self.alone_from = now + ALONE;
        self.under_way = false;
        self.said_goodbye = false;
    }

    /// Whether losses may ride along now.
    pub(super) fn may_attach(&self, now: Instant) -> bool {
        now >= self.attach_from
    }

    /// Whether it is time to send losses alone, as it is if somebody waits for that.
    pub(super) fn is_due(&mut self, waited_for: bool, now: Instant) -> bool {
        let due = waited_for || now >= self.alone_from;
        if due {
            // Even if there is nothing to tell now.
            self.alone_from = now + ALONE;
        }
        due
    }

    /// Losses are on their way, with an envelope or alone.
    pub(super) fn taken(&mut self, now: Instant) {
        self.attach_from = now + ATTACHED;
        self.alone_from = now + ALONE;
    }

    /// Losses are being sent alone, or that has ended.
    pub(super) fn set_under_way(&mut self, under_way: bool) {
        self.under_way = under_way;
    }

    /// Whether losses are being sent alone.
    pub(super) fn is_under_way(&self) -> bool {
        self.under_way
    }

    /// Whether the last report of a worker is still to be sent. Says so once.
    pub(super) fn say_goodbye(&mut self) -> bool {
        !std::mem::replace(&mut self.said_goodbye, true)
    }

    pub(super) fn alone_from(&self) -> Instant {
        self.alone_from
    }
}

/// How often losses ride along at most.
const ATTACHED: Duration = Duration::from_secs(30);
/// How often losses are sent alone at most, unless somebody waits for it.
const ALONE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn losses_ride_along_every_half_minute_and_go_alone_every_minute() {
        let mut reporting = Reporting::new(Instant::now());
        assert!(reporting.may_attach(Instant::now()));
        reporting.taken(Instant::now());
        assert!(!reporting.may_attach(Instant::now()));
        advance(ATTACHED).await;
        assert!(reporting.may_attach(Instant::now()));
        assert!(!reporting.is_due(false, Instant::now()));
        advance(ALONE - ATTACHED).await;
        assert!(reporting.is_due(false, Instant::now()));
        assert!(!reporting.is_due(false, Instant::now()));
    }
}
