//! A span inside of a received transaction.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use super::invalid::InvalidTransaction;
use super::json::value;
use super::object::Object;
use crate::protocol::SpanStatus;
use crate::protocol::{SpanId, TraceId};

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

/// A span that is checked, with its attributes and tags as they were sent.
pub(super) struct SpanParts<'a> {
    span: ReceivedSpan,
    object: Object<'a>,
}

impl<'a> SpanParts<'a> {
    /// Reads a span. `place` names it in errors, `latest` is the end of its transaction.
    pub(super) fn read(
        place: &'a str,
        json: &'a str,
        latest: SystemTime,
    ) -> Result<Self, InvalidTransaction> {
        let object = Object::new(place, json)?;
        let start = object.needed("start_timestamp", object.time("start_timestamp"))?;
        let end = object.time("timestamp")?;
        let status = match end {
            Some(_) => object.status(),
            None => Some(SpanStatus::DeadlineExceeded),
        };
        let end = end.unwrap_or(latest);
        if end < start {
            let place = place.trim_end_matches('.').to_owned();
            return Err(InvalidTransaction::EndsBeforeStart(place));
        }
        let is_object = |json: &str| json.starts_with('{');
        if !object.get("data").is_none_or(is_object) {
            return Err(object.malformed("data"));
        }
        let span = ReceivedSpan {
            trace_id: object.needed("trace_id", object.uuid("trace_id"))?,
            span_id: object.needed("span_id", object.span_id("span_id"))?,
            parent_span_id: object.span_id("parent_span_id")?,
            op: object.text("op")?,
            description: object.text("description")?,
            status,
            start,
            end,
            data: Map::new(),
            tags: BTreeMap::new(),
        };
        Ok(Self { span, object })
    }

    /// Builds the values of the attributes and tags.
    pub(super) fn decode(self) -> ReceivedSpan {
        let data = match self.object.get("data").map(value) {
            Some(Value::Object(data)) => data,
            _ => Map::new(),
        };
        ReceivedSpan {
            data,
            tags: self.object.strings("tags"),
            ..self.span
        }
    }
}

impl ReceivedSpan {
    /// The time from the start to the end.
    pub fn duration(&self) -> Duration {
        self.end.duration_since(self.start).unwrap_or_default()
    }
}
