//! What stands behind the one lock of a transport.

use std::mem;

use tokio::runtime;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::config::Config;
use super::discards::Discards;
use super::job::Outcome;
use super::ledger::{DropReason, Ledger};
use super::queue::{Queue, Ticket};
use super::unsampled::REASONS;
use crate::export::RateLimits;
use crate::protocol::{Category, DiscardReason};

/// Everything that handle and worker both write. The lock is held only while some numbers move.
#[derive(Default)]
pub(super) struct State {
    pub(super) queue: Queue,
    pub(super) ledger: Ledger,
    /// What the server has not been told of.
    pub(super) discards: Discards,
    /// How many unsampled transactions went into client reports, for each reason.
    pub(super) unsampled_told: [u64; REASONS.len()],
    /// Whether the queue was full since the worker last looked.
    pub(super) overflowed: bool,
    pub(super) attention: Attention,
    pub(super) phase: Phase,
    /// Whether somebody waits, so that no retry should. The worker takes it.
    pub(super) hurry: bool,
    flushes: Vec<Flush>,
    /// Whether there is a worker. Set before it is spawned, cleared when it is dropped.
    running: bool,
    /// A runtime that the worker panicked on, as it does where there is no timer. It is not started there again.
    failed_on: Option<runtime::Id>,
    memory: Memory,
}

/// When a submitted payload has to wake the worker.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Attention {
    /// Never: it is awake, or will be when it can take more.
    #[default]
    Busy,
    /// When there are many: it will look by itself in a moment.
    Lingering,
    /// At once.
    Idle,
}

/// Where a transport is in its life.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    #[default]
    Open,
    /// Nothing is admitted any more. The worker ends when nothing is pending.
    Closing,
    /// Nobody waits any more: everything pending gets one last try.
    Abandoned,
}

/// What one worker hands over to the next.
#[derive(Clone, Copy, Default)]
pub(super) struct Memory {
    pub(super) limits: RateLimits,
    /// From when on losses ride along with the next envelope.
    pub(super) attach_from: Option<Instant>,
}

/// Somebody who waits until all that was submitted before is settled.
pub(super) struct Flush {
    /// The first number that it does not wait for.
    before: u64,
    /// How much of what it waits for is not settled.
    remaining: u64,
    /// Whether the client report that it forces was sent.
    pub(super) reported: bool,
    pub(super) done: oneshot::Sender<()>,
}

impl State {
    /// Why a payload of this size cannot be admitted now, if it cannot.
    pub(super) fn refusal(&self, config: &Config, size: usize) -> Option<DropReason> {
        if self.phase != Phase::Open {
            return Some(DropReason::Closed);
        }
        let bytes = self.queue.pending_bytes().saturating_add(size);
        let full = self.ledger.pending() >= config.queue_items as u64 || bytes > config.queue_bytes;
        full.then_some(DiscardReason::QueueOverflow.into())
    }

    /// Notes a loss for the next client report.
    pub(super) fn tell(&mut self, reason: DropReason, transactions: u64, spans: u64) {
        if let DropReason::Discarded(reason) = reason {
            let (transaction, span) = (Category::Transaction, Category::Span);
            self.discards.add(reason, transaction, transactions);
            self.discards.add(reason, span, spans);
        }
    }

    /// Moves something pending to where it ends.
    pub(super) fn settle(&mut self, ticket: &Ticket, outcome: Outcome) {
        self.queue.release(ticket);
        match outcome {
            Outcome::Accepted => self.ledger.accept(ticket.spans),
            Outcome::Dropped { reason, reported } => {
                self.ledger.drop(reason, ticket.spans);
                if reported {
                    self.tell(reason, 1, ticket.spans);
                }
            }
        }
        for flush in &mut self.flushes {
            if ticket.number < flush.before {
                flush.remaining -= 1;
            }
        }
    }

    /// Drops spans of something pending that is sent without them.
    pub(super) fn drop_spans(&mut self, reason: DiscardReason, spans: u64) {
        self.ledger.drop_spans(reason.into(), spans);
        self.tell(reason.into(), 0, spans);
    }

    /// Whether what was just queued has to wake the worker, which is awake from then on.
    pub(super) fn needs_waking(&mut self, config: &Config) -> bool {
        let many = || {
            self.queue.len() >= MANY_ITEMS
                || self.queue.queued_bytes() >= config.queue_bytes / MANY_BYTES
        };
        let wake = match self.attention {
            Attention::Busy => false,
            Attention::Lingering => many(),
            Attention::Idle => true,
        };
        if wake {
            self.attention = Attention::Busy;
        }
        wake
    }

    /// Lets somebody wait for all that was submitted so far. `None`: the worker ended with nothing left.
    pub(super) fn add_flush(&mut self) -> Option<oneshot::Receiver<()>> {
        if self.is_drained() && !self.running {
            return None;
        }
        // Those who gave up waiting would stay here as long as the server is silent.
        self.flushes.retain(|flush| !flush.done.is_closed());
        let (done, receiver) = oneshot::channel();
        self.flushes.push(Flush {
            before: self.queue.next_number(),
            remaining: self.ledger.pending(),
            reported: false,
            done,
        });
        self.hurry = true;
        Some(receiver)
    }

    /// Whether somebody waits for what is pending.
    pub(super) fn is_waited_for(&self) -> bool {
        self.phase != Phase::Open || !self.flushes.is_empty()
    }

    /// Takes those who wait for nothing any more but the client report.
    pub(super) fn take_flushed(&mut self) -> impl Iterator<Item = Flush> {
        self.flushes.extract_if(.., |flush| flush.remaining == 0)
    }

    /// Whether there is a worker.
    pub(super) fn is_running(&self) -> bool {
        self.running
    }

    /// Whether nothing more is admitted and nothing is pending.
    pub(super) fn is_drained(&self) -> bool {
        self.phase != Phase::Open && self.ledger.pending() == 0
    }

    /// Makes room for a worker, unless there is one. Returns what the one before knew.
    pub(super) fn start(&mut self) -> Option<Memory> {
        let was_running = mem::replace(&mut self.running, true);
        self.attention = Attention::Busy;
        (!was_running).then_some(self.memory)
    }

    pub(super) fn has_failed_on(&self, runtime: runtime::Id) -> bool {
        self.failed_on == Some(runtime)
    }

    /// Ends the worker, if nothing is left for it to do.
    pub(super) fn stop_if_drained(&mut self) -> bool {
        let stop = self.is_drained() && self.flushes.is_empty();
        if stop {
            self.running = false;
        }
        stop
    }

    /// Takes note of the end of a worker before its time.
    pub(super) fn stopped(&mut self, memory: Memory, failed_on: Option<runtime::Id>) {
        self.running = false;
        self.memory = memory;
        self.failed_on = failed_on.or(self.failed_on);
        // Those who wait see their channel closed, and start a worker where they are.
        self.flushes.clear();
    }
}

/// How many items wake a worker that lingers.
const MANY_ITEMS: usize = 64;
/// Which part of the queue's bytes wakes a worker that lingers.
const MANY_BYTES: usize = 16;
