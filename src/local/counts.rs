//! Totals of what arrived.

use std::collections::BTreeMap;

use super::summary::Summary;

/// What a receiver was sent since it started, whether it still holds it or not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Envelopes that were accepted.
    pub envelopes: u64,
    /// Transactions that were accepted.
    pub transactions: u64,
    /// Spans of accepted transactions, the root of each included, as client reports count them.
    pub spans: u64,
    /// Spans that were accepted on their own, outside of transactions.
    pub streamed_spans: u64,
    /// Requests that were refused.
    pub refused: u64,
    discarded: BTreeMap<(String, String), u64>,
}

impl Counts {
    /// What clients reported to have dropped of a category for a reason, such as
    /// `queue_overflow` and `span`.
    pub fn discarded(&self, reason: &str, category: &str) -> u64 {
        self.iter_discarded()
            .filter(|entry| entry.0 == reason && entry.1 == category)
            .map(|entry| entry.2)
            .sum()
    }

    /// What clients reported to have dropped: reason, category and quantity.
    pub fn iter_discarded(&self) -> impl Iterator<Item = (&str, &str, u64)> {
        self.discarded
            .iter()
            .map(|((reason, category), quantity)| (reason.as_str(), category.as_str(), *quantity))
    }

    pub(super) fn add(&mut self, summary: &Summary) {
        self.envelopes += 1;
        if let Some(spans) = summary.transaction_spans {
            self.transactions += 1;
            self.spans += 1 + spans;
        }
        self.streamed_spans += summary.streamed_spans;
        for (reason, category, quantity) in &summary.discarded {
            // Names are free text: without bounds, they could fill the memory.
            let key = (shortened(reason), shortened(category));
            if self.discarded.len() < MAX_NAMES || self.discarded.contains_key(&key) {
                let sum = self.discarded.entry(key).or_default();
                *sum = sum.saturating_add(*quantity);
            }
        }
    }
}

fn shortened(name: &str) -> String {
    name.chars().take(MAX_NAME).collect()
}

/// How many pairs of reason and category are counted; the protocol has some 200.
const MAX_NAMES: usize = 1_000;
/// How many characters of a reason or category are kept; those of the protocol have up to 20.
const MAX_NAME: usize = 100;
