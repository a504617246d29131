//! The channel from the application to the worker.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::coop::unconstrained;

use super::accounts::{Accounts, Outcome};
use super::bell::Bell;
use super::item::Item;
use super::job::{Entry, Returned};
use super::marks::Marks;
use crate::protocol::DiscardReason;

/// The sending end: takes items from any thread, without a lock.
pub(super) struct Channel {
    sender: Sender<Item>,
    accounts: Arc<Accounts>,
    bell: Arc<Bell>,
}

/// The receiving end, which outlives the worker that holds it.
pub(super) struct Inbox {
    receiver: Receiver<Item>,
    /// How many items were received. The next one gets this number.
    received: u64,
    /// Items that were received ahead of their turn or returned, by number.
    ahead: BTreeMap<u64, Entry>,
    pub(super) marks: Marks,
}

/// Creates both ends.
pub(super) fn channel(accounts: &Arc<Accounts>, bell: &Arc<Bell>) -> (Channel, Inbox) {
    // As long as the bound, so that an admitted item always fits.
    let capacity = usize::try_from(accounts.room.most_items()).unwrap_or(usize::MAX);
    let (sender, receiver) = mpsc::channel(capacity.clamp(1, Semaphore::MAX_PERMITS));
    let channel = Channel {
        sender,
        accounts: Arc::clone(accounts),
        bell: Arc::clone(bell),
    };
    let inbox = Inbox {
        receiver,
        received: 0,
        ahead: BTreeMap::new(),
        marks: Marks::default(),
    };
    (channel, inbox)
}

impl Channel {
    /// Queues an item, or counts it as dropped. Returns whether it is queued.
    ///
    /// Wakes the worker if it waits for the next item, or if it lingers and many are pending.
    pub(super) fn submit(&self, item: Item) -> bool {
        let Some(pending) = self.accounts.admit(&item.weight, item.size) else {
            return false;
        };
        if let Err(refused) = self.sender.try_send(item) {
            // Never happens: there is a place for every item that is admitted.
            let item = refused.into_inner();
            let reason = DiscardReason::InternalSdkError.into();
            let reported = true;
            let outcome = Outcome::Dropped { reason, reported };
            self.accounts.settle(&item.weight, item.size, outcome);
            return false;
        }
        self.bell.ring_at(pending);
        true
    }
}

impl Inbox {
    /// Takes the oldest item, if there is one.
    pub(super) fn take(&mut self) -> Option<Entry> {
        if let Some((_, entry)) = self.ahead.pop_first() {
            return Some(entry);
        }
        self.receive()
    }

    /// Waits until there is an item to [take](Self::take).
    ///
    /// After a poll that is pending, the next item wakes the worker.
    pub(super) fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.ahead.is_empty() {
            let Poll::Ready(Some(item)) = self.receiver.poll_recv(context) else {
                return Poll::Pending;
            };
            let entry = self.entry(item);
            self.ahead.insert(entry.ticket.number, entry);
        }
        Poll::Ready(())
    }

    /// Receives all items up to this number ahead of their turn. Returns whether it has all of them.
    pub(super) fn gather(&mut self, before: u64) -> bool {
        // Items that are still being sent at the same time as the flush need not be covered by it.
        let sent = self.received + self.receiver.len() as u64;
        while self.received < before.min(sent) {
            let Some(entry) = self.receive() else {
                return false;
            };
            self.ahead.insert(entry.ticket.number, entry);
        }
        true
    }

    /// Takes back jobs that were dropped before they were settled.
    pub(super) fn take_back(&mut self, returned: &Returned) {
        let entries = returned.take().into_iter();
        self.ahead
            .extend(entries.map(|entry| (entry.ticket.number, entry)));
    }

    fn receive(&mut self) -> Option<Entry> {
        // `try_recv` would block this thread while another one is in the middle of sending.
        let received = unconstrained(self.receiver.recv()).now_or_never();
        received.flatten().map(|item| self.entry(item))
    }

    fn entry(&mut self, item: Item) -> Entry {
        let number = self.received;
        self.received += 1;
        Entry::new(item, number, self.marks.current())
    }
}
