//! What waits to be delivered.

use std::collections::VecDeque;

use tokio::time::Instant;

use super::job::Content;
use super::payload::Payload;

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
    pub(super) content: Content,
    pub(super) ticket: Ticket,
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

    /// Takes back the oldest entry.
    pub(super) fn put_back(&mut self, entry: Entry) {
        self.queued_bytes += entry.ticket.size;
        self.entries.push_front(entry);
    }

    /// Gives the room of a settled entry free.
    pub(super) fn release(&mut self, ticket: &Ticket) {
        self.pending_bytes -= ticket.size;
    }

    /// Has an entry that left the queue take other room than before.
    pub(super) fn resize(&mut self, ticket: &mut Ticket, size: usize) {
        self.release(ticket);
        self.pending_bytes += size;
        ticket.size = size;
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
