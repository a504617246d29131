//! The counters of one transport: room, ledgers and unreported losses.

use std::sync::Arc;

use super::backpressure::Load;
use super::discards::{Discards, Unsent};
use super::ledger::{DeliveryReport, DropReason, Ledgers, Weight};
use super::room::{Pending, Room};
use super::unsampled::Unsampled;
use crate::protocol::{Category, DiscardReason};

/// Room, ledgers, and the losses that the next client report has to include.
///
/// Everything is atomic, so counting never waits for a lock.
pub(super) struct Accounts {
    pub(super) room: Room,
    ledgers: Ledgers,
    discards: Arc<Discards>,
    unsampled: Unsampled,
    pub(super) load: Load,
}

/// What became of an item.
#[derive(Clone, Copy)]
pub(super) enum Outcome {
    Accepted,
    Dropped {
        reason: DropReason,
        /// Whether a client report includes it. Not if the server counted it itself.
        reported: bool,
    },
}

impl Accounts {
    pub(super) fn new(queue_items: usize, queue_bytes: usize) -> Self {
        Self {
            room: Room::new(queue_items, queue_bytes),
            ledgers: Ledgers::default(),
            discards: Arc::default(),
            unsampled: Unsampled::default(),
            load: Load::default(),
        }
    }

    /// Admits an item, or counts it as dropped. Returns how much is pending with it.
    pub(super) fn admit(&self, weight: &Weight, size: usize) -> Option<Pending> {
        match self.room.reserve(size) {
            Ok(pending) => {
                self.ledgers.admit(weight);
                Some(pending)
            }
            Err(reason) => {
                self.lose(reason, weight);
                None
            }
        }
    }

    /// Counts a loss of something that never was pending.
    pub(super) fn lose(&self, reason: DropReason, weight: &Weight) {
        self.ledgers.lose(reason, weight);
        self.tell(reason, weight);
    }

    /// Counts how a pending item ended, and releases its room.
    pub(super) fn settle(&self, weight: &Weight, size: usize, outcome: Outcome) {
        match outcome {
            Outcome::Accepted => self.ledgers.accept(weight),
            Outcome::Dropped { reason, reported } => {
                self.ledgers.drop(reason, weight);
                if reported {
                    self.tell(reason, weight);
                }
            }
        }
        // Last: once nothing is pending, all is counted.
        self.room.release(size);
    }

    /// Counts a dropped part of a pending item. The rest is still sent.
    pub(super) fn drop_part(&self, reason: DiscardReason, category: Category, quantity: u64) {
        self.ledgers.drop_part(reason.into(), category, quantity);
        self.discards.add(reason, category, quantity);
    }

    /// Counts what was added to a pending item.
    pub(super) fn add(&self, category: Category, quantity: u64) {
        self.ledgers.add(category, quantity);
    }

    /// Counts a transaction that the sampling decided against.
    pub(super) fn count_unsampled(&self, reason: DiscardReason) {
        self.unsampled.count(reason);
    }

    /// Takes all losses that were not reported yet, if there are any.
    pub(super) fn take_unsent(&self) -> Option<Unsent> {
        for (reason, transactions) in self.unsampled.take_unreported() {
            // None of them has recorded children, so each is one span.
            for category in [Category::Transaction, Category::Span] {
                self.discards.add(reason, category, transactions);
            }
        }
        Unsent::take(&self.discards)
    }

    pub(super) fn report(&self) -> DeliveryReport {
        self.ledgers.report(self.unsampled.total())
    }

    /// Notes a loss for the next client report.
    fn tell(&self, reason: DropReason, weight: &Weight) {
        if let DropReason::Discarded(reason) = reason {
            for (category, quantity) in weight.iter() {
                self.discards.add(reason, category, quantity);
            }
        }
    }
}
