//! What the handle and the worker share, and what outlives a runtime.

use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::{self, Handle};
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use super::discards::Discards;
use super::ledger::{DeliveryReport, DropReason, Ledger};
use super::queue::{Job, Outcome, Queue, Ticket};
use super::rate_limit::RateLimits;
use super::worker::Worker;
use super::{Config, Payload};
use crate::protocol::{Category, DiscardReason};

/// Everything that is not lost when the worker's runtime shuts down.
pub(super) struct Shared {
    pub(super) config: Config,
    state: Mutex<State>,
    notify: Notify,
    /// Counted apart from the state, because deciding against a transaction must cost next to nothing.
    unsampled_transactions: AtomicU64,
    unsampled_children: AtomicU64,
}

impl Shared {
    pub(super) fn new(config: Config) -> Self {
        Self {
            config,
            state: Mutex::default(),
            notify: Notify::new(),
            unsampled_transactions: AtomicU64::new(0),
            unsampled_children: AtomicU64::new(0),
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
        let Some(reason) = self.refusal(&state, size) else {
            state.queue.push(payload, spans, size);
            state.ledger.admit(spans);
            let (wake, stopped) = (state.needs_waking(&self.config), !state.running);
            drop(state);
            if stopped {
                self.ensure_worker();
            } else if wake {
                self.wake();
            }
            return;
        };
        state.ledger.lose(reason, 1, spans);
        self.tell(&mut state, reason, 1, spans);
        // Before the payload, which takes time to free.
        drop(state);
    }

    /// Why a payload cannot be admitted now, if it cannot.
    fn refusal(&self, state: &State, size: usize) -> Option<DropReason> {
        if state.phase != Phase::Open {
            return Some(DropReason::Closed);
        }
        let items_full = state.ledger.pending() >= self.config.queue_items as u64;
        let bytes = state.queue.pending_bytes().saturating_add(size);
        let full = items_full || bytes > self.config.queue_bytes;
        full.then_some(DiscardReason::QueueOverflow.into())
    }

    /// Whether more could be submitted, so that what failed may stay.
    pub(super) fn has_room(&self) -> bool {
        let state = self.lock();
        state.ledger.pending() < self.config.queue_items as u64
            && state.queue.pending_bytes() < self.config.queue_bytes
    }

    /// Takes the oldest entry out of the queue.
    pub(super) fn take(self: &Arc<Self>) -> Option<Job> {
        let entry = self.lock().queue.pop()?;
        Some(Job::new(entry, Arc::clone(self)))
    }

    pub(super) fn settle(&self, ticket: &Ticket, outcome: Outcome) {
        let mut state = self.lock();
        state.queue.release(ticket);
        match outcome {
            Outcome::Accepted => state.ledger.accept(ticket.spans),
            Outcome::Dropped { reason, reported } => {
                state.ledger.drop(reason, ticket.spans);
                if reported {
                    self.tell(&mut state, reason, 1, ticket.spans);
                }
            }
        }
        for flush in &mut state.flushes {
            if ticket.number < flush.before {
                flush.remaining -= 1;
            }
        }
    }

    /// Notes a loss for the next client report.
    fn tell(&self, state: &mut State, reason: DropReason, transactions: u64, spans: u64) {
        if let (DropReason::Discarded(reason), true) = (reason, self.config.send_client_reports) {
            state
                .discards
                .add(reason, Category::Transaction, transactions);
            state.discards.add(reason, Category::Span, spans);
        }
    }

    pub(super) fn unsampled(&self, children: u32) {
        self.unsampled_transactions.fetch_add(1, Ordering::Relaxed);
        if children > 0 {
            self.unsampled_children
                .fetch_add(u64::from(children), Ordering::Relaxed);
        }
    }

    pub(super) fn discard(&self, reason: DiscardReason, category: Category, quantity: u64) {
        let (transactions, spans) = match category {
            Category::Transaction => (quantity, 0),
            Category::Span => (0, quantity),
        };
        let mut state = self.lock();
        self.tell(&mut state, reason.into(), transactions, spans);
        match reason {
            // Decisions of the sampling are no losses.
            DiscardReason::SampleRate | DiscardReason::Backpressure => {
                state.ledger.decide_against(transactions);
            }
            reason => state.ledger.lose(reason.into(), transactions, spans),
        }
    }

    /// Takes all losses that the server has not been told of.
    pub(super) fn take_discards(&self) -> Discards {
        let mut state = self.lock();
        let mut discards = mem::take(&mut state.discards);
        if self.config.send_client_reports {
            let transactions = self.unsampled_transactions.load(Ordering::Relaxed);
            let children = self.unsampled_children.load(Ordering::Relaxed);
            let told = mem::replace(&mut state.unsampled_told, (transactions, children));
            let (transactions, children) = (transactions - told.0, children - told.1);
            let reason = DiscardReason::SampleRate;
            discards.add(reason, Category::Transaction, transactions);
            discards.add(reason, Category::Span, transactions + children);
        }
        discards
    }

    pub(super) fn stats(&self) -> DeliveryReport {
        let unsampled = self.unsampled_transactions.load(Ordering::Relaxed);
        self.lock().ledger.report(unsampled)
    }

    /// Starts to wait for all that was submitted so far. `None`: there is nothing to wait for.
    pub(super) fn register_flush(&self) -> Option<oneshot::Receiver<()>> {
        let mut state = self.lock();
        let (closed, remaining) = (state.phase != Phase::Open, state.ledger.pending());
        if closed && !state.running && remaining == 0 {
            return None;
        }
        state.flushes.retain(|flush| !flush.done.is_closed());
        let (done, receiver) = oneshot::channel();
        let before = state.queue.next_number();
        state.flushes.push(Flush {
            before,
            remaining,
            reported: false,
            done,
        });
        state.hurry = true;
        Some(receiver)
    }

    /// Enters a later phase and lets the worker know.
    pub(super) fn enter(self: &Arc<Self>, phase: Phase) {
        let mut state = self.lock();
        state.phase = state.phase.max(phase);
        state.hurry = true;
        let stranded = !state.running && state.ledger.pending() > 0;
        drop(state);
        if stranded {
            self.ensure_worker();
        }
        self.wake();
    }

    /// Makes sure that a worker runs, if need be on the runtime that this is called on.
    pub(super) fn ensure_worker(self: &Arc<Self>) -> bool {
        if self.lock().running {
            return true;
        }
        Handle::try_current().is_ok_and(|runtime| self.start_worker(&runtime))
    }

    pub(super) fn start_worker(self: &Arc<Self>, runtime: &Handle) -> bool {
        let mut state = self.lock();
        if state.failed_on == Some(runtime.id()) {
            return false;
        }
        if !mem::replace(&mut state.running, true) {
            state.attention = Attention::Busy;
            let memory = state.memory;
            drop(state);
            // On a runtime that has shut down this drops the worker, which then is no longer running.
            drop(runtime.spawn(Worker::new(Arc::clone(self), memory).run()));
        }
        true
    }
}

