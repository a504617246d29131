//! The last envelopes, within bounds.

use std::collections::VecDeque;
use std::sync::Arc;

use super::kept::Kept;
use super::refusal::Refusal;

/// The last envelopes and refusals.
#[derive(Debug)]
pub(super) struct Store {
    /// Oldest first. The newest is kept whatever its size.
    envelopes: VecDeque<Arc<Kept>>,
    /// How many envelopes came before the first of those.
    dropped: u64,
    /// How many bytes are held for them.
    bytes: usize,
    /// Oldest first.
    refusals: VecDeque<Refusal>,
    keep: usize,
}

impl Store {
    pub(super) fn new(keep: usize) -> Self {
        Self {
            envelopes: VecDeque::new(),
            dropped: 0,
            bytes: 0,
            refusals: VecDeque::new(),
            keep: keep.max(1),
        }
    }

    pub(super) fn push(&mut self, envelope: Kept) {
        self.bytes += envelope.size();
        self.envelopes.push_back(Arc::new(envelope));
        while self.envelopes.len() > 1
            && (self.envelopes.len() > self.keep || self.bytes > MAX_BYTES)
        {
            if let Some(oldest) = self.envelopes.pop_front() {
                self.bytes -= oldest.size();
                self.dropped += 1;
            }
        }
    }

    pub(super) fn push_refusal(&mut self, refusal: Refusal) {
        if self.refusals.len() == MAX_REFUSALS {
            self.refusals.pop_front();
        }
        self.refusals.push_back(refusal);
    }

    pub(super) fn envelopes(&self) -> Vec<Arc<Kept>> {
        self.envelopes.iter().cloned().collect()
    }

    pub(super) fn refusals(&self) -> impl Iterator<Item = &Refusal> {
        self.refusals.iter()
    }

    /// The first envelope with a transaction from number `cursor` on, and the number after it.
    pub(super) fn next_transaction(&self, cursor: u64) -> Option<(u64, Arc<Kept>)> {
        let seen = cursor.saturating_sub(self.dropped);
        let seen = usize::try_from(seen).ok()?;
        let mut rest = self.envelopes.iter().enumerate().skip(seen);
        let (index, envelope) = rest.find(|(_, envelope)| envelope.has_transaction())?;
        Some((self.dropped + index as u64 + 1, Arc::clone(envelope)))
    }
}

/// How many bytes may be held for envelopes.
const MAX_BYTES: usize = 16 * 1024 * 1024;
const MAX_REFUSALS: usize = 100;
