//! Reads what is about to be sent as a strict server would, from the bytes and by rules of its own.

#[path = "../../../tests/support/envelope.rs"]
mod envelope;

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};
use taskspan::protocol::Transaction;

use self::envelope::{bytes_of, read_envelope};

/// The transactions of one client, in the form in which a server gets them.
pub(crate) struct Wire {
    pub(crate) payloads: Vec<Value>,
}

impl Wire {
    /// Writes every transaction as an envelope, and reads that again with two strict readers.
    pub(crate) fn of(transactions: Vec<Transaction>) -> Self {
        let payloads = transactions.into_iter().map(|transaction| {
            let spans = transaction.spans.len();
            let bytes = bytes_of(transaction);
            let payload = read_envelope(&bytes);
            assert_eq!(list(&payload["spans"]).len(), spans);
            read_as_the_official_crate_does(&bytes, spans);
            payload
        });
        Self {
            payloads: payloads.collect(),
        }
    }

    /// Checks everything for which a server would refuse a transaction, or take something out of it.
    ///
    /// Where spans were dropped, one of them may be the parent of another transaction's.
    pub(crate) fn check(&self, max_spans: usize, dropped: u64) {
        let mut traces = HashMap::<&str, Ids<'_>>::new();
        let mut events = HashSet::new();
        for payload in &self.payloads {
            check_event(payload);
            assert!(
                events.insert(text(&payload["event_id"])),
                "two events have one id"
            );
            let spans = list(&payload["spans"]);
            assert!(
                spans.len() <= max_spans,
                "{} spans are too many",
                spans.len()
            );
            let root = &payload["contexts"]["trace"];
            let trace = traces.entry(text(&root["trace_id"])).or_default();
            trace.add(root);
            for span in spans {
                check_span(span, &root["trace_id"]);
                trace.add(span);
            }
            check_for_cycles(root, spans);
        }
        // A span of another transaction may be the parent as well.
        let all_are_there = dropped == 0 || self.payloads.len() == 1;
        for ids in traces.values() {
            for (child, parent) in &ids.parents {
                assert!(
                    !all_are_there || ids.all.contains(parent),
                    "the parent {parent} of {child} is not in its trace"
                );
            }
        }
    }

    /// The number of spans, those at the roots included.
    pub(crate) fn spans(&self) -> u64 {
        let spans = self.payloads.iter().map(|payload| &payload["spans"]);
        spans.map(|spans| list(spans).len() as u64 + 1).sum()
    }
}

/// The ids of one trace.
#[derive(Default)]
struct Ids<'a> {
    all: HashSet<&'a str>,
    parents: Vec<(&'a str, &'a str)>,
}

impl<'a> Ids<'a> {
    fn add(&mut self, span: &'a Value) {
        let id = text(&span["span_id"]);
        assert!(self.all.insert(id), "two spans of a trace have the id {id}");
        if let Some(parent) = span.get("parent_span_id") {
            self.parents.push((id, text(parent)));
        }
    }
}

fn read_as_the_official_crate_does(bytes: &[u8], spans: usize) {
    use sentry_types::protocol::v7::{Envelope, EnvelopeItem};

    let envelope = Envelope::from_slice(bytes).unwrap_or_else(|error| {
        use std::error::Error;
        panic!("{error}: {:?}", error.source());
    });
    let items: Vec<_> = envelope.items().collect();
    match items[..] {
        [EnvelopeItem::Transaction(read)] => assert_eq!(read.spans.len(), spans),
        _ => panic!("{} items", items.len()),
    }
}

fn check_event(event: &Value) {
    allow(
        event,
        "event_id type platform transaction transaction_info start_timestamp timestamp release \
         dist environment server_name level tags user request contexts spans sdk",
    );
    let id = text(&event["event_id"]);
    assert_hex(id, 32);
    assert_eq!(event["type"], "transaction");
    assert_eq!(event["platform"], "native");
    assert!(text(&event["transaction"]).chars().count() <= 200);
    let source = text(&event["transaction_info"]["source"]);
    assert!(["custom", "url", "route", "view", "component", "task"].contains(&source));
    assert!(!text(&event["environment"]).is_empty());
    check_times(event);
    check_tags(event);

    let trace = &event["contexts"]["trace"];
    allow(
        trace,
        "type trace_id span_id parent_span_id op status origin data",
    );
    assert_eq!(trace["type"], "trace");
    check_fields_of_any_span(trace);
    for (name, context) in object(&event["contexts"]) {
        assert!(context.is_object(), "the context {name} is no object");
    }
}

fn check_span(span: &Value, trace_id: &Value) {
    allow(
        span,
        "span_id trace_id start_timestamp timestamp parent_span_id op description status data tags \
         origin",
    );
    assert_eq!(span["trace_id"], *trace_id);
    check_fields_of_any_span(span);
    check_times(span);
    check_tags(span);
    assert!(span.get("parent_span_id").is_some());
    if let Some(description) = span.get("description") {
        text(description);
    }
}

fn check_fields_of_any_span(span: &Value) {
    assert_hex(text(&span["trace_id"]), 32);
    assert_hex(text(&span["span_id"]), 16);
    if let Some(parent) = span.get("parent_span_id") {
        assert_hex(text(parent), 16);
    }
    if let Some(op) = span.get("op") {
        assert!(text(op).chars().count() <= 128);
    }
    if let Some(status) = span.get("status") {
        assert!(STATUSES.contains(&text(status)), "{status}");
    }
    let origin = text(&span["origin"]);
    assert!(!origin.is_empty() && origin.len() <= 128);
    assert!(
        origin
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.'),
        "{origin:?}"
    );
    if let Some(data) = span.get("data") {
        object(data);
    }
}

/// Both times have the one form that all readers take, and are in order.
fn check_times(span: &Value) {
    let [start, end] = ["start_timestamp", "timestamp"].map(|name| text(&span[name]));
    for time in [start, end] {
        // Times of this form are in the order of their texts.
        let form = "dddd-dd-ddTdd:dd:dd.ddddddZ";
        let fits = |(wanted, found): (u8, u8)| match wanted {
            b'd' => found.is_ascii_digit(),
            _ => found == wanted,
        };
        assert!(
            time.len() == form.len() && form.bytes().zip(time.bytes()).all(fits),
            "{time}"
        );
        assert!(time >= "1970-01-01T00:00:00.000000Z", "{time}");
    }
    assert!(start <= end, "{start} is after {end}");
}

fn check_tags(span: &Value) {
    let Some(tags) = span.get("tags") else { return };
    for (key, value) in object(tags) {
        let value = text(value);
        assert!(!key.is_empty() && key.len() <= 200, "{key:?}");
        assert!(
            key.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte)),
            "{key:?}"
        );
        let reserved = [
            "release",
            "environment",
            "user",
            "dist",
            "filename",
            "function",
        ];
        assert!(!reserved.contains(&key.as_str()), "{key:?}");
        assert!(!value.is_empty() && value.chars().count() <= 200);
        assert!(!value.contains(['\n', '\r']), "{value:?}");
    }
}

/// From every span one gets to the root or out of the transaction.
fn check_for_cycles(root: &Value, spans: &[Value]) {
    let ids = |span: &Value| {
        let id = text(&span["span_id"]).to_owned();
        (id, span.get("parent_span_id").map(|id| text(id).to_owned()))
    };
    let parents: HashMap<_, _> = spans.iter().chain([root]).map(ids).collect();
    for start in parents.keys() {
        let mut at = start;
        let mut steps = 0;
        while let Some(Some(parent)) = parents.get(at) {
            at = parent;
            steps += 1;
            assert!(steps <= parents.len(), "{start} is above itself");
        }
    }
}

fn assert_hex(id: &str, digits: usize) {
    let lowercase_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    assert!(
        id.len() == digits && id.bytes().all(lowercase_hex),
        "{id:?}"
    );
    assert!(id.bytes().any(|byte| byte != b'0'), "{id:?}");
}

/// There are no other fields than these, and none of them is `null`.
fn allow(value: &Value, fields: &str) {
    for (name, value) in object(value) {
        assert!(
            fields.split_whitespace().any(|field| field == name),
            "{name} is not a field"
        );
        assert!(!value.is_null(), "{name} is null");
    }
}

fn text(value: &Value) -> &str {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is not a text"))
}

fn list(value: &Value) -> &[Value] {
    value
        .as_array()
        .unwrap_or_else(|| panic!("{value} is not a list"))
}

fn object(value: &Value) -> &Map<String, Value> {
    value
        .as_object()
        .unwrap_or_else(|| panic!("{value} is not an object"))
}

const STATUSES: [&str; 17] = [
    "ok",
    "cancelled",
    "unknown_error",
    "invalid_argument",
    "deadline_exceeded",
    "not_found",
    "already_exists",
    "permission_denied",
    "resource_exhausted",
    "failed_precondition",
    "aborted",
    "out_of_range",
    "unimplemented",
    "internal_error",
    "unavailable",
    "data_loss",
    "unauthenticated",
];
