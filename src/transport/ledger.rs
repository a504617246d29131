//! What became of everything: counters, and the report made of them.

use std::fmt;

use crate::diagnostics::{self, Topic};
use crate::protocol::DiscardReason;

/// What became of everything that was sampled, at one moment.
///
/// For transactions and for spans alike, `sampled` is always the sum of what
/// was accepted, what was dropped and what is still pending.
///
/// Its `Display` is one line about the transactions:
/// `12 transactions sampled: 10 accepted, 2 dropped (queue_overflow 2), 0 pending`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeliveryReport {
    /// Transactions.
    pub transactions: Tally,
    /// Spans, the roots of the transactions included.
    pub spans: Tally,
    /// How many transactions the sampling decided against. They are in no other number.
    pub unsampled: u64,
}

/// How many of one kind there were, and where they are now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tally {
    /// How many were sampled.
    pub sampled: u64,
    /// How many the server accepted.
    pub accepted: u64,
    /// How many are queued or on their way.
    pub pending: u64,
    dropped: [u64; DropReason::COUNT],
}

/// Why something that was sampled will not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DropReason {
    /// A reason that the protocol has a name for.
    Discarded(DiscardReason),
    /// It was finished after the client was closed. Servers are not told of these.
    Closed,
}

/// The counters behind every [`DeliveryReport`].
///
/// Each method moves numbers from one place to another, so that the sums hold
/// between any two calls.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    transactions: Tally,
    spans: Tally,
}

impl Tally {
    /// How many were dropped, for whatever reason.
    pub fn dropped(&self) -> u64 {
        self.dropped.iter().sum()
    }

    /// How many were dropped for this reason.
    pub fn dropped_because(&self, reason: DropReason) -> u64 {
        self.dropped[reason.index()]
    }

    /// The reasons that something was dropped for, and how much.
    pub fn drops(&self) -> impl Iterator<Item = (DropReason, u64)> {
        let counts = self.dropped.iter().copied();
        DropReason::all()
            .zip(counts)
            .filter(|(_, count)| *count > 0)
    }

    fn admit(&mut self, count: u64) {
        self.sampled += count;
        self.pending += count;
    }

    fn accept(&mut self, count: u64) {
        self.pending -= count;
        self.accepted += count;
    }

    fn drop(&mut self, reason: DropReason, count: u64) {
        self.pending -= count;
        self.dropped[reason.index()] += count;
    }
}

impl DropReason {
    const COUNT: usize = DISCARD_REASONS.len() + 1;

    /// The name of the reason, as the protocol has it where it knows the reason.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Discarded(reason) => reason.as_str(),
            Self::Closed => "closed",
        }
    }

    pub(crate) fn index(self) -> usize {
        match self {
            Self::Discarded(reason) => reason as usize,
            Self::Closed => DISCARD_REASONS.len(),
        }
    }

    fn all() -> impl Iterator<Item = Self> {
        let discarded = DISCARD_REASONS.into_iter().map(Self::Discarded);
        discarded.chain([Self::Closed])
    }
}

impl Ledger {
    /// A transaction enters the queue.
    pub(crate) fn admit(&mut self, spans: u64) {
        self.transactions.admit(1);
        self.spans.admit(spans);
    }

    /// A pending transaction was accepted.
    pub(crate) fn accept(&mut self, spans: u64) {
        self.transactions.accept(1);
        self.spans.accept(spans);
    }

    /// A pending transaction was dropped.
    pub(crate) fn drop(&mut self, reason: DropReason, spans: u64) {
        diagnostics::once_with(&LOST[reason.index()], &reason);
        self.transactions.drop(reason, 1);
        self.spans.drop(reason, spans);
    }

    /// Spans of a pending transaction were dropped, which goes on without them.
    pub(crate) fn drop_spans(&mut self, reason: DropReason, spans: u64) {
        self.spans.drop(reason, spans);
    }

    /// Spans came on top of those that a pending transaction was admitted with.
    pub(crate) fn add_spans(&mut self, spans: u64) {
        self.spans.admit(spans);
    }

    /// Something was lost that never was pending.
    pub(crate) fn lose(&mut self, reason: DropReason, transactions: u64, spans: u64) {
        diagnostics::once_with(&LOST[reason.index()], &reason);
        self.transactions.admit(transactions);
        self.transactions.drop(reason, transactions);
        self.spans.admit(spans);
        self.spans.drop(reason, spans);
    }

    /// How many transactions are pending.
    pub(crate) fn pending(&self) -> u64 {
        self.transactions.pending
    }

    /// The numbers of this moment, with the unsampled ones, which are counted elsewhere.
    pub(crate) fn report(&self, unsampled: u64) -> DeliveryReport {
        DeliveryReport {
            transactions: self.transactions.clone(),
            spans: self.spans.clone(),
            unsampled,
        }
    }
}

impl fmt::Display for DeliveryReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tally = &self.transactions;
        let plural = if tally.sampled == 1 { "" } else { "s" };
        write!(
            f,
            "{} transaction{plural} sampled: {} accepted, {} dropped",
            tally.sampled,
            tally.accepted,
            tally.dropped()
        )?;
        for (place, (reason, count)) in tally.drops().enumerate() {
            let before = if place == 0 { " (" } else { ", " };
            write!(f, "{before}{reason} {count}")?;
        }
        let after = if tally.dropped() > 0 { ")" } else { "" };
        write!(f, "{after}, {} pending", tally.pending)
    }
}

impl From<DiscardReason> for DropReason {
    fn from(reason: DiscardReason) -> Self {
        Self::Discarded(reason)
    }
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Every reason at the place that its number says.
pub(super) const DISCARD_REASONS: [DiscardReason; 11] = [
    DiscardReason::QueueOverflow,
    DiscardReason::BufferOverflow,
    DiscardReason::RateLimitBackoff,
    DiscardReason::NetworkError,
    DiscardReason::SendError,
    DiscardReason::InternalSdkError,
    DiscardReason::SampleRate,
    DiscardReason::Backpressure,
    DiscardReason::BeforeSend,
    DiscardReason::EventProcessor,
    DiscardReason::Ignored,
];

static LOST: [Topic; DropReason::COUNT] =
    [const { Topic::new("transactions or spans are being lost") }; DropReason::COUNT];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_reason_stands_at_its_number() {
        for (place, reason) in DropReason::all().enumerate() {
            assert_eq!(reason.index(), place);
        }
        assert_eq!(DropReason::all().count(), DropReason::COUNT);
    }

    #[test]
    fn a_report_reads_as_one_line() {
        let mut ledger = Ledger::default();
        ledger.admit(1);
        assert_eq!(
            ledger.report(0).to_string(),
            "1 transaction sampled: 0 accepted, 0 dropped, 1 pending"
        );
        ledger.accept(1);
        ledger.lose(DropReason::Discarded(DiscardReason::QueueOverflow), 2, 2);
        ledger.lose(DropReason::Closed, 1, 1);
        assert_eq!(
            ledger.report(0).to_string(),
            "4 transactions sampled: 1 accepted, 3 dropped (queue_overflow 2, closed 1), 0 pending"
        );
    }

    proptest! {
        #[test]
        fn the_sums_hold_after_every_step(steps in prop::collection::vec((0..5_u8, 0..12_usize, 1..2000_u64), 0..200)) {
            let mut ledger = Ledger::default();
            let mut pending = Vec::new();
            for (step, reason, spans) in steps {
                let reason = DropReason::all().nth(reason).unwrap();
                match (step, pending.pop()) {
                    (0, Some(held)) => ledger.accept(held),
                    (1, Some(held)) => ledger.drop(reason, held),
                    (4, Some(held)) => {
                        let dropped = spans.min(held);
                        ledger.drop_spans(reason, dropped);
                        pending.push(held - dropped);
                    }
                    (2, held) => {
                        pending.extend(held);
                        ledger.lose(reason, spans % 2, spans);
                    }
                    (_, held) => {
                        pending.extend(held);
                        pending.push(spans);
                        ledger.admit(spans);
                    }
                }
                let report = ledger.report(0);
                for tally in [&report.transactions, &report.spans] {
                    let sum = tally.accepted + tally.dropped() + tally.pending;
                    prop_assert_eq!(tally.sampled, sum);
                }
                prop_assert_eq!(report.transactions.pending, pending.len() as u64);
                prop_assert_eq!(report.spans.pending, pending.iter().sum::<u64>());
            }
        }
    }
}
