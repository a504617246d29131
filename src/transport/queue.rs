//! What waits to be delivered, and what was taken out to be delivered now.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::time::Instant;

use super::Payload;
use super::encode::Prepared;
use super::ledger::DropReason;
use super::shared::Shared;
use crate::protocol::DiscardReason;

/// Everything that waits, oldest first, and the room that is taken.
///
/// What has left the queue but is not settled still takes its room, so the
/// bounds hold for all that is pending.
#[derive(Default)]
pub(super) struct Queue {
    entries: VecDeque<Entry>,
    queued_bytes: usize,
    pending_bytes: usize,
    /// The number of the next entry.
    next: u64,
}

/// One of the things that wait.
pub(super) struct Entry {
    content: Content,
    ticket: Ticket,
}

enum Content {
    /// As it was submitted.
    Payload(Box<dyn Payload>),
    /// Already written, because it was tried before.
    Prepared(Prepared),
}

/// What is known of an entry wherever it is.
#[derive(Clone, Copy)]
pub(super) struct Ticket {
    /// Its place in the order of all that was submitted.
    pub(super) number: u64,
    pub(super) spans: u64,
    /// The bytes it holds in memory, as far as the queue's bound is concerned.
    pub(super) size: usize,
    /// How often it was sent.
    pub(super) tries: u32,
    pub(super) first_try: Option<Instant>,
}

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

/// What became of a job.
#[derive(Clone, Copy)]
pub(super) enum Outcome {
    Accepted,
    Dropped { reason: DropReason, reported: bool },
}

impl Queue {
    /// Appends a payload. The caller has made sure that there is room.
    pub(super) fn push(&mut self, payload: Box<dyn Payload>, spans: u64, size: usize) {
        let ticket = Ticket {
            number: self.next,
            spans,
            size,
            tries: 0,
            first_try: None,
        };
        self.next += 1;
        self.queued_bytes += size;
        self.pending_bytes += size;
        self.entries.push_back(Entry {
            content: Content::Payload(payload),
            ticket,
        });
    }

    pub(super) fn pop(&mut self) -> Option<Entry> {
        let entry = self.entries.pop_front()?;
        self.queued_bytes -= entry.ticket.size;
        Some(entry)
    }

    fn put_back(&mut self, entry: Entry) {
        self.queued_bytes += entry.ticket.size;
        self.entries.push_front(entry);
    }

    /// Gives the room of a settled entry free.
    pub(super) fn release(&mut self, ticket: &Ticket) {
        self.pending_bytes -= ticket.size;
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The bytes of what waits.
    pub(super) fn queued_bytes(&self) -> usize {
        self.queued_bytes
    }

    /// The bytes of what waits and of what is in flight.
    pub(super) fn pending_bytes(&self) -> usize {
        self.pending_bytes
    }

    /// The number that the next entry will have.
    pub(super) fn next_number(&self) -> u64 {
        self.next
    }
}

impl Job {
    pub(super) fn new(entry: Entry, shared: Arc<Shared>) -> Self {
        Self {
            content: Some(entry.content),
            ticket: entry.ticket,
            shared,
        }
    }

    /// Writes the payload, unless an earlier try did. `None`: it could not be written, and is counted.
    pub(super) fn prepare(mut self) -> Option<Self> {
        let prepared = match self.content.take() {
            Some(Content::Payload(payload)) => Prepared::new(payload).inspect(|prepared| {
                // Once written they are gone, whatever becomes of the rest.
                self.drop_spans(prepared.dropped_spans.into());
            }),
            Some(Content::Prepared(prepared)) => Some(prepared),
            None => None,
        };
        let Some(prepared) = prepared else {
            self.discard(DiscardReason::InternalSdkError);
            return None;
        };
        self.content = Some(Content::Prepared(prepared));
        Some(self)
    }

    /// Counts spans that there was no room for in the transaction.
    fn drop_spans(&mut self, dropped: u64) {
        if dropped > 0 {
            let dropped = dropped.min(self.ticket.spans);
            self.ticket.spans -= dropped;
            self.shared.lock().drop_spans(dropped);
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
        let mut state = self.shared.lock();
        state.queue.release(&self.ticket);
        state.queue.pending_bytes += size;
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
