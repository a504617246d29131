//! Every kind of envelope, as it comes over the wire, read by Sentry's own crate for Rust.
//!
//! What that crate reads is written by it again and compared with what was sent, field by field.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[path = "../../tests/support/raw_http.rs"]
mod http;

use std::collections::BTreeMap;
use std::future::ready;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sentry_types::protocol::v7;
use serde_json::{Value, json};
use taskspan::local::ReceivedEnvelope;
use taskspan::protocol::Breadcrumb;
use taskspan::{
    Client, Compression, Instrument, Level, Options, Request, SpanStatus, TransactionSource, User,
};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

use crate::http::read_request;

const SOON: Duration = Duration::from_secs(20);

/// A server that keeps bodies as they are.
async fn server() -> (String, UnboundedReceiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dsn = format!("http://0123abcd@{}/1", listener.local_addr().unwrap());
    let (sender, bodies) = unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (mut connection, _) = listener.accept().await.unwrap();
            let sender = sender.clone();
            tokio::spawn(async move {
                while let Some((_, body)) = read_request(&mut connection).await {
                    sender.send(body).unwrap();
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
                    connection.write_all(answer).await.unwrap();
                }
            });
        }
    });
    (dsn, bodies)
}

fn client(dsn: &str) -> Client {
    let options = Options::new(dsn)
        .unwrap()
        .traces_sample_rate(1.0)
        .release("shop@2.3.1")
        .environment("staging")
        .dist("42")
        .server_name("web-7")
        .org_id(17)
        .compression(Compression::None);
    Client::new(options).unwrap()
}

/// A transaction in which everything is set that can be.
async fn everything() {
    taskspan::configure_scope(|scope| {
        scope.set_level(Level::Warning);
        scope.set_tag("tenant", "größe 🦀");
        scope.set_user(User {
            id: Some("7".into()),
            username: Some("jane".into()),
            email: Some("jane@example.com".into()),
            ip_address: Some([192, 0, 2, 1].into()),
            other: BTreeMap::from([("plan".into(), json!("gold"))]),
        });
        scope.set_request(Request {
            method: Some("POST".into()),
            url: Some("https://shop.example/cart".into()),
            query_string: Some("a=1&b=2".into()),
            cookies: BTreeMap::from([("a".into(), "1".into()), ("b".into(), "2=3".into())]),
            headers: BTreeMap::from([("accept".into(), "*/*".into())]),
            data: Some("body".into()),
        });
        scope.set_context(
            "order",
            json!({"items": 3, "notes": [1.5, null, {"a": true}]}),
        );
    });
    let mut breadcrumb = Breadcrumb::new("cart", "looked at");
    breadcrumb.kind = "query".into();
    breadcrumb.level = Level::Debug;
    breadcrumb.data = BTreeMap::from([("rows".into(), json!(3))]);
    taskspan::add_breadcrumb(breadcrumb);
    taskspan::add_breadcrumb(Breadcrumb::new("", ""));

    let root = taskspan::current_transaction().unwrap();
    root.set_data("http.response.status_code", 200);
    root.set_status(SpanStatus::ResourceExhausted);
    async {
        let span = taskspan::current_span().unwrap();
        span.set_tag("pool", "main");
        span.set_data("rows", json!([1, null, {"a": "b"}]));
        span.set_data("share", 0.25);
        taskspan::span("cache.get", "").in_scope(|span| span.set_status(SpanStatus::NotFound));
    }
    .in_span("db.query", "SELECT 1")
    .await;
}

/// The next envelope, as Sentry's crate reads it and as it is.
async fn next(bodies: &mut UnboundedReceiver<Vec<u8>>) -> (v7::Envelope, ReceivedEnvelope) {
    let body = timeout(SOON, bodies.recv()).await.unwrap().unwrap();
    let read = v7::Envelope::from_slice(&body).unwrap();
    (read, ReceivedEnvelope::parse(&body).unwrap())
}

/// Checks the headers, and returns each item as it was read and as it was sent.
fn items(read: v7::Envelope, sent: &ReceivedEnvelope) -> Vec<(v7::EnvelopeItem, Value)> {
    let headers = serde_json::to_value(read.headers()).unwrap();
    assert_same(&headers, &sent.headers.clone().into(), &[]);
    let payloads = sent
        .items
        .iter()
        .map(|item| serde_json::from_slice(&item.payload).unwrap());
    let items: Vec<_> = read.into_items().zip(payloads).collect();
    assert_eq!(items.len(), sent.items.len());
    items
}

/// Checks a transaction, by the crate's type for it and by its type for events, which have more fields.
fn check_transaction(read: &v7::EnvelopeItem, sent: &Value) {
    let v7::EnvelopeItem::Transaction(transaction) = read else {
        panic!("{read:?}");
    };
    let mut read = serde_json::to_value(transaction).unwrap();
    // The crate names the kind of each context, which readers infer from the name where it is absent.
    for (name, context) in read["contexts"].as_object_mut().unwrap() {
        if name != "trace" {
            context.as_object_mut().unwrap().remove("type");
        }
    }
    // There are no fields for these.
    let unknown = [
        "type",
        "transaction_info",
        "level",
        "dist",
        "breadcrumbs",
        "spans.0.origin",
        "spans.1.origin",
    ];
    assert_same(&read, sent, &unknown);

    let event: v7::Event<'_> = serde_json::from_value(sent.clone()).unwrap();
    assert_eq!(event.level, v7::Level::Warning);
    assert_eq!(event.dist.as_deref(), Some("42"));
    let breadcrumbs = serde_json::to_value(&event.breadcrumbs.values).unwrap();
    // These are left out where they have their default.
    let defaults = ["1.type", "1.level"];
    assert_same(&breadcrumbs, &sent["breadcrumbs"]["values"], &defaults);
}

fn check_report(read: &v7::EnvelopeItem, sent: &Value, quantity: u64) {
    let v7::EnvelopeItem::ClientReport(report) = read else {
        panic!("{read:?}");
    };
    assert_same(&serde_json::to_value(report).unwrap(), sent, &[]);
    let expected = ["transaction", "span"].map(
        |category| json!({"reason": "sample_rate", "category": category, "quantity": quantity}),
    );
    assert_eq!(sent["discarded_events"], json!(expected));
}

/// Checks that two values are the same, but for the paths that are in the second one only.
#[track_caller]
fn assert_same(read: &Value, sent: &Value, only_sent: &[&str]) {
    let (read, sent) = (leaves(read), leaves(sent));
    for (path, value) in &sent {
        let skipped = only_sent.iter().any(|it| {
            let rest = path.strip_prefix(it);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        });
        match read.get(path) {
            Some(found) => assert!(is_same(found, value), "{path}: {found} {value}"),
            None => assert!(skipped, "{path} was not read: {value}"),
        }
    }
    let added: Vec<_> = read
        .keys()
        .filter(|path| !sent.contains_key(*path))
        .collect();
    assert!(added.is_empty(), "{added:?}");
}

/// All values that hold no others, by their paths.
fn leaves(value: &Value) -> BTreeMap<String, Value> {
    fn add(path: &str, value: &Value, leaves: &mut BTreeMap<String, Value>) {
        let below = |key: &str| match path {
            "" => key.to_owned(),
            _ => format!("{path}.{key}"),
        };
        match value {
            Value::Object(fields) if !fields.is_empty() => {
                fields
                    .iter()
                    .for_each(|(key, value)| add(&below(key), value, leaves));
            }
            Value::Array(list) if !list.is_empty() => {
                let items = list.iter().enumerate();
                items.for_each(|(index, value)| add(&below(&index.to_string()), value, leaves));
            }
            _ => {
                leaves.insert(path.to_owned(), value.clone());
            }
        }
    }
    let mut all = BTreeMap::new();
    add("", value, &mut all);
    all
}

/// Whether two values are the same, or the same id or time to the microsecond in another form.
fn is_same(read: &Value, sent: &Value) -> bool {
    let time = |value: &Value| match value {
        Value::String(text) => {
            let time: SystemTime = humantime::parse_rfc3339(text).ok()?;
            Some(time.duration_since(UNIX_EPOCH).unwrap().as_secs_f64())
        }
        _ => value.as_f64(),
    };
    let id = |value: &Value| value.as_str().map(|text| text.replace('-', ""));
    read == sent
        || id(read).is_some_and(|id| id.len() == 32 && *sent == id)
        || match (time(read), time(sent)) {
            (Some(read), Some(sent)) => (read - sent).abs() < 0.000_001,
            _ => false,
        }
}

#[tokio::test]
async fn every_envelope_is_read_as_it_is_meant() {
    let (dsn, mut bodies) = server().await;
    let client = client(&dsn);
    let unsampled = |count: usize| {
        let client = &client;
        async move {
            for _ in 0..count {
                let no = taskspan::transaction("task", "no").sampled(false);
                no.instrument(ready(())).with_client(client).await;
            }
        }
    };
    let everything = || {
        taskspan::transaction("http.server", "POST /cart/{id}")
            .source(TransactionSource::Route)
            .origin("auto.http.axum")
            .instrument(everything())
            .with_client(&client)
    };

    // A transaction alone.
    everything().await;
    let (read, sent) = next(&mut bodies).await;
    assert_eq!(sent.headers["trace"]["public_key"], "0123abcd");
    assert_eq!(sent.headers["trace"]["org_id"], "17");
    let [(transaction, payload)] = &items(read, &sent)[..] else {
        panic!("{sent:?}");
    };
    check_transaction(transaction, payload);

    // A client report rides along.
    unsampled(3).await;
    everything().await;
    let (read, sent) = next(&mut bodies).await;
    let [(transaction, payload), (report, reported)] = &items(read, &sent)[..] else {
        panic!("{sent:?}");
    };
    check_transaction(transaction, payload);
    check_report(report, reported, 3);

    // A client report alone.
    unsampled(2).await;
    client.close(SOON).await;
    let (read, sent) = next(&mut bodies).await;
    let [(report, reported)] = &items(read, &sent)[..] else {
        panic!("{sent:?}");
    };
    check_report(report, reported, 2);
    assert!(bodies.try_recv().is_err());
}
