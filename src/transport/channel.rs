//! The way from whoever submits something to the worker.

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

/// Where items are submitted, from any thread, without a lock.
pub(super) struct Channel {
    sender: Sender<Item>,
    accounts: Arc<Accounts>,
    bell: Arc<Bell>,
}

/// Where the worker takes them. It outlives the worker.
pub(super) struct Inbox {
    receiver: Receiver<Item>,
    /// How many items came out of the channel. The next one has this number.
    received: u64,
    /// What was taken out before its turn, or came back, by number.
    ahead: BTreeMap<u64, Entry>,
    pub(super) marks: Marks,
}

/// Makes both ends.
pub(super) fn channel(accounts: &Arc<Accounts>, bell: &Arc<Bell>) -> (Channel, Inbox) {
    // As much as is ever admitted, so that what is admitted always fits.
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
    /// It wakes the worker if that waits for the next item, or lingers and there are many now.
    pub(super) fn submit(&self, item: Item) -> bool {
        // What is refused is freed after it was counted, as that takes time.
        let Some(pending) = self.accounts.admit(&item.weight, item.size) else {
            return false;
        };
        if let Err(refused) = self.sender.try_send(item) {
            // It can't be: there is a place for all that is admitted.
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

    /// Waits for an item, to be [taken](Self::take) then.
    ///
    /// Only when there is nothing else to do: as long as it was polled last, every item wakes the worker.
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

    /// Takes out what was sent before so many had been, ahead of its turn. Returns whether all of it is here.
    pub(super) fn gather(&mut self, before: u64) -> bool {
        // Some of them may not be sent yet; who is to wait for them is about to send them at the same time.
        let sent = self.received + self.receiver.len() as u64;
        while self.received < before.min(sent) {
            let Some(entry) = self.receive() else {
                return false;
            };
            self.ahead.insert(entry.ticket.number, entry);
        }
        true
    }

    /// Takes in what has come back.
    pub(super) fn take_back(&mut self, returned: &Returned) {
        let entries = returned.take().into_iter();
        self.ahead
            .extend(entries.map(|entry| (entry.ticket.number, entry)));
    }

    fn receive(&mut self) -> Option<Entry> {
        // `try_recv` would block the thread while another one is in the middle of sending.
        let received = unconstrained(self.receiver.recv()).now_or_never();
        received.flatten().map(|item| self.entry(item))
    }

    fn entry(&mut self, item: Item) -> Entry {
        let number = self.received;
        self.received += 1;
        Entry::new(item, number, self.marks.current())
    }
}
