//! One payload on its way from the queue to where it ends.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::ledger::DropReason;
use super::payload::Payload;
use super::queue::{Entry, Ticket};
use super::shared::Shared;
use crate::export::Prepared;
use crate::filter::{Build, Built};
use crate::protocol::{DiscardReason, Transaction};

/// Something taken out of the queue to be delivered.
///
/// It ends in exactly one of [`accept`](Self::accept), [`discard`](Self::discard)
/// and [`discard_unreported`](Self::discard_unreported). Dropped without, as happens to all that is in
/// flight when a runtime shuts down, it goes back into the queue.
pub(super) struct Job {
    // `None` once settled.
    content: Option<Content>,
    pub(super) ticket: Ticket,
    shared: Arc<Shared>,
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
    Prepared(Prepared),
}

/// What became of a job.
#[derive(Clone, Copy)]
pub(super) enum Outcome {
    Accepted,
    Dropped { reason: DropReason, reported: bool },
}

impl Job {
    pub(super) fn new(entry: Entry, shared: Arc<Shared>) -> Self {
        Self {
            content: Some(entry.content),
            ticket: entry.ticket,
            shared,
        }
    }

    /// Whether building it would keep others waiting.
    pub(super) fn takes_long(&self) -> bool {
        match &self.content {
            Some(Content::Payload(payload)) => payload.takes_long(),
            _ => false,
        }
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
            self.drop_spans(reason, spans);
        }
        match built.transaction {
            Ok(transaction) => {
                self.add_spans(transaction.spans.len() as u64 + 1);
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
                self.drop_spans(DiscardReason::BufferOverflow, dropped);
            }),
            Some(Content::Prepared(prepared)) => Some(prepared),
            _ => None,
        };
        let Some(prepared) = prepared else {
            self.discard(DiscardReason::InternalSdkError);
            return None;
        };
        self.content = Some(Content::Prepared(prepared));
        Some(self)
    }

    /// Counts spans that the transaction is sent without.
    fn drop_spans(&mut self, reason: DiscardReason, dropped: u64) {
        if dropped > 0 {
            let dropped = dropped.min(self.ticket.spans);
            self.ticket.spans -= dropped;
            self.shared.lock().drop_spans(reason, dropped);
        }
    }

    /// Counts spans that came on top of those it was submitted with, if it has so many now.
    fn add_spans(&mut self, spans: u64) {
        let added = spans.saturating_sub(self.ticket.spans);
        if added > 0 {
            self.ticket.spans += added;
            self.shared.lock().ledger.add_spans(added);
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
        self.shared.lock().queue.resize(&mut self.ticket, size);
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
        // Outlives the lock: freeing a payload takes time.
        let _content = self.content.take();
        self.shared.lock().settle(&self.ticket, outcome);
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if let Some(content) = self.content.take() {
            let entry = Entry {
                content,
                ticket: self.ticket,
            };
            self.shared.lock().queue.put_back(entry);
            self.shared.wake();
        }
    }
}
