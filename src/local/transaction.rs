//! A received transaction, checked and typed.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use super::envelope::ReceivedEnvelope;
use super::timestamp;
use crate::protocol::{EventId, SpanId, SpanStatus, TraceId};

/// A transaction that arrived and that a server would keep.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ReceivedTransaction {
    /// The event: that of the envelope's header, or else that of the payload.
    pub event_id: EventId,
    /// The trace that the transaction belongs to.
    pub trace_id: TraceId,
    /// The root span.
    pub span_id: SpanId,
    /// The span outside of this transaction that caused it.
    pub parent_span_id: Option<SpanId>,
    /// The name, empty if it was not sent.
    pub name: String,
    /// What kind of work this is, empty if it was not sent.
    pub op: String,
    /// How the work ended. Statuses that servers do not know of are `None`.
    pub status: Option<SpanStatus>,
    /// When the work began.
    pub start: SystemTime,
    /// When the work ended.
    pub end: SystemTime,
    /// Short values to search by. Values that are not strings are written as JSON.
    pub tags: BTreeMap<String, String>,
    /// All contexts by name, the trace context under `trace`.
    pub contexts: Map<String, Value>,
    /// The spans below the root, in the order in which they were sent.
    pub spans: Vec<ReceivedSpan>,
    /// The `trace` header of the envelope: what the trace is sampled by.
    pub sampling_context: BTreeMap<String, String>,
    /// The whole payload.
    pub payload: Value,
}

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

/// The reason for which a server would throw a transaction away.
///
/// Servers do so in silence, after they have answered that all is well.
/// Fields are named by their place in the payload, such as `spans[3].span_id`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidTransaction {
    /// The payload is not JSON.
    NotJson(String),
    /// A field that is needed is not there.
    Missing(String),
    /// A field has a value that cannot be read: an identifier that is none or
    /// is zero, a time before 1970, a list in place of an object.
    Malformed(String),
    /// The transaction or a span ends before it starts.
    EndsBeforeStart(String),
}

impl ReceivedTransaction {
    /// Reads the payload of a transaction item out of `envelope`.
    pub(super) fn parse(
        envelope: &ReceivedEnvelope,
        payload: &[u8],
    ) -> Result<Self, InvalidTransaction> {
        let payload: Value = serde_json::from_slice(payload)
            .map_err(|error| InvalidTransaction::NotJson(error.to_string()))?;
        let event = Object::new("", &payload)?;
        let contexts = Object::new("contexts.", event.need("contexts")?)?;
        let trace = Object::new("contexts.trace.", contexts.need("trace")?)?;

        let trace_id = trace.needed("trace_id", trace.uuid("trace_id"))?;
        let span_id = trace.needed("span_id", trace.span_id("span_id"))?;
        let parent_span_id = trace.span_id("parent_span_id")?;
        let header = Object {
            place: "envelope header ",
            fields: &envelope.headers,
        };
        let event_id = match header.uuid("event_id")? {
            Some(event_id) => event_id,
            None => event.needed("event_id", event.uuid("event_id"))?,
        };
        let start = event.needed("start_timestamp", event.time("start_timestamp"))?;
        // Servers put the time of receipt in the place of an end that is missing.
        let end = event.time("timestamp")?.unwrap_or_else(SystemTime::now);
        if end < start {
            return Err(InvalidTransaction::EndsBeforeStart("transaction".into()));
        }
        let spans = match event.get("spans") {
            None => Vec::new(),
            Some(Value::Array(spans)) => spans
                .iter()
                .enumerate()
                .map(|(index, span)| ReceivedSpan::parse(index, span, end))
                .collect::<Result<_, _>>()?,
            Some(_) => return Err(event.malformed("spans")),
        };
        Ok(Self {
            event_id,
            trace_id,
            span_id,
            parent_span_id,
            name: event.text("transaction")?,
            op: trace.text("op")?,
            status: trace.get("status").and_then(read_status),
            start,
            end,
            tags: event.get("tags").map(read_strings).unwrap_or_default(),
            contexts: contexts.fields.clone(),
            spans,
            sampling_context: header.get("trace").map(read_strings).unwrap_or_default(),
            payload,
        })
    }

    /// The time from the start to the end.
    pub fn duration(&self) -> Duration {
        self.end.duration_since(self.start).unwrap_or_default()
    }
}

impl ReceivedSpan {
    fn parse(index: usize, value: &Value, latest: SystemTime) -> Result<Self, InvalidTransaction> {
        let place = format!("spans[{index}].");
        let span = Object::new(&place, value)?;
        let start = span.needed("start_timestamp", span.time("start_timestamp"))?;
        let end = span.time("timestamp")?;
        let status = match end {
            Some(_) => span.get("status").and_then(read_status),
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
            tags: span.get("tags").map(read_strings).unwrap_or_default(),
        })
    }

    /// The time from the start to the end.
    pub fn duration(&self) -> Duration {
        self.end.duration_since(self.start).unwrap_or_default()
    }
}

impl fmt::Display for InvalidTransaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson(reason) => write!(f, "invalid transaction: {reason}"),
            Self::Missing(field) => write!(f, "invalid transaction: {field} is missing"),
            Self::Malformed(field) => write!(f, "invalid transaction: {field} is malformed"),
            Self::EndsBeforeStart(what) => {
                write!(f, "invalid transaction: {what} ends before it starts")
            }
        }
    }
}

impl std::error::Error for InvalidTransaction {}

/// A JSON object that knows its place, to name its fields in errors.
struct Object<'a> {
    place: &'a str,
    fields: &'a Map<String, Value>,
}

type Field<T> = Result<Option<T>, InvalidTransaction>;

impl<'a> Object<'a> {
    fn new(place: &'a str, value: &'a Value) -> Result<Self, InvalidTransaction> {
        match value {
            Value::Object(fields) => Ok(Self { place, fields }),
            _ => {
                let name = match place.trim_end_matches('.') {
                    "" => "payload",
                    name => name,
                };
                Err(InvalidTransaction::Malformed(name.to_owned()))
            }
        }
    }

    /// A field, unless it is missing or null, which are the same to servers.
    fn get(&self, name: &str) -> Option<&'a Value> {
        self.fields.get(name).filter(|value| !value.is_null())
    }

    fn need(&self, name: &str) -> Result<&'a Value, InvalidTransaction> {
        self.needed(name, Ok(self.get(name)))
    }

    fn needed<T>(&self, name: &str, field: Field<T>) -> Result<T, InvalidTransaction> {
        field?.ok_or_else(|| InvalidTransaction::Missing(format!("{}{name}", self.place)))
    }

    fn malformed(&self, name: &str) -> InvalidTransaction {
        InvalidTransaction::Malformed(format!("{}{name}", self.place))
    }

    fn read<T>(&self, name: &str, read: impl FnOnce(&Value) -> Option<T>) -> Field<T> {
        self.get(name)
            .map(|value| read(value).ok_or_else(|| self.malformed(name)))
            .transpose()
    }

    fn text(&self, name: &str) -> Result<String, InvalidTransaction> {
        let text = self.read(name, |value| value.as_str().map(str::to_owned))?;
        Ok(text.unwrap_or_default())
    }

    fn time(&self, name: &str) -> Field<SystemTime> {
        self.read(name, timestamp::parse)
    }

    fn span_id(&self, name: &str) -> Field<SpanId> {
        self.read(name, |value| {
            value.as_str()?.to_ascii_lowercase().parse().ok()
        })
    }

    /// An identifier of 32 digits, which some SDKs write with dashes.
    fn uuid<T: FromStr>(&self, name: &str) -> Field<T> {
        self.read(name, |value| {
            let digits = value.as_str()?.replace('-', "");
            digits.to_ascii_lowercase().parse().ok()
        })
    }
}

/// Reads a status by its name, by a name that older SDKs have for it, or by its gRPC number.
fn read_status(value: &Value) -> Option<SpanStatus> {
    match value {
        Value::Number(number) => SpanStatus::from_grpc(usize::try_from(number.as_u64()?).ok()?),
        Value::String(name) => match name.as_str() {
            "success" => Some(SpanStatus::Ok),
            "failure" | "unknown_error" => Some(SpanStatus::InternalError),
            name => name.parse().ok(),
        },
        _ => None,
    }
}

/// Reads an object of strings, or a list of pairs, as some SDKs write tags.
fn read_strings(value: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    match value {
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| (key.clone(), text(value)))
            .collect(),
        Value::Array(pairs) => pairs
            .iter()
            .filter_map(|pair| match pair.as_array()?.as_slice() {
                [key, value] => Some((text(key), text(value))),
                _ => None,
            })
            .collect(),
        _ => BTreeMap::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use serde_json::json;

    use super::*;

    const HEADER: &str = r#"{"event_id":"5a1c9f3e7b2d4c60a8e1f4d39b7c2e10","trace":{"sample_rate":"0.25","sampled":true}}"#;

    fn valid() -> Value {
        json!({
            "type": "transaction",
            "transaction": "GET /cart/{id}",
            "start_timestamp": 1_795_169_730.101_25,
            "timestamp": "2026-11-20T10:15:30.148903Z",
            "contexts": {"trace": {
                "trace_id": "3F0C2A9B-E41D-4F7C-9A60-B1D2C3E4F506",
                "span_id": "b7e4a1930c5d2f68",
                "op": "http.server",
                "status": "ok",
            }},
            "tags": [["tenant", "acme"], ["retries", 3]],
            "spans": [{
                "trace_id": "3f0c2a9be41d4f7c9a60b1d2c3e4f506",
                "span_id": "1d2e3f4051627384",
                "parent_span_id": "b7e4a1930c5d2f68",
                "start_timestamp": 1_795_169_730.1,
                "timestamp": 1_795_169_730.2,
                "status": 5,
                "data": {"server.port": 5432},
            }],
        })
    }

    fn parse(payload: &Value) -> Result<ReceivedTransaction, InvalidTransaction> {
        let envelope = ReceivedEnvelope::parse(HEADER.as_bytes()).unwrap();
        ReceivedTransaction::parse(&envelope, payload.to_string().as_bytes())
    }

    #[test]
    fn a_valid_transaction_is_read() {
        let transaction = parse(&valid()).unwrap();
        assert_eq!(
            transaction.event_id.to_string(),
            "5a1c9f3e7b2d4c60a8e1f4d39b7c2e10"
        );
        assert_eq!(
            transaction.trace_id.to_string(),
            "3f0c2a9be41d4f7c9a60b1d2c3e4f506"
        );
        assert_eq!(transaction.name, "GET /cart/{id}");
        assert_eq!(transaction.op, "http.server");
        assert_eq!(transaction.status, Some(SpanStatus::Ok));
        assert_eq!(transaction.duration(), Duration::from_micros(47_653));
        assert_eq!(transaction.tags["tenant"], "acme");
        assert_eq!(transaction.tags["retries"], "3");
        assert_eq!(transaction.sampling_context["sample_rate"], "0.25");
        assert_eq!(transaction.sampling_context["sampled"], "true");
        let span = &transaction.spans[0];
        assert_eq!(span.parent_span_id, Some(transaction.span_id));
        assert_eq!(span.status, Some(SpanStatus::NotFound));
        assert_eq!(span.data["server.port"], 5432);
        assert_eq!(span.op, "");
        assert_eq!(span.duration(), Duration::from_millis(100));
    }

    #[test]
    fn a_span_without_an_end_ends_with_its_transaction() {
        let mut payload = valid();
        payload["spans"][0]["timestamp"] = Value::Null;
        let transaction = parse(&payload).unwrap();
        assert_eq!(transaction.spans[0].end, transaction.end);
        assert_eq!(
            transaction.spans[0].status,
            Some(SpanStatus::DeadlineExceeded)
        );
    }

    #[test]
    fn old_names_of_statuses_are_read() {
        for (sent, read) in [
            (json!("success"), Some(SpanStatus::Ok)),
            (json!("unknown_error"), Some(SpanStatus::InternalError)),
            (json!("unset"), None),
            (json!(16), Some(SpanStatus::Unauthenticated)),
            (json!(17), None),
            (json!([]), None),
        ] {
            assert_eq!(read_status(&sent), read, "{sent}");
        }
    }

    #[test]
    fn what_servers_throw_away_is_refused_with_the_reason() {
        use InvalidTransaction::*;
        let start = UNIX_EPOCH + Duration::from_secs(2_000_000_000);
        let start = humantime::format_rfc3339(start).to_string();
        let table = [
            ("/contexts", json!(null), Missing("contexts".into())),
            ("/contexts", json!([]), Malformed("contexts".into())),
            (
                "/contexts/trace",
                json!(null),
                Missing("contexts.trace".into()),
            ),
            (
                "/contexts/trace/trace_id",
                json!(null),
                Missing("contexts.trace.trace_id".into()),
            ),
            (
                "/contexts/trace/span_id",
                json!("0000000000000000"),
                Malformed("contexts.trace.span_id".into()),
            ),
            (
                "/start_timestamp",
                json!(null),
                Missing("start_timestamp".into()),
            ),
            (
                "/start_timestamp",
                json!(-5),
                Malformed("start_timestamp".into()),
            ),
            (
                "/start_timestamp",
                json!(start),
                EndsBeforeStart("transaction".into()),
            ),
            ("/transaction", json!(7), Malformed("transaction".into())),
            ("/spans", json!({}), Malformed("spans".into())),
            ("/spans/0", json!(null), Malformed("spans[0]".into())),
            (
                "/spans/0/span_id",
                json!(null),
                Missing("spans[0].span_id".into()),
            ),
            (
                "/spans/0/trace_id",
                json!("3f"),
                Malformed("spans[0].trace_id".into()),
            ),
            (
                "/spans/0/start_timestamp",
                json!(null),
                Missing("spans[0].start_timestamp".into()),
            ),
            (
                "/spans/0/timestamp",
                json!(1_795_169_730.099_999),
                EndsBeforeStart("spans[0]".into()),
            ),
            (
                "/spans/0/data",
                json!("x"),
                Malformed("spans[0].data".into()),
            ),
        ];
        for (pointer, value, expected) in table {
            let mut payload = valid();
            *payload.pointer_mut(pointer).unwrap() = value;
            assert_eq!(parse(&payload).unwrap_err(), expected, "{pointer}");
        }
        assert_eq!(
            parse(&json!([])).unwrap_err(),
            Malformed("payload".into()),
            "a list"
        );
        let envelope = ReceivedEnvelope::parse(b"{}").unwrap();
        let no_id = ReceivedTransaction::parse(&envelope, valid().to_string().as_bytes());
        assert_eq!(no_id.unwrap_err(), Missing("event_id".into()));
        let no_json = ReceivedTransaction::parse(&envelope, b"{");
        assert!(matches!(no_json, Err(NotJson(_))));
    }
}
