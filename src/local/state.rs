//! What the connections and the handle of a receiver share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, watch};

use super::body::Memory;
use super::counts::Counts;
use super::kept::Kept;
use super::refusal::Refusal;
use super::settings::Settings;
use super::store::Store;
use super::summary::Summary;

/// What the connections and the handle share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) settings: Settings,
    /// The memory for large bodies.
    pub(super) memory: Memory,
    /// Has a permit for each large body that may be decoded at a time.
    pub(super) decoding: Arc<Semaphore>,
    store: Mutex<Store>,
    /// Changes after the store does, so whoever is woken finds what was counted.
    pub(super) counts: watch::Sender<Counts>,
}

impl Shared {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            memory: Memory::new(settings.body_limit),
            decoding: Arc::new(Semaphore::new(MAX_DECODING)),
            store: Mutex::new(Store::new(settings.keep)),
            settings,
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

/// How many large bodies are decoded at a time.
const MAX_DECODING: usize = 2;
