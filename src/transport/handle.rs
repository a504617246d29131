//! Delivery: from something finished to an answer of the server.
//!
//! ```text
//! submit ─► queue, bounded ─► worker task ─► build ─► write ─► compress ─► upload, many in flight
//!                               rate limits, retries, client reports: plain fields of the task
//! ```
//!
//! Nothing in here knows what a span is: a [`Payload`] says how much it counts
//! for and how to build it, which may take its time and may end in nothing.
//!
//! Whatever is submitted ends in exactly one counter: accepted, or dropped
//! under a reason. Until then it is pending. What was taken out of the queue
//! is held by a guard that puts it back, so that this holds too when a runtime
//! shuts down amid an upload; the next runtime on which something is submitted
//! or flushed takes over. An envelope that was on its way then may arrive
//! twice, with the same event id, and what was being built goes on being built.
//!
//! A copy of all that may also go to a local viewer, on a way of its own
//! beside this one: [`spotlight`].
//!
//! # Size
//!
//! Servers refuse what is too large. A transaction that is gets shortened, and
//! loses its newest leaves, which are counted as `buffer_overflow`.
//!
//! # Retries
//!
//! An answer of the server is final. Where there is none, an envelope is sent
//! up to four times within a minute, with growing pauses, as long as the queue
//! has room. While no connection can be made at all, everything stays in the
//! queue and only one envelope at a time probes the way.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time;

use super::config::Config;
use super::ledger::DeliveryReport;
use super::payload::Payload;
use super::shared::Shared;
use super::state::Phase;
use crate::protocol::{Category, DiscardReason};

/// The way to the server.
///
/// Shared behind an [`Arc`]. Dropping it never blocks: what is queued gets one
/// last try, as long as the worker's runtime lives, and then the worker ends.
pub(crate) struct Transport {
    pub(super) shared: Arc<Shared>,
}

impl Transport {
    /// Starts the worker on a runtime, which needs its timer and its I/O enabled.
    pub(crate) fn new(config: Config, runtime: &Handle) -> Self {
        let shared = Arc::new(Shared::new(config));
        shared.start_worker(runtime);
        Self { shared }
    }

    /// Queues something for delivery, from any thread.
    ///
    /// When the queue is full the payload is dropped and counted `queue_overflow`;
    /// after [`close`](Self::close) it is dropped and counted `closed`.
    pub(crate) fn submit(&self, payload: Box<dyn Payload>) {
        self.shared.submit(payload);
    }

    /// Counts a transaction that the sampling decided against, under `sample_rate` or `backpressure`.
    pub(crate) fn unsampled(&self, reason: DiscardReason) {
        self.shared.unsampled.count(reason);
    }

    /// How often the sample rate is to be halved, because what is sampled can't be delivered.
    pub(crate) fn load(&self) -> u32 {
        self.shared.load.halvings()
    }

    /// Counts a loss of something that was never submitted, such as spans over the limit. It
    /// counts as sampled and dropped.
    pub(crate) fn discard(&self, reason: DiscardReason, category: Category, quantity: u64) {
        self.shared.discard(reason, category, quantity);
    }

    /// Waits until everything submitted so far is settled and losses are reported, or until the deadline.
    ///
    /// It must be awaited inside a Tokio runtime, any one; elsewhere it returns at once.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the waiting, not the sending: nothing is lost.
    pub(crate) async fn flush(&self, deadline: Duration) -> DeliveryReport {
        self.drain(deadline).await;
        self.stats()
    }

    /// Stops to admit anything, then does what [`flush`](Self::flush) does, and ends the worker.
    ///
    /// What is pending at the deadline gets one last try in the background.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the transport closed. What is pending goes on
    /// being delivered, and the worker ends after it.
    pub(crate) async fn close(&self, deadline: Duration) -> DeliveryReport {
        self.shared.enter(Phase::Closing);
        self.drain(deadline).await;
        let report = self.stats();
        self.shared.enter(Phase::Abandoned);
        report
    }

    /// What became of everything so far.
    pub(crate) fn stats(&self) -> DeliveryReport {
        self.shared.stats()
    }

    async fn drain(&self, deadline: Duration) {
        if Handle::try_current().is_err() {
            return;
        }
        let drained = async {
            // A worker whose runtime ends meanwhile lets go of those who wait; they carry on with another.
            for _ in 0..MAX_WORKERS {
                let Some(done) = self.shared.flush() else {
                    return;
                };
                if done.await.is_ok() {
                    return;
                }
            }
        };
        // At the deadline the numbers say what is still pending.
        let _ = time::timeout(deadline, drained).await;
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

impl Drop for Transport {
    fn drop(&mut self) {
        self.shared.enter(Phase::Abandoned);
    }
}

/// How many ends of workers one flush lives through.
const MAX_WORKERS: usize = 4;
