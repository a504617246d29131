//! The bounds of what is pending.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use super::ledger::DropReason;
use crate::protocol::DiscardReason;

/// The bounds of everything that is pending, by count and by bytes.
///
/// An item reserves its room before it is queued and releases it when it is
/// settled, so the bounds cover what is queued and what is in flight.
#[derive(Debug)]
pub(super) struct Room {
    /// How many items were admitted so far. The highest bit is set once nothing more is.
    admitted: AtomicU64,
    /// How many of them are settled.
    settled: AtomicU64,
    /// The bytes of those that are not.
    bytes: AtomicUsize,
    most_items: u64,
    most_bytes: usize,
    /// Whether an item did not fit since the worker last looked.
    overflowed: AtomicBool,
}

/// How much is pending at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pending {
    pub(super) items: u64,
    pub(super) bytes: usize,
}

impl Room {
    pub(super) fn new(most_items: usize, most_bytes: usize) -> Self {
        Self {
            admitted: AtomicU64::new(0),
            settled: AtomicU64::new(0),
            bytes: AtomicUsize::new(0),
            most_items: most_items as u64,
            most_bytes,
            overflowed: AtomicBool::new(false),
        }
    }

    /// Reserves room for one item. Returns how much is pending with it, or why the item is refused.
    pub(super) fn reserve(&self, size: usize) -> Result<Pending, DropReason> {
        // Bytes first: an item that is counted as admitted has to follow.
        let bytes = self.reserve_bytes(size)?;
        match self.reserve_item() {
            Ok(items) => Ok(Pending { items, bytes }),
            Err(reason) => {
                self.bytes.fetch_sub(size, Ordering::Relaxed);
                Err(reason)
            }
        }
    }

    /// Reserves the place of one item. Returns how many are pending with it.
    fn reserve_item(&self) -> Result<u64, DropReason> {
        let mut items = 0;
        let next = |admitted: u64| {
            // Nothing that is settled was admitted later than this, or the exchange fails.
            let settled = self.settled.load(Ordering::Acquire);
            items = (admitted & !CLOSED).saturating_sub(settled) + 1;
            let fits = admitted & CLOSED == 0 && items <= self.most_items;
            fits.then_some(admitted + 1)
        };
        let admitted = self
            .admitted
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, next);
        match admitted {
            Ok(_) => Ok(items),
            Err(admitted) if admitted & CLOSED != 0 => Err(DropReason::Closed),
            Err(_) => Err(self.overflow()),
        }
    }

    /// Reserves bytes. Returns how many are pending with them.
    fn reserve_bytes(&self, size: usize) -> Result<usize, DropReason> {
        let with = |bytes: usize| {
            let bytes = bytes.checked_add(size)?;
            (bytes <= self.most_bytes).then_some(bytes)
        };
        let order = Ordering::Relaxed;
        match self.bytes.fetch_update(order, order, with) {
            Ok(before) => Ok(before + size),
            Err(_) if self.is_closed() => Err(DropReason::Closed),
            Err(_) => Err(self.overflow()),
        }
    }

    fn overflow(&self) -> DropReason {
        // Written only once: this happens under load.
        if !self.overflowed.load(Ordering::Relaxed) {
            self.overflowed.store(true, Ordering::Relaxed);
        }
        DiscardReason::QueueOverflow.into()
    }

    /// Releases the room of an item that is settled.
    pub(super) fn release(&self, size: usize) {
        self.bytes.fetch_sub(size, Ordering::Relaxed);
        self.settled.fetch_add(1, Ordering::Release);
    }

    /// Changes how many bytes a pending item holds, even beyond the bound.
    pub(super) fn resize(&self, from: usize, to: usize) {
        if to > from {
            self.bytes.fetch_add(to - from, Ordering::Relaxed);
        } else {
            self.bytes.fetch_sub(from - to, Ordering::Relaxed);
        }
    }

    /// Refuses all further items. Returns whether it was open before.
    pub(super) fn close(&self) -> bool {
        self.admitted.fetch_or(CLOSED, Ordering::AcqRel) & CLOSED == 0
    }

    pub(super) fn is_closed(&self) -> bool {
        self.admitted.load(Ordering::Acquire) & CLOSED != 0
    }

    /// Whether nothing more is admitted and nothing is pending.
    pub(super) fn is_drained(&self) -> bool {
        self.is_closed() && self.pending().items == 0
    }

    /// Whether nothing more fits. Never, once it is closed: what is pending may stay.
    pub(super) fn is_full(&self) -> bool {
        let pending = self.pending();
        !self.is_closed() && (pending.items >= self.most_items || pending.bytes >= self.most_bytes)
    }

    /// Whether an item did not fit since [`take_overflowed`](Self::take_overflowed) was last called.
    pub(super) fn has_overflowed(&self) -> bool {
        self.overflowed.load(Ordering::Relaxed)
    }

    /// Whether an item did not fit since this was last called.
    pub(super) fn take_overflowed(&self) -> bool {
        self.overflowed.swap(false, Ordering::Relaxed)
    }

    /// How many items were admitted so far.
    pub(super) fn admitted(&self) -> u64 {
        self.admitted.load(Ordering::Acquire) & !CLOSED
    }

    pub(super) fn pending(&self) -> Pending {
        let settled = self.settled.load(Ordering::Acquire);
        Pending {
            items: self.admitted().saturating_sub(settled),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }

    pub(super) fn most_items(&self) -> u64 {
        self.most_items
    }

    pub(super) fn most_bytes(&self) -> usize {
        self.most_bytes
    }
}

/// The bit of `admitted` that says that nothing more is.
const CLOSED: u64 = 1 << 63;

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: Result<Pending, DropReason> =
        Err(DropReason::Discarded(DiscardReason::QueueOverflow));

    #[test]
    fn items_and_bytes_are_bounded_and_given_back() {
        let room = Room::new(2, 100);
        assert_eq!(room.reserve(101), FULL);
        assert!(room.take_overflowed() && !room.take_overflowed());
        let (items, bytes) = (1, 60);
        assert_eq!(room.reserve(60), Ok(Pending { items, bytes }));
        assert_eq!(room.reserve(41), FULL);
        assert_eq!(room.reserve(usize::MAX), FULL);
        assert!(room.reserve(40).is_ok() && room.is_full());
        room.resize(40, 10);
        assert_eq!(room.reserve(1), FULL);
        room.release(60);
        assert_eq!(
            room.pending(),
            Pending {
                items: 1,
                bytes: 10
            }
        );
        assert!(room.reserve(90).is_ok());
        room.resize(90, 500);
        room.release(10);
        assert_eq!(room.reserve(0), FULL);
        room.release(500);
        assert_eq!(room.pending(), Pending { items: 0, bytes: 0 });
        assert_eq!(room.admitted(), 3);
    }

    #[test]
    fn a_closed_one_refuses_and_drains() {
        let room = Room::new(1, 100);
        assert!(room.reserve(100).is_ok());
        assert!(room.close() && !room.close());
        assert!(!room.is_full() && !room.is_drained());
        assert_eq!(room.reserve(1), Err(DropReason::Closed));
        room.release(100);
        assert_eq!(room.reserve(1), Err(DropReason::Closed));
        assert!(room.is_drained() && !room.take_overflowed());
        assert_eq!(room.admitted(), 1);
    }

    #[test]
    fn many_threads_take_no_more_than_there_is() {
        let room = Room::new(1_000, 1_500);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        if let Ok(pending) = room.reserve(2) {
                            assert!(pending.items <= 750 && pending.bytes <= 1_500);
                            room.release(2);
                        }
                    }
                });
            }
        });
        assert_eq!(room.pending(), Pending { items: 0, bytes: 0 });
    }
}
