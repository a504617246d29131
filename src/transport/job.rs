//! One item on its way from the channel to where it ends.

use std::future::poll_fn;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::accounts::{Accounts, Outcome};
use super::bell::Bell;
use super::item::Item;
use super::ledger::Weight;
use super::marks::Mark;
use super::payload::Payload;
use crate::export::Prepared;
use crate::filter::{Build, Built};
use crate::protocol::{Category, DiscardReason, Transaction};

/// Something taken out of the channel to be delivered.
///
/// It ends in exactly one of [`accept`](Self::accept), [`discard`](Self::discard)
/// and [`discard_unreported`](Self::discard_unreported). Dropped without, as happens to all that is in
/// flight when a runtime shuts down, it returns to the worker by way of [`Returned`].
pub(super) struct Job {
    // `None` once settled.
    content: Option<Content>,
    pub(super) ticket: Ticket,
    home: Arc<Returned>,
}

/// The data of a job, without the duty to settle it.
pub(super) struct Entry {
    pub(super) content: Content,
    pub(super) ticket: Ticket,
}

/// What is known of a job wherever it is.
#[derive(Clone)]
pub(super) struct Ticket {
    /// Its place in the order in which all came out of the channel.
    pub(super) number: u64,
    pub(super) weight: Weight,
    /// The bytes it holds in memory, as far as the bounds are concerned.
    pub(super) size: usize,
    /// How often it was sent.
    pub(super) tries: u32,
    pub(super) first_try: Option<Instant>,
    /// Held until it is settled.
    _mark: Mark,
}

/// How far it has come.
pub(super) enum Content {
    /// As it was submitted.
    Payload(Box<dyn Payload>),
    /// On its way to being built.
    Building(BoxFuture<'static, Built>),
    /// Built, and not written yet.
    Built(Box<Transaction>),
    /// Already written, because it was tried before.
    Prepared(Box<Prepared>),
}

/// Keeps jobs that were dropped before they were settled, until a worker takes them back.
///
/// Most of them were in flight when their runtime ended. Some return much
/// later, from a thread that was building them.
pub(super) struct Returned {
    entries: Mutex<Vec<Entry>>,
    accounts: Arc<Accounts>,
    bell: Arc<Bell>,
}

impl Returned {
    pub(super) fn new(accounts: Arc<Accounts>, bell: Arc<Bell>) -> Self {
        Self {
            entries: Mutex::default(),
            accounts,
            bell,
        }
    }

    pub(super) fn take(&self) -> Vec<Entry> {
        mem::take(&mut *self.entries.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn put(&self, entry: Entry) {
        let entries = self.entries.lock();
        entries.unwrap_or_else(PoisonError::into_inner).push(entry);
        self.ring();
    }

    /// Wakes the worker to look for jobs that returned or were settled on another thread.
    pub(super) fn ring(&self) {
        self.bell.ring();
    }
}

impl Entry {
    pub(super) fn new(item: Item, number: u64, mark: Mark) -> Self {
        Self {
            content: Content::Payload(item.payload),
            ticket: Ticket {
                number,
                weight: item.weight,
                size: item.size,
                tries: 0,
                first_try: None,
                _mark: mark,
            },
        }
    }
}

impl Job {
    pub(super) fn new(entry: Entry, home: &Arc<Returned>) -> Self {
        Self {
            content: Some(entry.content),
            ticket: entry.ticket,
            home: Arc::clone(home),
        }
    }

    pub(super) fn category(&self) -> Category {
        self.ticket.weight.category()
    }

    /// Where it returns to unless it is settled.
    pub(super) fn home(&self) -> &Arc<Returned> {
        &self.home
    }

    /// Whether the next step would block the worker for long.
    pub(super) fn takes_long(&self) -> bool {
        let by_itself = match &self.content {
            Some(Content::Payload(payload)) => payload.takes_long(),
            _ => false,
        };
        by_itself || self.ticket.size > LARGE
    }

    /// Builds the payload, as far as that goes at once. `None`: nothing is to be sent, and it is counted.
    pub(super) fn build(mut self) -> Option<Self> {
        let payload = match self.content.take() {
            Some(Content::Payload(payload)) => payload,
            content => {
                self.content = content;
                return Some(self);
            }
        };
        // Nothing that the payload could leave half done is reachable after it.
        match catch_unwind(AssertUnwindSafe(|| payload.build())) {
            Ok(Build::Ready(built)) => self.take_built(built),
            Ok(Build::Pending(building)) => {
                self.content = Some(Content::Building(building));
                Some(self)
            }
            Err(_) => {
                self.discard(DiscardReason::InternalSdkError);
                None
            }
        }
    }

    /// Whether it is built.
    pub(super) fn is_built(&self) -> bool {
        matches!(self.content, Some(Content::Built(_) | Content::Prepared(_)))
    }

    /// Whether [`build`](Self::build) has left something to wait for.
    pub(super) fn is_building(&self) -> bool {
        matches!(self.content, Some(Content::Building(_)))
    }

    /// Waits for what [`build`](Self::build) has left. Dropped before that, it goes on where the job is taken up again.
    pub(super) async fn built(mut self) -> Option<Self> {
        let built = poll_fn(|context| match &mut self.content {
            Some(Content::Building(building)) => building.poll_unpin(context).map(Some),
            _ => Poll::Ready(None),
        });
        match AssertUnwindSafe(built).catch_unwind().await {
            Ok(Some(built)) => self.take_built(built),
            Ok(None) => Some(self),
            Err(_) => {
                self.discard(DiscardReason::InternalSdkError);
                None
            }
        }
    }

    fn take_built(mut self, built: Built) -> Option<Self> {
        for (reason, spans) in built.removed {
            self.drop_part(reason, Category::Span, spans);
        }
        match built.transaction {
            Ok(transaction) => {
                self.grow(Category::Span, transaction.spans.len() as u64 + 1);
                self.content = Some(Content::Built(transaction));
                Some(self)
            }
            Err(reason) => {
                self.discard(reason);
                None
            }
        }
    }

    /// Writes what was built, unless an earlier try did. `None`: it could not be written, and is counted.
    pub(super) fn prepare(mut self) -> Option<Self> {
        let prepared = match self.content.take() {
            Some(Content::Built(transaction)) => Prepared::new(transaction).inspect(|prepared| {
                // Once written they are gone, whatever becomes of the rest.
                let dropped = prepared.dropped_spans.into();
                self.drop_part(DiscardReason::BufferOverflow, Category::Span, dropped);
            }),
            Some(Content::Prepared(prepared)) => Some(*prepared),
            _ => None,
        };
        let Some(prepared) = prepared else {
            self.discard(DiscardReason::InternalSdkError);
            return None;
        };
        self.content = Some(Content::Prepared(Box::new(prepared)));
        Some(self)
    }

    /// Counts a part that was removed from it.
    fn drop_part(&mut self, reason: DiscardReason, category: Category, quantity: u64) {
        let dropped = self.ticket.weight.reduce(category, quantity);
        if dropped > 0 {
            self.home.accounts.drop_part(reason, category, dropped);
        }
    }

    /// Counts what it has gained since it was submitted, if this is more.
    fn grow(&mut self, category: Category, quantity: u64) {
        let added = self.ticket.weight.raise(category, quantity);
        if added > 0 {
            self.home.accounts.add(category, added);
        }
    }

    /// What [`prepare`](Self::prepare) wrote.
    pub(super) fn prepared(&self) -> Option<&Prepared> {
        match &self.content {
            Some(Content::Prepared(prepared)) => Some(prepared),
            _ => None,
        }
    }

    /// Counts the bytes that it really holds, before it waits for another try.
    pub(super) fn measure(&mut self) {
        let Some(size) = self.prepared().map(Prepared::size) else {
            return;
        };
        self.home.accounts.room.resize(self.ticket.size, size);
        self.ticket.size = size;
    }

    pub(super) fn accept(self) {
        self.settle(Outcome::Accepted);
    }

    /// Drops it, and has the server told of it.
    pub(super) fn discard(self, reason: DiscardReason) {
        self.settle(Outcome::Dropped {
            reason: reason.into(),
            reported: true,
        });
    }

    /// Drops it for a reason that the server knows, having counted it itself.
    pub(super) fn discard_unreported(self, reason: DiscardReason) {
        self.settle(Outcome::Dropped {
            reason: reason.into(),
            reported: false,
        });
    }

    fn settle(mut self, outcome: Outcome) {
        self.content = None;
        let Ticket { weight, size, .. } = &self.ticket;
        self.home.accounts.settle(weight, *size, outcome);
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if let Some(content) = self.content.take() {
            let ticket = self.ticket.clone();
            self.home.put(Entry { content, ticket });
        }
    }
}

/// From which size on it is built and written on a thread that may block.
const LARGE: usize = 64 * 1024;
