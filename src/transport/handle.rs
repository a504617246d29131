//! What the client holds of a transport.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time;

use super::config::Config;
use super::control::Message;
use super::enabled::has_timers;
use super::item::Item;
use super::ledger::{DeliveryReport, Weight};
use super::payload::Payload;
use super::shared::Shared;
use super::worker::start;
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
        start(&shared, shared.claim(runtime.id()), runtime);
        Self { shared }
    }

    /// Queues something for delivery, from any thread.
    ///
    /// When the queue is full the payload is dropped and counted `queue_overflow`;
    /// after [`close`](Self::close) it is dropped and counted `closed`.
    pub(crate) fn submit(&self, payload: Box<dyn Payload>) {
        let queued = self.shared.channel.submit(Item::new(payload));
        if queued && !self.shared.is_running() {
            self.restart();
        }
    }

    /// Counts a transaction that the sampling decided against, under `sample_rate` or `backpressure`.
    pub(crate) fn unsampled(&self, reason: DiscardReason) {
        self.shared.accounts.count_unsampled(reason);
    }

    /// How often the sample rate is to be halved, because what is sampled can't be delivered.
    pub(crate) fn load(&self) -> u32 {
        self.shared.accounts.load.halvings()
    }

    /// Counts a loss of something that was never submitted, such as spans over the limit. It
    /// counts as sampled and dropped.
    pub(crate) fn discard(&self, reason: DiscardReason, category: Category, quantity: u64) {
        let weight = Weight::of(category, quantity);
        self.shared.accounts.lose(reason.into(), &weight);
    }

    /// Waits until everything submitted so far is settled and losses are reported, or until the deadline.
    ///
    /// It must be awaited inside a Tokio runtime, any one with timers; elsewhere it returns at once.
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
        self.end(Message::Close);
        self.drain(deadline).await;
        let report = self.stats();
        self.end(Message::Abandon);
        report
    }

    /// What became of everything so far.
    pub(crate) fn stats(&self) -> DeliveryReport {
        self.shared.accounts.report()
    }

    async fn drain(&self, deadline: Duration) {
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        if !has_timers() {
            return;
        }
        let drained = async {
            // A worker whose runtime ends meanwhile lets go of those who wait; they carry on with another.
            for _ in 0..MAX_WORKERS {
                let Some((done, claim)) = self.shared.ask(runtime.id()) else {
                    return;
                };
                start(&self.shared, claim, &runtime);
                if done.await.is_ok() {
                    return;
                }
            }
        };
        // At the deadline the numbers say what is still pending.
        let _ = time::timeout(deadline, drained).await;
    }

    /// Admits nothing more, and has the worker do what the message says.
    fn end(&self, message: Message) {
        let runtime = Handle::try_current().ok();
        let claim = self.shared.end(message, runtime.as_ref().map(Handle::id));
        if let Some(runtime) = runtime {
            start(&self.shared, claim, &runtime);
        }
    }

    /// Starts a worker here, where there is a runtime, if none runs.
    #[cold]
    fn restart(&self) {
        if let Ok(runtime) = Handle::try_current() {
            start(&self.shared, self.shared.claim(runtime.id()), &runtime);
        }
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
        self.end(Message::Abandon);
    }
}

/// How many ends of workers one flush lives through.
const MAX_WORKERS: usize = 4;
