//! Wakes a worker that is not waiting for the next item.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::sync::Notify;

use super::room::Pending;

/// Wakes the worker, but only if needed: waking it costs more than recording an item.
#[derive(Debug)]
pub(super) struct Bell {
    /// From how many pending items on it rings.
    at_items: AtomicU64,
    /// From how many pending bytes on it rings.
    at_bytes: AtomicUsize,
    notify: Notify,
}

impl Bell {
    /// Rings if the worker lingers and so much is pending. Otherwise it only reads two numbers.
    pub(super) fn ring_at(&self, pending: Pending) {
        if pending.items >= self.at_items.load(Ordering::Relaxed)
            || pending.bytes >= self.at_bytes.load(Ordering::Relaxed)
        {
            self.set(NEVER);
            self.ring();
        }
    }

    /// Rings in any case.
    pub(super) fn ring(&self) {
        self.notify.notify_one();
    }

    /// Sets how much has to be pending for it to ring, once.
    pub(super) fn set(&self, at: Pending) {
        self.at_items.store(at.items, Ordering::Relaxed);
        self.at_bytes.store(at.bytes, Ordering::Relaxed);
    }

    /// Waits until it rings.
    pub(super) async fn rung(&self) {
        self.notify.notified().await;
    }
}

impl Default for Bell {
    fn default() -> Self {
        Self {
            at_items: AtomicU64::new(NEVER.items),
            at_bytes: AtomicUsize::new(NEVER.bytes),
            notify: Notify::new(),
        }
    }
}

/// More than ever is pending.
pub(super) const NEVER: Pending = Pending {
    items: u64::MAX,
    bytes: usize::MAX,
};
