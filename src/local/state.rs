//! What the connections and the handle of a receiver share.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::counts::Counts;
use super::kept::Kept;
use super::refusal::Refusal;
use super::store::Store;
use super::summary::Summary;

/// What the connections and the handle share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) limit: usize,
    store: Mutex<Store>,
    /// Changes after the store does, so whoever is woken finds what was counted.
    pub(super) counts: watch::Sender<Counts>,
}

impl Shared {
    pub(super) fn new(limit: usize, keep: usize) -> Self {
        Self {
            limit,
            store: Mutex::new(Store::new(keep)),
            counts: watch::Sender::new(Counts::default()),
        }
    }

    pub(super) fn accept(&self, envelope: Kept, summary: &Summary) {
        self.store().push(envelope);
        self.counts.send_modify(|counts| counts.add(summary));
    }

    pub(super) fn refuse(&self, refusal: Refusal) {
        self.store().push_refusal(refusal);
        self.counts.send_modify(|counts| counts.refused += 1);
    }

    pub(super) fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
