//! What the handle and the worker share, and what outlives a runtime.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};

use super::backpressure::Load;
use super::config::Config;
use super::discards::Discards;
use super::job::Job;
use super::ledger::DeliveryReport;
use super::payload::Payload;
use super::state::{Phase, State};
use super::unsampled::{REASONS, Unsampled};
use super::worker::Worker;
use crate::own_work::hidden;
use crate::protocol::{Category, DiscardReason};

/// Everything that is not lost when the worker's runtime shuts down.
pub(super) struct Shared {
    pub(super) config: Config,
    state: Mutex<State>,
    notify: Notify,
    pub(super) unsampled: Unsampled,
    pub(super) load: Load,
}

impl Shared {
    pub(super) fn new(config: Config) -> Self {
        Self {
            config,
            state: Mutex::default(),
            notify: Notify::new(),
            unsampled: Unsampled::default(),
            load: Load::default(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // Only numbers move under the lock, so they are whole even if a panic came between.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn wake(&self) {
        self.notify.notify_one();
    }

    pub(super) async fn woken(&self) {
        self.notify.notified().await;
    }

    /// Admits a payload or counts it as dropped. Wakes or restarts the worker if that is needed.
    pub(super) fn submit(self: &Arc<Self>, payload: Box<dyn Payload>) {
        let (spans, size) = (u64::from(payload.spans()), payload.size());
        let mut state = self.lock();
        if let Some(reason) = state.refusal(&self.config, size) {
            state.overflowed |= reason == DiscardReason::QueueOverflow.into();
            state.ledger.lose(reason, 1, spans);
            state.tell(reason, 1, spans);
            // The payload is freed after this, as that takes time.
            drop(state);
            return;
        }
        state.queue.push(payload, spans, size);
        state.ledger.admit(spans);
        let running = state.is_running();
        let wake = state.needs_waking(&self.config);
        drop(state);
        if !running {
            self.ensure_worker();
        } else if wake {
            self.wake();
        }
    }

    /// Whether more could be submitted, so that what failed may stay.
    pub(super) fn has_room(&self) -> bool {
        self.lock().refusal(&self.config, 1).is_none_or(|reason| {
            // A closed transport has room for what it holds.
            reason != DiscardReason::QueueOverflow.into()
        })
    }

    /// Takes the oldest entry out of the queue.
    pub(super) fn take(self: &Arc<Self>) -> Option<Job> {
        let entry = self.lock().queue.pop()?;
        Some(Job::new(entry, Arc::clone(self)))
    }

    pub(super) fn discard(&self, reason: DiscardReason, category: Category, quantity: u64) {
        let (transactions, spans) = match category {
            Category::Transaction => (quantity, 0),
            Category::Span => (0, quantity),
        };
        let mut state = self.lock();
        state.tell(reason.into(), transactions, spans);
        state.ledger.lose(reason.into(), transactions, spans);
    }

    /// Takes all losses that the server has not been told of.
    pub(super) fn take_discards(&self) -> Discards {
        let mut state = self.lock();
        let mut discards = mem::take(&mut state.discards);
        let unsampled = self.unsampled.counts();
        let told = mem::replace(&mut state.unsampled_told, unsampled);
        drop(state);
        for (reason, (all, told)) in REASONS.into_iter().zip(unsampled.into_iter().zip(told)) {
            // None of them has recorded children, so each is one span.
            discards.add(reason, Category::Transaction, all - told);
            discards.add(reason, Category::Span, all - told);
        }
        discards
    }

    pub(super) fn stats(&self) -> DeliveryReport {
        let unsampled = self.unsampled.counts();
        self.lock().ledger.report(unsampled.iter().sum())
    }

    /// Lets somebody wait for all that was submitted so far, with a worker that runs.
    ///
    /// `None`: there is nothing to wait for, or nobody who could deliver it.
    pub(super) fn flush(self: &Arc<Self>) -> Option<oneshot::Receiver<()>> {
        let done = self.lock().add_flush()?;
        if !self.ensure_worker() {
            return None;
        }
        self.wake();
        Some(done)
    }

    /// Enters a later phase and lets the worker know.
    pub(super) fn enter(self: &Arc<Self>, phase: Phase) {
        let mut state = self.lock();
        // Even with nothing pending there may be losses to report, once.
        let needed = state.phase == Phase::Open || !state.is_drained();
        state.phase = state.phase.max(phase);
        state.hurry = true;
        drop(state);
        if needed {
            self.ensure_worker();
        }
        self.wake();
    }

    /// Makes sure that a worker runs, if need be on the runtime that this is called on.
    fn ensure_worker(self: &Arc<Self>) -> bool {
        if self.lock().is_running() {
            return true;
        }
        Handle::try_current().is_ok_and(|runtime| self.start_worker(&runtime))
    }

    /// Starts a worker, unless one runs already. On a runtime where one panicked there will be none.
    pub(super) fn start_worker(self: &Arc<Self>, runtime: &Handle) -> bool {
        let mut state = self.lock();
        if state.has_failed_on(runtime.id()) {
            return false;
        }
        let memory = state.start();
        drop(state);
        if let Some(memory) = memory {
            let worker = Worker::new(Arc::clone(self), memory);
            // A runtime that has shut down drops the worker at once, which then no longer runs.
            drop(runtime.spawn(hidden(worker.run())));
        }
        true
    }
}
