//! The transactions of one trace as one.

use serde_json::Map;

use super::span::ReceivedSpan;
use super::transaction::ReceivedTransaction;

impl ReceivedTransaction {
    /// Joins transactions of one trace, so that they can be drawn as one.
    ///
    /// It is the first of them to start, which becomes as long as all of it takes. The others that
    /// are in its trace become spans: each below the span that it names as its parent, with its own
    /// spans below it. Those of other traces are left out. `None` if there are none at all.
    pub fn joined<'a>(transactions: impl IntoIterator<Item = &'a Self>) -> Option<Self> {
        let mut transactions: Vec<_> = transactions.into_iter().collect();
        transactions.sort_by_key(|transaction| transaction.start);
        let (first, others) = transactions.split_first()?;
        let mut joined = Self::clone(first);
        let others = others
            .iter()
            .filter(|other| other.trace_id == first.trace_id);
        for other in others {
            joined.end = joined.end.max(other.end);
            joined.spans.push(other.root_as_span());
            joined.spans.extend(other.spans.iter().cloned());
        }
        Some(joined)
    }

    fn root_as_span(&self) -> ReceivedSpan {
        ReceivedSpan {
            trace_id: self.trace_id,
            span_id: self.span_id,
            parent_span_id: self.parent_span_id,
            op: self.op.clone(),
            description: self.name.clone(),
            status: self.status,
            start: self.start,
            end: self.end,
            data: Map::new(),
            tags: self.tags.clone(),
        }
    }
}
