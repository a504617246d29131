//! A span inside of a received transaction.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use super::invalid::InvalidTransaction;
use super::object::Object;
use crate::id::{SpanId, TraceId};
use crate::protocol::SpanStatus;

/// A span inside of a received transaction.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ReceivedSpan {
    /// The trace that the span says it belongs to.
    pub trace_id: TraceId,
    /// This span.
    pub span_id: SpanId,
    /// The span that this one is a part of.
    pub parent_span_id: Option<SpanId>,
    /// What kind of work this is, empty if it was not sent.
    pub op: String,
    /// What exactly was done, empty if it was not sent.
    pub description: String,
    /// How the work ended. Statuses that servers do not know of are `None`.
    pub status: Option<SpanStatus>,
    /// When the work began.
    pub start: SystemTime,
    /// When the work ended.
    pub end: SystemTime,
    /// Attributes.
    pub data: Map<String, Value>,
    /// Short values to search by. Values that are not strings are written as JSON.
    pub tags: BTreeMap<String, String>,
}

impl ReceivedSpan {
    /// Reads the span at this place in the list of spans. `latest` is the end of its transaction.
    pub(super) fn parse(
        index: usize,
        value: &Value,
        latest: SystemTime,
    ) -> Result<Self, InvalidTransaction> {
        let place = format!("spans[{index}].");
        let span = Object::new(&place, value)?;
        let start = span.needed("start_timestamp", span.time("start_timestamp"))?;
        let end = span.time("timestamp")?;
        let status = match end {
            Some(_) => span.status(),
            None => Some(SpanStatus::DeadlineExceeded),
        };
        let end = end.unwrap_or(latest);
        if end < start {
            let place = place.trim_end_matches('.').to_owned();
            return Err(InvalidTransaction::EndsBeforeStart(place));
        }
        Ok(Self {
            trace_id: span.needed("trace_id", span.uuid("trace_id"))?,
            span_id: span.needed("span_id", span.span_id("span_id"))?,
            parent_span_id: span.span_id("parent_span_id")?,
            op: span.text("op")?,
            description: span.text("description")?,
            status,
            start,
            end,
            data: match span.get("data") {
                None => Map::new(),
                Some(Value::Object(data)) => data.clone(),
                Some(_) => return Err(span.malformed("data")),
            },
            tags: span.strings("tags"),
        })
    }

    /// The time from the start to the end.
    pub fn duration(&self) -> Duration {
        self.end.duration_since(self.start).unwrap_or_default()
    }
}
