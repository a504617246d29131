//! What one operation costs.

use std::time::{Duration, Instant};

/// What is measured: one thing at a time, so that none is in the way of another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Meter {
    Time,
    /// On the thread that measures. What an operation makes other threads do is not in it.
    ///
    /// Only with the feature `allocations`, whose allocator takes more time.
    Allocations,
}

/// What was measured, for one operation.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    pub nanoseconds: f64,
    pub allocations: f64,
    pub bytes: f64,
    /// Bytes that were allocated and are not free yet.
    pub retained: f64,
    /// Bytes that were written, where that is what the operation does.
    pub output: f64,
}

impl Meter {
    /// Repeats an operation and says what one of them costs on average.
    #[inline]
    pub fn repeat(self, times: u32, mut operation: impl FnMut(u32)) -> Cost {
        self.once(times, || (0..times).for_each(&mut operation))
    }

    /// Does something that consists of so many operations.
    #[inline]
    pub fn once(self, operations: u32, work: impl FnOnce()) -> Cost {
        match self {
            Self::Time => {
                let start = Instant::now();
                work();
                Cost::of_time(start.elapsed(), operations)
            }
            Self::Allocations => allocated_by(work).shared_by(operations),
        }
    }
}

/// What work allocates in all.
#[cfg(feature = "allocations")]
fn allocated_by(work: impl FnOnce()) -> Cost {
    let info = allocation_counter::measure(work);
    Cost {
        allocations: info.count_total as f64,
        bytes: info.bytes_total as f64,
        retained: info.bytes_current as f64,
        ..Cost::default()
    }
}

#[cfg(not(feature = "allocations"))]
fn allocated_by(_: impl FnOnce()) -> Cost {
    panic!("only the feature `allocations` counts them");
}

impl Cost {
    fn shared_by(self, operations: u32) -> Self {
        let each = |total: f64| total / f64::from(operations);
        Self {
            allocations: each(self.allocations),
            bytes: each(self.bytes),
            retained: each(self.retained),
            ..self
        }
    }

    pub fn of_time(time: Duration, operations: u32) -> Self {
        Self {
            nanoseconds: time.as_nanos() as f64 / f64::from(operations),
            ..Self::default()
        }
    }

    pub fn with_output(self, bytes: usize) -> Self {
        Self {
            output: bytes as f64,
            ..self
        }
    }
}

/// The costs of one operation over all rounds.
#[derive(Clone, Debug, Default)]
pub struct Samples {
    /// In order.
    nanoseconds: Vec<f64>,
    /// What is the same each time.
    pub last: Cost,
}

impl Samples {
    pub fn push(&mut self, cost: Cost) {
        let place = self.nanoseconds.partition_point(|n| *n < cost.nanoseconds);
        self.nanoseconds.insert(place, cost.nanoseconds);
        self.last = cost;
    }

    /// The value that such a part of the rounds stays below.
    pub fn quantile(&self, part: f64) -> f64 {
        quantile(&self.nanoseconds, part)
    }

    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    pub fn least(&self) -> f64 {
        self.quantile(0.0)
    }

    /// How far apart the middle half of the rounds lies, in percent of the median.
    pub fn spread(&self) -> f64 {
        100.0 * (self.quantile(0.75) - self.quantile(0.25)) / self.median()
    }
}

/// The value that such a part of sorted values stays below, 0 where there are none.
pub fn quantile(sorted: &[f64], part: f64) -> f64 {
    let place = (sorted.len() as f64 * part) as usize;
    let last = sorted.len().saturating_sub(1);
    sorted.get(place.min(last)).copied().unwrap_or(0.0)
}
