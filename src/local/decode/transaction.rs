//! A received transaction, checked and typed.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use super::envelope::Header;
use super::invalid::InvalidTransaction;
use super::json::{check_json, scalar, value, visit_list};
use super::object::{Object, read_strings, read_uuid};
use super::span::{ReceivedSpan, SpanParts};
use crate::protocol::SpanStatus;
use crate::protocol::{EventId, SpanId, TraceId};

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

/// A transaction that is checked, with everything else as it was sent.
pub(crate) struct TransactionParts<'a> {
    transaction: ReceivedTransaction,
    event: Object<'a>,
    contexts: &'a str,
    payload: &'a str,
    /// How many spans there are below the root.
    span_count: u64,
}

impl<'a> TransactionParts<'a> {
    /// Reads the payload of a transaction item, without building values.
    ///
    /// `header` is that of the envelope, which was received at `received`.
    pub(crate) fn read(
        header: &Header<'_>,
        payload: &'a [u8],
        received: SystemTime,
    ) -> Result<Self, InvalidTransaction> {
        let payload =
            check_json(payload).map_err(|error| InvalidTransaction::NotJson(error.to_string()))?;
        let event = Object::new("", payload)?;
        let contexts = event.need("contexts")?;
        let trace = Object::new("contexts.", contexts)?.need("trace")?;
        let trace = Object::new("contexts.trace.", trace)?;

        let trace_id = trace.needed("trace_id", trace.uuid("trace_id"))?;
        let span_id = trace.needed("span_id", trace.span_id("span_id"))?;
        let parent_span_id = trace.span_id("parent_span_id")?;
        let event_id = match header.get("event_id").filter(|id| *id != "null") {
            Some(id) => scalar(id).as_ref().and_then(read_uuid).ok_or_else(|| {
                InvalidTransaction::Malformed("envelope header event_id".to_owned())
            })?,
            None => event.needed("event_id", event.uuid("event_id"))?,
        };
        let start = event.needed("start_timestamp", event.time("start_timestamp"))?;
        // Servers put the time of receipt in the place of an end that is missing.
        let end = event.time("timestamp")?.unwrap_or(received);
        if end < start {
            return Err(InvalidTransaction::EndsBeforeStart("transaction".into()));
        }
        let mut parts = Self {
            transaction: ReceivedTransaction {
                event_id,
                trace_id,
                span_id,
                parent_span_id,
                name: event.text("transaction")?,
                op: trace.text("op")?,
                status: trace.status(),
                start,
                end,
                tags: BTreeMap::new(),
                contexts: Map::new(),
                spans: Vec::new(),
                sampling_context: BTreeMap::new(),
                payload: Value::Null,
            },
            event,
            contexts,
            payload,
            span_count: 0,
        };
        let mut count = 0;
        parts.visit_spans(|_| count += 1)?;
        parts.span_count = count;
        Ok(parts)
    }

    pub(crate) fn event_id(&self) -> EventId {
        self.transaction.event_id
    }

    pub(crate) fn span_count(&self) -> u64 {
        self.span_count
    }

    /// Builds the values of everything in it. `header` is that of the envelope.
    pub(crate) fn decode(
        self,
        header: &Header<'_>,
    ) -> Result<ReceivedTransaction, InvalidTransaction> {
        let mut spans = Vec::new();
        self.visit_spans(|span| spans.push(span.decode()))?;
        let contexts = match value(self.contexts) {
            Value::Object(contexts) => contexts,
            _ => Map::new(),
        };
        Ok(ReceivedTransaction {
            tags: self.event.strings("tags"),
            contexts,
            spans,
            sampling_context: header
                .get("trace")
                .map(|trace| read_strings(&value(trace)))
                .unwrap_or_default(),
            payload: value(self.payload),
            ..self.transaction
        })
    }

    fn visit_spans(&self, mut visit: impl FnMut(SpanParts<'_>)) -> Result<(), InvalidTransaction> {
        let Some(spans) = self.event.get("spans") else {
            return Ok(());
        };
        let mut index = 0;
        let visited = visit_list(spans, |span| {
            let place = format!("spans[{index}].");
            index += 1;
            match SpanParts::read(&place, span, self.transaction.end) {
                Ok(span) => {
                    visit(span);
                    ControlFlow::Continue(())
                }
                Err(error) => ControlFlow::Break(error),
            }
        });
        match visited {
            Some(ControlFlow::Continue(())) => Ok(()),
            Some(ControlFlow::Break(error)) => Err(error),
            None => Err(self.event.malformed("spans")),
        }
    }
}

impl ReceivedTransaction {
    /// The time from the start to the end.
    pub fn duration(&self) -> Duration {
        self.end.duration_since(self.start).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use serde_json::json;

    use super::super::envelope::split_envelope;
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
        parse_bytes(HEADER, payload.to_string().as_bytes())
    }

    fn parse_bytes(
        header: &str,
        payload: &[u8],
    ) -> Result<ReceivedTransaction, InvalidTransaction> {
        let (header, _) = split_envelope(header.as_bytes()).unwrap();
        let parts = TransactionParts::read(&header, payload, SystemTime::now())?;
        parts.decode(&header)
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
        let no_id = parse_bytes("{}", valid().to_string().as_bytes());
        assert_eq!(no_id.unwrap_err(), Missing("event_id".into()));
        let no_json = parse_bytes("{}", b"{");
        assert!(matches!(no_json, Err(NotJson(_))));
    }
}
