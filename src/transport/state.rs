//! The part of what is shared that stands behind the lock.

use std::mem;

use tokio::runtime;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Config;
use super::discards::Discards;
use super::ledger::Ledger;
use super::queue::Queue;
use super::rate_limit::RateLimits;

/// The part behind the one lock, which is never held for longer than it takes to move some numbers.
#[derive(Default)]
pub(super) struct State {
    pub(super) queue: Queue,
    pub(super) discards: Discards,
    pub(super) attention: Attention,
    pub(super) phase: Phase,
    /// Whether somebody waits for the end of all retries. The worker takes it.
    pub(super) hurry: bool,
    ledger: Ledger,
    flushes: Vec<Flush>,
    running: bool,
    /// A runtime that the worker panicked on, as it does where there is no timer. It is not tried again there.
    failed_on: Option<runtime::Id>,
    memory: Memory,
    /// How many unsampled transactions and children of theirs went into client reports.
    unsampled_told: (u64, u64),
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

/// Where the transport is in its life.
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
    remaining: u64,
    /// Whether the client report that it forces was sent.
    pub(super) reported: bool,
    pub(super) done: oneshot::Sender<()>,
}

impl State {
    /// Whether what was just queued has to wake the worker, which is then awake.
    fn needs_waking(&mut self, config: &Config) -> bool {
        let wake = match self.attention {
            Attention::Busy => false,
            Attention::Lingering => {
                self.queue.len() >= MANY_ITEMS
                    || self.queue.queued_bytes() >= config.queue_bytes / MANY_BYTES
            }
            Attention::Idle => true,
        };
        if wake {
            self.attention = Attention::Busy;
        }
        wake
    }

    /// Takes those who wait for nothing any more but the client report.
    pub(super) fn take_flushed(&mut self) -> impl Iterator<Item = Flush> {
        self.flushes.extract_if(.., |flush| flush.remaining == 0)
    }

    /// Ends the worker, if nothing is left for it to do.
    pub(super) fn stop_if_drained(&mut self) -> bool {
        let drained = self.ledger.pending() == 0 && self.flushes.is_empty();
        let stop = self.phase != Phase::Open && drained;
        if stop {
            self.running = false;
        }
        stop
    }

    /// Whether nothing more is admitted and nothing is pending.
    pub(super) fn is_drained(&self) -> bool {
        self.phase != Phase::Open && self.ledger.pending() == 0
    }

    /// Takes note of the end of a worker, and lets those who wait for it know.
    pub(super) fn stopped(&mut self, memory: Memory, failed_on: Option<runtime::Id>) {
        self.running = false;
        self.memory = memory;
        self.failed_on = failed_on.or(self.failed_on);
        // They see the other end of their channel gone, and start a worker where they are.
        self.flushes.clear();
    }
}

/// How many items wake a worker that lingers.
const MANY_ITEMS: usize = 64;
/// Which part of the queue's bytes wakes a worker that lingers.
const MANY_BYTES: usize = 16;
