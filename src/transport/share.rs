//! Which part of a runtime delivery may take while the application needs all of it.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;

/// Keeps the worker to its share, as long as the runtime is busy.
///
/// The time counts that the worker itself takes: for putting transactions
/// together, writing and compressing them. The connections take about as much
/// again, in tasks of the HTTP client.
pub(super) struct Share {
    begin: Instant,
    /// How long the threads of the runtime had worked when the interval began.
    busy_before: Duration,
    /// Whether they had nothing but work in the interval before.
    crowded: bool,
    /// How long the worker has worked in this interval, or must not in the next one.
    used: Duration,
}

impl Share {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            begin: now,
            busy_before: Duration::ZERO,
            crowded: false,
            used: Duration::ZERO,
        }
    }

    /// The worker has worked for so long.
    pub(super) fn add(&mut self, worked: Duration) {
        self.used += worked;
    }

    /// When it may start something again, if it has used up its share.
    pub(super) fn used_up_until(&self, now: Instant) -> Option<Instant> {
        let next = self.begin + INTERVAL;
        (self.crowded && now < next && self.used > allowed(INTERVAL, threads())).then_some(next)
    }

    /// Begins a new interval if it is time for one.
    pub(super) fn look(&mut self, now: Instant) {
        let length = now.duration_since(self.begin);
        if length < INTERVAL {
            return;
        }
        let (busy, threads) = (busy(), threads());
        let worked = busy.saturating_sub(self.busy_before);
        // Not so the first time, when nothing is known of before.
        self.crowded = !self.busy_before.is_zero() && worked > part(length * threads, CROWDED);
        self.used = self.used.saturating_sub(allowed(length, threads));
        (self.begin, self.busy_before) = (now, busy);
    }
}

/// How long the worker may work in a time.
fn allowed(length: Duration, threads: u32) -> Duration {
    part(length * threads, ALLOWED)
}

fn part(length: Duration, percent: u32) -> Duration {
    length * percent / 100
}

/// How many threads the runtime has for its tasks.
fn threads() -> u32 {
    let threads = Handle::try_current().map_or(1, |runtime| runtime.metrics().num_workers());
    u32::try_from(threads).unwrap_or(1).max(1)
}

/// How long all of them have worked. Where that can't be measured they never have.
#[cfg(not(target_has_atomic = "64"))]
fn busy() -> Duration {
    Duration::ZERO
}

/// How long all of them have worked.
#[cfg(target_has_atomic = "64")]
fn busy() -> Duration {
    let Ok(runtime) = Handle::try_current() else {
        return Duration::ZERO;
    };
    let metrics = runtime.metrics();
    (0..metrics.num_workers())
        .map(|thread| metrics.worker_total_busy_duration(thread))
        .sum()
}

/// How often the share is looked at.
const INTERVAL: Duration = Duration::from_millis(20);
/// From which part of their time on, in percent, the threads have nothing but work.
const CROWDED: u32 = 90;
/// Which part of their time, in percent, the worker may then have.
const ALLOWED: u32 = 5;
