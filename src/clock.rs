//! Time as spans read it.
//!
//! Nothing else in the crate knows which clock that is: the processor's time
//! stamp counter, where there is one that runs at a constant rate.

use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use quanta::Clock;

/// A reading of the clock. Only differences between readings mean anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticks(i64);

/// A moment whose reading and wall-clock time are both known.
///
/// A transaction has one, so that a step of the wall clock can't make one of
/// its spans end before it starts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Anchor {
    ticks: Ticks,
    time: SystemTime,
}

impl Ticks {
    /// Reads the clock.
    #[inline]
    pub(crate) fn now() -> Self {
        Self(CLOCK.raw() as i64)
    }
}

impl Anchor {
    /// What stands in for an anchor where no time is ever written.
    pub(crate) const UNRECORDED: Self = Self {
        ticks: Ticks(0),
        time: SystemTime::UNIX_EPOCH,
    };

    /// Reads both clocks.
    #[inline]
    pub(crate) fn now() -> Self {
        Self {
            ticks: Ticks::now(),
            time: SystemTime::now(),
        }
    }

    /// The reading at this moment.
    pub(crate) fn ticks(&self) -> Ticks {
        self.ticks
    }

    /// The wall-clock time at a reading, to the nearest microsecond.
    pub(crate) fn time_at(&self, ticks: Ticks) -> SystemTime {
        let moved = if ticks >= self.ticks {
            self.time
                .checked_add(span(self.ticks, ticks) + HALF_A_MICROSECOND)
        } else {
            self.time
                .checked_sub(span(ticks, self.ticks).saturating_sub(HALF_A_MICROSECOND))
        };
        moved.unwrap_or(self.time)
    }

    /// What the clock reads, or would have read, at a wall-clock time.
    pub(crate) fn ticks_at(&self, time: SystemTime) -> Ticks {
        let moved = match time.duration_since(self.time) {
            Ok(later) => self.ticks.0.saturating_add(ticks_in(later)),
            Err(earlier) => self.ticks.0.saturating_sub(ticks_in(earlier.duration())),
        };
        Ticks(moved)
    }
}

/// Measures the rate of the clock, which takes up to 200 ms, once in a process.
pub(crate) fn calibrate() {
    LazyLock::force(&CLOCK);
}

/// The time between two readings, the earlier one first.
pub(crate) fn span(from: Ticks, to: Ticks) -> Duration {
    Duration::from_nanos(CLOCK.delta_as_nanos(0, to.0.abs_diff(from.0)))
}

/// How far the clock counts in a length of time.
fn ticks_in(length: Duration) -> i64 {
    const SAMPLE: u64 = 1 << 40;
    let nanos_in_sample = u128::from(CLOCK.delta_as_nanos(0, SAMPLE).max(1));
    let ticks = (length.as_nanos().saturating_mul(u128::from(SAMPLE))) / nanos_in_sample;
    i64::try_from(ticks).unwrap_or(i64::MAX)
}

static CLOCK: LazyLock<Clock> = LazyLock::new(Clock::new);

/// Makes the cut to whole microseconds, which writing a time does, a rounding.
const HALF_A_MICROSECOND: Duration = Duration::from_nanos(500);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_given_time_comes_back_to_the_microsecond() {
        let anchor = Anchor::now();
        for offset in [0, 1, 999, 1_000_000, 3_600_000_000, 86_400_000_000] {
            let offset = Duration::from_micros(offset);
            for time in [anchor.time + offset, anchor.time - offset] {
                let back = anchor.time_at(anchor.ticks_at(time));
                let error = back
                    .duration_since(time)
                    .unwrap_or_else(|early| early.duration());
                assert!(error <= Duration::from_micros(1), "{offset:?}: {error:?}");
            }
        }
    }

    #[test]
    fn far_times_do_not_overflow() {
        let anchor = Anchor::now();
        let far = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::MAX / 4);
        let _ = anchor.time_at(anchor.ticks_at(far));
        let _ = anchor.time_at(anchor.ticks_at(SystemTime::UNIX_EPOCH));
        let _ = anchor.time_at(Ticks(i64::MIN));
        let _ = anchor.time_at(Ticks(i64::MAX));
    }
}
