//! What became of everything: counters, and the report made of them.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::diagnostics::{self, Topic};
use crate::protocol::{Category, DiscardReason};

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

/// The counters behind every [`DeliveryReport`]: one ledger for each category.
///
/// They are atomics, so counting needs no lock. `sampled` is raised before anything else is
/// counted and read after everything else, and what is not settled is pending, so the sums hold
/// at any time.
#[derive(Debug, Default)]
pub(crate) struct Ledgers {
    ledgers: [Ledger; CATEGORIES.len()],
}

#[derive(Debug, Default)]
struct Ledger {
    sampled: AtomicU64,
    accepted: AtomicU64,
    dropped: [AtomicU64; DropReason::COUNT],
}

/// How much an item counts for, by category: a transaction for one transaction and for its spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Weight {
    /// The item's own category first.
    parts: [(Category, u64); 2],
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

impl Weight {
    /// The weight of a transaction with so many spans, the root included.
    pub(crate) fn of_transaction(spans: u64) -> Self {
        Self {
            parts: [(Category::Transaction, 1), (Category::Span, spans)],
        }
    }

    /// A weight in one category alone.
    pub(crate) fn of(category: Category, quantity: u64) -> Self {
        Self {
            parts: [(category, quantity), (category, 0)],
        }
    }

    /// The category that the item belongs to.
    pub(crate) fn category(&self) -> Category {
        self.parts[0].0
    }

    /// The quantities that are not zero.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Category, u64)> {
        self.parts.into_iter().filter(|(_, quantity)| *quantity > 0)
    }

    /// Takes a quantity away, as far as there is so much. Returns how much that was.
    pub(crate) fn reduce(&mut self, category: Category, quantity: u64) -> u64 {
        let Some(part) = self.part(category) else {
            return 0;
        };
        let taken = quantity.min(*part);
        *part -= taken;
        taken
    }

    /// Raises a quantity to at least this much. Returns how much was added.
    pub(crate) fn raise(&mut self, category: Category, quantity: u64) -> u64 {
        let Some(part) = self.part(category) else {
            return 0;
        };
        let added = quantity.saturating_sub(*part);
        *part += added;
        added
    }

    fn part(&mut self, category: Category) -> Option<&mut u64> {
        let mut parts = self.parts.iter_mut();
        let (_, quantity) = parts.find(|(known, _)| *known == category)?;
        Some(quantity)
    }
}

impl Ledgers {
    /// An item enters the queue.
    pub(crate) fn admit(&self, weight: &Weight) {
        for (category, quantity) in weight.iter() {
            self.add(category, quantity);
        }
    }

    /// A pending item was accepted.
    pub(crate) fn accept(&self, weight: &Weight) {
        for (category, quantity) in weight.iter() {
            let accepted = &self.of(category).accepted;
            accepted.fetch_add(quantity, Ordering::Release);
        }
    }

    /// A pending item was dropped.
    pub(crate) fn drop(&self, reason: DropReason, weight: &Weight) {
        diagnostics::once_with(&LOST[reason.index()], &reason);
        for (category, quantity) in weight.iter() {
            self.drop_part(reason, category, quantity);
        }
    }

    /// A part of a pending item was dropped. The rest is still sent.
    pub(crate) fn drop_part(&self, reason: DropReason, category: Category, quantity: u64) {
        let dropped = &self.of(category).dropped[reason.index()];
        dropped.fetch_add(quantity, Ordering::Release);
    }

    /// A pending item has grown since it was admitted.
    pub(crate) fn add(&self, category: Category, quantity: u64) {
        let sampled = &self.of(category).sampled;
        sampled.fetch_add(quantity, Ordering::Relaxed);
    }

    /// Something was lost that never was pending.
    pub(crate) fn lose(&self, reason: DropReason, weight: &Weight) {
        self.admit(weight);
        self.drop(reason, weight);
    }

    /// The numbers of this moment, with the unsampled ones, which are counted elsewhere.
    pub(crate) fn report(&self, unsampled: u64) -> DeliveryReport {
        DeliveryReport {
            transactions: self.of(Category::Transaction).tally(),
            spans: self.of(Category::Span).tally(),
            unsampled,
        }
    }

    fn of(&self, category: Category) -> &Ledger {
        &self.ledgers[category as usize]
    }
}

impl Ledger {
    fn tally(&self) -> Tally {
        // `Acquire` makes everything visible that came before a count, such as its share of `sampled`.
        let accepted = self.accepted.load(Ordering::Acquire);
        let dropped = self.dropped.each_ref();
        let dropped = dropped.map(|count| count.load(Ordering::Acquire));
        let sampled = self.sampled.load(Ordering::Acquire);
        let settled = accepted + dropped.iter().sum::<u64>();
        Tally {
            sampled,
            accepted,
            pending: sampled.saturating_sub(settled),
            dropped,
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

/// Every category at the place that its number says.
pub(super) const CATEGORIES: [Category; 2] = [Category::Transaction, Category::Span];

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
    fn every_category_stands_at_its_number() {
        for (place, category) in CATEGORIES.into_iter().enumerate() {
            assert_eq!(category as usize, place);
        }
    }

    #[test]
    fn a_weight_shrinks_to_nothing_and_grows_to_what_is_there() {
        let mut weight = Weight::of_transaction(5);
        assert_eq!(weight.category(), Category::Transaction);
        assert_eq!(weight.reduce(Category::Span, 2), 2);
        assert_eq!(weight.raise(Category::Span, 3), 0);
        assert_eq!(weight.raise(Category::Span, 4), 1);
        assert_eq!(weight.reduce(Category::Span, 9), 4);
        assert!(weight.iter().eq([(Category::Transaction, 1)]));
        let mut spans = Weight::of(Category::Span, 7);
        assert_eq!(spans.reduce(Category::Transaction, 1), 0);
        assert_eq!(spans.raise(Category::Transaction, 1), 0);
        assert!(spans.iter().eq([(Category::Span, 7)]));
    }

    #[test]
    fn a_report_reads_as_one_line() {
        let ledger = Ledgers::default();
        ledger.admit(&Weight::of_transaction(1));
        assert_eq!(
            ledger.report(0).to_string(),
            "1 transaction sampled: 0 accepted, 0 dropped, 1 pending"
        );
        ledger.accept(&Weight::of_transaction(1));
        let reason = DropReason::Discarded(DiscardReason::QueueOverflow);
        ledger.lose(reason, &Weight::of(Category::Transaction, 2));
        ledger.lose(DropReason::Closed, &Weight::of_transaction(1));
        assert_eq!(
            ledger.report(0).to_string(),
            "4 transactions sampled: 1 accepted, 3 dropped (queue_overflow 2, closed 1), 0 pending"
        );
    }

    proptest! {
        #[test]
        fn the_sums_hold_after_every_step(steps in prop::collection::vec((0..5_u8, 0..12_usize, 1..2000_u64), 0..200)) {
            let ledger = Ledgers::default();
            let mut pending = Vec::new();
            for (step, reason, spans) in steps {
                let reason = DropReason::all().nth(reason).unwrap();
                match (step, pending.pop()) {
                    (0, Some(held)) => ledger.accept(&Weight::of_transaction(held)),
                    (1, Some(held)) => ledger.drop(reason, &Weight::of_transaction(held)),
                    (4, Some(held)) => {
                        let dropped = spans.min(held);
                        ledger.drop_part(reason, Category::Span, dropped);
                        pending.push(held - dropped);
                    }
                    (2, held) => {
                        pending.extend(held);
                        ledger.lose(reason, &Weight::of(Category::Transaction, spans % 2));
                        ledger.lose(reason, &Weight::of(Category::Span, spans));
                    }
                    (_, held) => {
                        pending.extend(held);
                        pending.push(spans);
                        ledger.admit(&Weight::of_transaction(spans));
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
