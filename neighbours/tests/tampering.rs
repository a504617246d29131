//! Whatever the program's own code makes of a transaction, servers take what is sent of it.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[path = "support/checker.rs"]
mod checker;

use std::future::ready;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use taskspan::protocol::{Span, Transaction};
use taskspan::test::Sent;
use taskspan::{Client, Instrument, Options, TraceId, User};

use crate::checker::Wire;

type Change = fn(&mut Transaction);

/// Everything that a program can do to a transaction and should not.
const CHANGES: [Change; 12] = [
    |transaction| transaction.event_id = "00000000000000000000000000000001".parse().unwrap(),
    |transaction| transaction.platform = "rust",
    |transaction| transaction.name = "n".repeat(300).into(),
    |transaction| {
        let trace = &mut transaction.contexts.trace;
        trace.trace_id = other_trace();
        trace.parent_span_id = Some(trace.span_id);
        trace.span_id = "0000000000000001".parse().unwrap();
    },
    |transaction| transaction.timestamp = past(),
    |transaction| {
        let trace = &mut transaction.contexts.trace;
        trace.origin = "auto.my-own".into();
        trace.op = "o".repeat(300).into();
    },
    |transaction| {
        let tags = [
            ("", "a"),
            ("a key", "b"),
            ("user", "c"),
            ("d", "two\nlines"),
        ];
        let tags = tags.map(|(key, value)| (key.into(), value.to_owned()));
        transaction.tags.extend(tags);
    },
    |transaction| {
        let others = &mut transaction.contexts.others;
        others.insert("trace".into(), json!({ "type": "trace" }));
        others.insert("number".into(), json!(7));
        others.insert("deep".into(), deep());
    },
    |transaction| {
        transaction.user = Some(User {
            id: Some("7".into()),
            other: [("id".into(), json!(8)), ("deep".into(), deep())].into(),
            ..User::default()
        });
    },
    |transaction| transaction.spans.iter_mut().for_each(break_span),
    // Every span once more, and once as another one, in a circle.
    |transaction| {
        let spans = &mut transaction.spans;
        spans.extend(spans.clone());
        let mut added = [spans[0].clone(), spans[0].clone()];
        let ids = [2, 3].map(|id| format!("{id:016x}").parse().unwrap());
        (added[0].span_id, added[0].parent_span_id) = (ids[0], ids[1]);
        (added[1].span_id, added[1].parent_span_id) = (ids[1], ids[0]);
        spans.extend(added);
    },
    |transaction| transaction.spans.retain(|span| span.op == "leaf"),
];

fn break_span(span: &mut Span) {
    span.trace_id = other_trace();
    span.parent_span_id = span.span_id;
    span.timestamp = past();
    span.op = "o".repeat(300).into();
    span.origin = "".into();
    span.tags.insert("release".into(), "1.0".into());
    span.tags.insert("long".into(), "t".repeat(300));
    assert!(span.data.insert("deep", &deep()).is_err());
}

fn other_trace() -> TraceId {
    "00000000000000000000000000000001".parse().unwrap()
}

fn past() -> taskspan::protocol::Timestamp {
    (SystemTime::UNIX_EPOCH + Duration::from_secs(1)).into()
}

fn deep() -> Value {
    (0..200).fold(Value::Null, |inner, _| json!([inner]))
}

/// Runs a transaction with a span below a span below a span, and checks what is sent of it.
async fn send(client: &Client, sent: &Sent) -> Value {
    async {
        async { ready(()).in_span("leaf", "c").in_span("op", "b").await }
            .in_span("op", "a")
            .await;
    }
    .in_transaction("task", "t")
    .with_client(client)
    .await;
    let wire = Wire::of(sent.take());
    wire.check(1_000, 0);
    assert_eq!(client.stats().spans.accepted, wire.spans());
    wire.payloads.into_iter().next().unwrap()
}

fn options() -> Options {
    Options::default().traces_sample_rate(1.0)
}

#[tokio::test]
async fn what_is_made_of_a_transaction_is_put_right() {
    for change in CHANGES {
        let apply = move |mut transaction: Transaction| {
            change(&mut transaction);
            Some(transaction)
        };
        for options in [
            options().event_processor(apply),
            options().before_send_transaction(move |transaction| ready(apply(transaction))),
        ] {
            let (client, sent) = taskspan::test::client(options);
            send(&client, &sent).await;
        }
    }
}

#[tokio::test]
async fn what_is_made_of_a_span_is_put_right() {
    let (client, sent) = taskspan::test::client(options().before_send_span(break_span));
    let payload = send(&client, &sent).await;
    // The tree is as it was.
    let spans = payload["spans"].as_array().unwrap();
    for pair in spans.windows(2) {
        assert_eq!(pair[1]["parent_span_id"], pair[0]["span_id"]);
    }
    assert_eq!(spans[0]["data"]["release"], "1.0");
}

#[tokio::test]
async fn what_was_below_a_removed_span_moves_up() {
    let options = options().before_send_transaction(|mut transaction| {
        transaction.spans.retain(|span| span.description == "c");
        ready(Some(transaction))
    });
    let (client, sent) = taskspan::test::client(options);
    let payload = send(&client, &sent).await;
    let root = &payload["contexts"]["trace"]["span_id"];
    assert_eq!(payload["spans"][0]["parent_span_id"], *root);
}

#[tokio::test]
async fn spans_that_are_added_are_sent_and_counted() {
    let options = options().event_processor(|mut transaction| {
        let mut added = transaction.spans[1].clone();
        added.span_id = "0000000000000009".parse().unwrap();
        added.parent_span_id = transaction.spans[0].span_id;
        transaction.spans.push(added);
        Some(transaction)
    });
    let (client, sent) = taskspan::test::client(options);
    let payload = send(&client, &sent).await;
    let spans = &payload["spans"];
    assert_eq!(spans[3]["parent_span_id"], spans[0]["span_id"]);
    assert_eq!(client.stats().spans.sampled, 5);
}
