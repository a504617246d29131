//! What is sent, to the letter: payload, envelope header, tags and scope data.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[path = "support/envelope.rs"]
mod envelope;

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::future::ready;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use futures_util::future::join;
use proptest::prelude::*;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use taskspan::test::Sent;
use taskspan::{
    Client, Instrument, Level, Options, Request, Span, SpanStatus, TransactionSource, User,
};
use tokio::sync::{Barrier, oneshot};
use tokio::task;

use crate::envelope::{bytes_of, read_envelope};

const DSN: &str = "https://0123456789abcdef0123456789abcdef:secret@o17.ingest.de.sentry.io/4501";

fn options() -> Options {
    Options::disabled()
        .traces_sample_rate(1.0)
        .server_name("web-7")
}

fn client() -> (Client, Sent) {
    taskspan::test::client(options())
}

/// Runs a closure in a transaction, and returns what was sent of it.
fn sent_by(work: impl FnOnce(&Span)) -> Value {
    sent_with(options(), work)
}

fn sent_with(options: Options, work: impl FnOnce(&Span)) -> Value {
    let (client, sent) = taskspan::test::client(options);
    let transaction = async { taskspan::transaction("task", "t").in_scope(work) };
    futures_util::FutureExt::now_or_never(transaction.with_client(&client)).unwrap();
    only(&sent)
}

/// The only transaction, as it is sent.
fn only(sent: &Sent) -> Value {
    let transactions = sent.take();
    assert_eq!(transactions.len(), 1);
    let transaction = transactions.into_iter().next().unwrap();
    read_envelope(&bytes_of(transaction))
}

/// All transactions by their names.
fn by_name(sent: &Sent) -> BTreeMap<String, Value> {
    let payloads = sent.take().into_iter().map(|transaction| {
        let name = transaction.name.clone().into_owned();
        (name, read_envelope(&bytes_of(transaction)))
    });
    payloads.collect()
}

fn header_of(sent: &Sent) -> Value {
    let transaction = sent.transactions().remove(0);
    let bytes = bytes_of(transaction);
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap();
    serde_json::from_slice(line).unwrap()
}

fn trace_data(payload: &Value) -> &Value {
    &payload["contexts"]["trace"]["data"]
}

#[tokio::test]
async fn a_transaction_is_written_to_the_letter() {
    let (client, sent) = taskspan::test::client(
        Options::new(DSN)
            .unwrap()
            .traces_sample_rate(0.5)
            .release("shop@2.3.1")
            .environment("staging")
            .dist("42")
            .server_name("web-7"),
    );
    async {
        taskspan::configure_scope(|scope| {
            scope.set_level(Level::Info);
            scope.set_tag("tenant", "acme");
            scope.set_user(User {
                id: Some("7".into()),
                email: Some("a@example.com".into()),
                other: BTreeMap::from([("plan".into(), json!("gold"))]),
                ..User::default()
            });
            scope.set_request(Request {
                method: Some("POST".into()),
                url: Some("https://shop.example/cart".into()),
                query_string: Some("a=1&b=2".into()),
                cookies: BTreeMap::new(),
                headers: BTreeMap::from([("accept".into(), "*/*".into())]),
                data: Some("body".into()),
            });
            scope.set_context("order", json!({"items": 3}));
            scope.set_context("a word", "no object");
        });
        let root = taskspan::current_transaction().unwrap();
        root.set_data("http.response.status_code", 200);
        async {
            let span = taskspan::current_span().unwrap();
            span.set_tag("pool", "main");
            span.set_data("server.port", 5432);
            span.set_data("rows", json!([1, null, {"a": true}]));
            taskspan::span("", "").in_scope(|_| ());
        }
        .instrument_as_query()
        .await;
    }
    .in_route("GET /cart/{id}")
    .with_client(&client)
    .await;

    let payload = only(&sent);
    let trace = &payload["contexts"]["trace"];
    let [query, empty] = [0, 1].map(|index| &payload["spans"][index]);
    let version = env!("CARGO_PKG_VERSION");
    let expected = json!({
        "event_id": payload["event_id"],
        "type": "transaction",
        "platform": "native",
        "transaction": "GET /cart/{id}",
        "transaction_info": {"source": "route"},
        "start_timestamp": payload["start_timestamp"],
        "timestamp": payload["timestamp"],
        "release": "shop@2.3.1",
        "dist": "42",
        "environment": "staging",
        "server_name": "web-7",
        "level": "info",
        "tags": {"tenant": "acme"},
        "user": {"id": "7", "email": "a@example.com", "plan": "gold"},
        "request": {
            "method": "POST",
            "url": "https://shop.example/cart",
            "query_string": "a=1&b=2",
            "headers": {"accept": "*/*"},
            "data": "body",
        },
        "contexts": {
            "trace": {
                "type": "trace",
                "trace_id": trace["trace_id"],
                "span_id": trace["span_id"],
                "op": "http.server",
                "status": "ok",
                "origin": "auto.http.axum",
                "data": {"http.response.status_code": 200},
            },
            "order": {"items": 3},
            "a word": {"value": "no object"},
            "os": payload["contexts"]["os"],
            "device": payload["contexts"]["device"],
            "runtime": payload["contexts"]["runtime"],
        },
        "spans": [
            {
                "trace_id": trace["trace_id"],
                "span_id": query["span_id"],
                "parent_span_id": trace["span_id"],
                "op": "db.query",
                "description": "SELECT 1",
                "start_timestamp": query["start_timestamp"],
                "timestamp": query["timestamp"],
                "status": "ok",
                "origin": "auto.db.sqlx",
                "tags": {"pool": "main"},
                "data": {"server.port": 5432, "rows": [1, null, {"a": true}]},
            },
            {
                "trace_id": trace["trace_id"],
                "span_id": empty["span_id"],
                "parent_span_id": query["span_id"],
                "start_timestamp": empty["start_timestamp"],
                "timestamp": empty["timestamp"],
                "status": "ok",
                "origin": "manual",
            },
        ],
        "sdk": {
            "name": "sentry.rust.taskspan",
            "version": version,
            "packages": [{"name": "cargo:taskspan", "version": version}],
        },
    });
    assert_eq!(payload, expected);
    for context in ["os", "device", "runtime"] {
        assert!(payload["contexts"][context].is_object(), "{context}");
    }
}

/// What integrations set.
trait AsIntegration: Future + Sized {
    fn instrument_as_query(self) -> impl Future<Output = Self::Output> {
        taskspan::span("db.query", "SELECT 1")
            .origin("auto.db.sqlx")
            .instrument(self)
    }

    fn in_route(self, name: &'static str) -> impl Future<Output = Self::Output> {
        taskspan::transaction("http.server", name)
            .source(TransactionSource::Route)
            .origin("auto.http.axum")
            .sampled(true)
            .instrument(self)
    }
}

impl<F: Future> AsIntegration for F {}

#[tokio::test]
async fn an_envelope_is_three_lines_with_exact_lengths() {
    let (client, sent) = client();
    async { taskspan::set_tag("größe", "🦀\n\0\"") }
        .in_transaction("task", "é\n{}")
        .with_client(&client)
        .await;
    let bytes = bytes_of(sent.transactions().remove(0));
    let lines: Vec<_> = bytes.split(|byte| *byte == b'\n').collect();
    let [header, item, payload, b""] = lines[..] else {
        panic!("{} lines", lines.len());
    };
    let expected = format!(r#"{{"type":"transaction","length":{}}}"#, payload.len());
    assert_eq!(str::from_utf8(item).unwrap(), expected);
    let header: Value = serde_json::from_slice(header).unwrap();
    let payload: Value = serde_json::from_slice(payload).unwrap();
    let expected = json!({
        "event_id": payload["event_id"],
        "sent_at": "2026-11-20T10:15:30.250000Z",
        "sdk": payload["sdk"],
        "trace": header["trace"],
    });
    assert_eq!(header, expected);
}

#[tokio::test]
async fn the_header_tells_what_the_trace_is_sampled_by() {
    let (client, sent) = taskspan::test::client(
        Options::new(DSN)
            .unwrap()
            .traces_sample_rate(0.999_999_999)
            .release("shop@2.3.1"),
    );
    let mut randoms = Vec::new();
    for _ in 0..50 {
        async {}
            .in_transaction("task", "t")
            .with_client(&client)
            .await;
        let header = header_of(&sent);
        let payload = only(&sent);
        let random = header["trace"]["sample_rand"].as_str().unwrap().to_owned();
        let expected = json!({
            "trace_id": payload["contexts"]["trace"]["trace_id"],
            "public_key": "0123456789abcdef0123456789abcdef",
            "sample_rate": "0.999999999",
            "sample_rand": random,
            "sampled": "true",
            "release": "shop@2.3.1",
            "environment": "production",
            "transaction": "t",
            "org_id": "17",
        });
        assert_eq!(header["trace"], expected);
        let digits = random.strip_prefix("0.").unwrap();
        assert!(digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_digit()));
        randoms.push(random);
    }
    randoms.sort();
    randoms.dedup();
    assert!(randoms.len() > 40, "{randoms:?}");
}

#[tokio::test]
async fn what_is_not_known_or_must_not_be_known_is_not_in_the_header() {
    let (client, sent) = taskspan::test::client(options().org_id(3));
    taskspan::transaction("http.server", "GET /cart/17")
        .source(TransactionSource::Url)
        .instrument(ready(()))
        .with_client(&client)
        .await;
    let trace = &header_of(&sent)["trace"];
    let expected = json!({
        "trace_id": trace["trace_id"],
        "sample_rate": "1",
        "sample_rand": trace["sample_rand"],
        "sampled": "true",
        "environment": "production",
        "org_id": "3",
    });
    assert_eq!(*trace, expected);
    assert_eq!(only(&sent)["transaction_info"]["source"], "url");
}

#[tokio::test]
async fn an_explicit_decision_is_a_rate_of_its_own() {
    let (client, sent) = taskspan::test::client(options().traces_sample_rate(0.0));
    taskspan::transaction("task", "t")
        .sampled(true)
        .instrument(ready(()))
        .with_client(&client)
        .await;
    let trace = &header_of(&sent)["trace"];
    assert_eq!(trace["sample_rate"], "1");
    assert_eq!(trace["sampled"], "true");
}

#[tokio::test]
async fn a_url_that_is_renamed_is_a_name_of_its_own() {
    let (client, sent) = client();
    let work = async {
        taskspan::current_transaction()
            .unwrap()
            .set_name("GET /cart/{id}");
    };
    taskspan::transaction("http.server", "GET /cart/17")
        .source(TransactionSource::Url)
        .instrument(work)
        .with_client(&client)
        .await;
    assert_eq!(header_of(&sent)["trace"]["transaction"], "GET /cart/{id}");
    assert_eq!(only(&sent)["transaction_info"]["source"], "custom");
}

#[test]
fn what_is_not_set_is_not_there() {
    let payload = sent_with(options().server_name(""), |_| ());
    for field in [
        "release",
        "dist",
        "server_name",
        "level",
        "tags",
        "user",
        "request",
    ] {
        assert_eq!(payload.get(field), None, "{field}");
    }
    assert_eq!(payload["environment"], "production");
    assert_eq!(payload["contexts"]["trace"].get("parent_span_id"), None);
    assert_eq!(payload["contexts"]["trace"].get("data"), None);
    assert_eq!(payload["spans"], json!([]));
}

#[test]
fn a_name_that_is_empty_is_that_of_the_operation() {
    let payload = sent_by(|root| root.set_name(""));
    assert_eq!(payload["transaction"], "task");
}

#[test]
fn long_names_are_cut_at_a_character_and_descriptions_are_not() {
    let long = "é".repeat(1_000);
    let payload = sent_by(|root| {
        root.set_name(long.clone());
        root.set_op(long.clone());
        taskspan::span(long.clone(), long.clone()).in_scope(|_| ());
    });
    assert_eq!(payload["transaction"], "é".repeat(200));
    assert_eq!(payload["contexts"]["trace"]["op"], "é".repeat(128));
    assert_eq!(payload["spans"][0]["op"], "é".repeat(128));
    assert_eq!(payload["spans"][0]["description"], long);
}

#[test]
fn odd_origins_are_made_to_fit() {
    let payload = sent_by(|_| {
        for origin in ["auto.http-client", "größe", ""] {
            taskspan::span("a", "b").origin(origin).in_scope(|_| ());
        }
    });
    let origins = [0, 1, 2].map(|index| &payload["spans"][index]["origin"]);
    assert_eq!(origins, ["auto.http_client", "gr__e", "manual"]);
}

#[test]
fn tags_that_do_not_fit_are_kept_whole_in_the_data() {
    let long = "é".repeat(201);
    let set = [
        ("long", long.as_str()),
        ("lines", "one\r\ntwo"),
        ("empty", ""),
        ("", "no key"),
        ("a key", "with space"),
        ("release", "reserved"),
        ("tenant", "acme"),
    ];
    let tags = json!({
        "long": "é".repeat(200),
        "lines": "one  two",
        "a-key": "with space",
        "tenant": "acme",
    });
    let data = json!({
        "long": long,
        "lines": "one\r\ntwo",
        "empty": "",
        "": "no key",
        "a key": "with space",
        "release": "reserved",
    });
    let payload = sent_by(|root| {
        for (key, value) in set {
            root.set_tag(key, value);
            taskspan::span("a", "b").in_scope(|span| span.set_tag(key, value));
        }
    });
    assert_eq!(payload["tags"], tags);
    assert_eq!(*trace_data(&payload), data);
    for (span, (key, value)) in payload["spans"].as_array().unwrap().iter().zip(set) {
        let kept = data.get(key).cloned().map(|_| json!({ key: value }));
        assert_eq!(span.get("data"), kept.as_ref(), "{key}");
    }
    // On the scope it is the same.
    let payload = sent_by(|_| {
        for (key, value) in set {
            taskspan::set_tag(key, value);
        }
    });
    assert_eq!(payload["tags"], tags);
    assert_eq!(*trace_data(&payload), data);
}

/// The value that was set first once stayed in the data beside the tag that was set last.
#[test]
fn the_last_tag_counts_in_tags_and_data_alike() {
    let [one, two] = ["1", "2"].map(|digit| digit.repeat(201));
    let payload = sent_by(|root| {
        taskspan::set_tag("scope and root", &one);
        root.set_tag("scope and root", &two);
        taskspan::set_tag("scope_then_short", &one);
        root.set_tag("scope_then_short", "short");
        root.set_tag("long_then_short", &one);
        root.set_tag("long_then_short", "short");
        root.set_tag("short_then_empty", "short");
        root.set_tag("short_then_empty", "");
        root.set_tag("long_and_data", &one);
        root.set_data("long_and_data", 3);
    });
    let expected = json!({
        "scope-and-root": two[..200],
        "scope_then_short": "short",
        "long_then_short": "short",
        "long_and_data": one[..200],
    });
    assert_eq!(payload["tags"], expected);
    let expected = json!({"scope and root": two, "short_then_empty": "", "long_and_data": 3});
    assert_eq!(*trace_data(&payload), expected);
}

#[test]
fn values_keep_their_types() {
    #[derive(Serialize)]
    struct Named {
        unit: (),
        pair: (u8, bool),
        none: Option<u8>,
    }
    let payload = sent_by(|root| {
        root.set_data("u64", u64::MAX);
        root.set_data("i64", i64::MIN);
        root.set_data("u128", u128::MAX);
        root.set_data("i128", i128::MIN);
        root.set_data("f64", 0.1);
        root.set_data("nan", [f64::NAN, f64::INFINITY]);
        root.set_data("text", "é");
        root.set_data(
            "struct",
            Named {
                unit: (),
                pair: (1, true),
                none: None,
            },
        );
        root.set_data("numbers", BTreeMap::from([(1, 2)]));
        root.set_data("lists", BTreeMap::from([([1], 2)]));
        root.set_data("twice", 1);
        root.set_data("twice", "2");
        root.set_data("", "no key");
    });
    let expected = json!({
        "u64": u64::MAX,
        "i64": i64::MIN,
        "u128": u128::MAX.to_string(),
        "i128": i128::MIN.to_string(),
        "f64": 0.1,
        "nan": [null, null],
        "text": "é",
        "struct": {"unit": null, "pair": [1, true], "none": null},
        "numbers": {"1": 2},
        "lists": "key must be a string",
        "twice": "2",
        "": "no key",
    });
    assert_eq!(*trace_data(&payload), expected);
}

/// JSON of more than 127 levels once had servers refuse everything around it.
#[test]
fn values_that_nest_too_deeply_do_not_cost_the_transaction() {
    let nested = |depth| (0..depth).fold(Value::Null, |inner, _| Value::from(vec![inner]));
    let payload = sent_by(|root| {
        root.set_data("deep", nested(90));
        root.set_data("too deep", nested(1_000));
        taskspan::configure_scope(|scope| {
            scope.set_context("deep", json!({"a": nested(90)}));
            scope.set_context("too deep", json!({"a": nested(1_000), "b": 1}));
            scope.set_user(User {
                other: BTreeMap::from([("too deep".into(), nested(1_000))]),
                ..User::default()
            });
            scope.set_request(Request {
                data: Some(nested(1_000)),
                ..Request::default()
            });
        });
    });
    assert_eq!(trace_data(&payload)["deep"], nested(90));
    assert_eq!(trace_data(&payload)["too deep"], "nested too deeply");
    assert_eq!(payload["contexts"]["deep"]["a"], nested(90));
    assert_eq!(payload["contexts"]["too deep"]["b"], 1);
    for cut in [
        &payload["contexts"]["too deep"]["a"],
        &payload["user"]["too deep"],
        &payload["request"]["data"],
    ] {
        assert!(cut.to_string().contains("nested too deeply"));
    }
}

/// A key that stood twice once had the official reader refuse everything.
#[test]
fn a_field_of_the_user_wins_over_a_key_of_the_same_name() {
    let payload = sent_by(|_| {
        taskspan::set_user(User {
            id: Some("7".into()),
            other: BTreeMap::from([("id".into(), json!(8)), ("email".into(), json!("kept"))]),
            ..User::default()
        });
    });
    assert_eq!(payload["user"], json!({"id": "7", "email": "kept"}));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_text_arrives_as_it_was_set(text in prop_oneof![any::<String>(), "[\u{0}-\u{1f}\"\\\\🦀\u{2028}]*"]) {
        let payload = sent_by(|root| {
            root.set_data("value", &text);
            root.set_data(text.clone(), 1);
            taskspan::span("a", text.clone()).in_scope(|_| ());
            taskspan::set_context("custom", json!({ "value": text }));
            taskspan::set_user(User { id: Some(text.clone()), ..User::default() });
            root.set_tag("tag", &text);
        });
        let data = trace_data(&payload);
        if text != "value" {
            prop_assert_eq!(&data["value"], &text);
        }
        prop_assert_eq!(&data[&text], 1);
        let description = payload["spans"][0].get("description").and_then(Value::as_str);
        prop_assert_eq!(description.unwrap_or_default(), &text);
        prop_assert_eq!(&payload["contexts"]["custom"]["value"], &text);
        prop_assert_eq!(&payload["user"]["id"], &text);
        // The tag itself, or the whole of it beside.
        let tag = payload["tags"].get("tag").and_then(Value::as_str);
        prop_assert!(tag == Some(&text) || data["tag"] == text.as_str());
    }
}

#[tokio::test]
async fn a_fork_of_the_scope_is_a_copy() {
    let (client, sent) = client();
    async {
        taskspan::set_tag("parent", "before");
        let (go, gate) = oneshot::channel();
        let child = taskspan::spawn(async {
            taskspan::set_tag("child", 1);
            taskspan::set_level(Level::Error);
            gate.await.unwrap();
            taskspan::transaction("task", "inside").in_scope(|_| ());
        });
        task::yield_now().await;
        taskspan::set_tag("parent", "after");
        taskspan::configure_scope(|scope| scope.set_tag("late", 2));
        go.send(()).unwrap();
        child.await.unwrap();
        taskspan::spawn_blocking(|| taskspan::set_tag("blocking", 1))
            .await
            .unwrap();
        async { taskspan::set_tag("span", "same task") }
            .in_span("a", "b")
            .await;
    }
    .in_transaction("task", "outer")
    .with_client(&client)
    .await;
    let sent = by_name(&sent);
    assert_eq!(
        sent["inside"]["tags"],
        json!({"parent": "before", "child": "1"})
    );
    assert_eq!(sent["inside"]["level"], "error");
    assert_eq!(
        sent["outer"]["tags"],
        json!({"parent": "after", "late": "2", "span": "same task"})
    );
    assert_eq!(sent["outer"].get("level"), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tasks_at_the_same_time_do_not_see_each_others_scopes() {
    let (client, sent) = client();
    let barrier = Arc::new(Barrier::new(8));
    let works = (0..8).map(|n| {
        let barrier = barrier.clone();
        let work = async move {
            for round in 0..20 {
                barrier.wait().await;
                taskspan::set_tag("n", n);
                taskspan::set_tag(format!("round.{n}"), round);
                barrier.wait().await;
            }
        };
        tokio::spawn(
            work.in_transaction("task", format!("t{n}"))
                .with_client(&client),
        )
    });
    for task in works.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let sent = by_name(&sent);
    assert_eq!(sent.len(), 8);
    for n in 0..8 {
        let expected = json!({"n": n.to_string(), (format!("round.{n}")): "19"});
        assert_eq!(sent[&format!("t{n}")]["tags"], expected);
    }
}

#[tokio::test]
async fn two_branches_of_one_task_share_its_scope() {
    let (client, sent) = client();
    let branch = |key: &'static str| async move {
        taskspan::set_tag(key, 1);
        task::yield_now().await;
        taskspan::set_tag("last", key);
    };
    join(branch("a"), branch("b"))
        .in_transaction("task", "t")
        .with_client(&client)
        .await;
    assert_eq!(
        only(&sent)["tags"],
        json!({"a": "1", "b": "1", "last": "b"})
    );
}

#[tokio::test]
async fn a_late_task_carries_its_own_scope() {
    let (client, sent) = client();
    let (go, gate) = oneshot::channel::<()>();
    let task = async {
        taskspan::set_tag("shared", 1);
        let late = taskspan::spawn(async {
            taskspan::set_tag("early", 2);
            gate.await.unwrap();
            taskspan::set_tag("late", 3);
            ready(()).in_span("work", "late").await;
        });
        task::yield_now().await;
        taskspan::set_tag("root", 4);
        [late]
    }
    .in_transaction("task", "root")
    .with_client(&client)
    .await;
    go.send(()).unwrap();
    let [task] = task;
    task.await.unwrap();
    let sent = by_name(&sent);
    assert_eq!(sent["root"]["tags"], json!({"shared": "1", "root": "4"}));
    assert_eq!(
        sent["late"]["tags"],
        json!({"shared": "1", "early": "2", "late": "3"})
    );
    assert_eq!(sent["late"]["transaction_info"]["source"], "task");
    assert_eq!(
        sent["late"]["contexts"]["trace"]["parent_span_id"],
        sent["root"]["contexts"]["trace"]["span_id"]
    );
}

#[tokio::test]
async fn scope_data_set_around_a_transaction_is_not_changed_inside_of_it() {
    let (client, sent) = client();
    async {
        taskspan::set_tag("around", 1);
        async { taskspan::set_tag("inside", 2) }
            .in_transaction("task", "first")
            .await;
        ready(()).in_transaction("task", "second").await;
    }
    .with_client(&client)
    .await;
    let sent = by_name(&sent);
    assert_eq!(sent["first"]["tags"], json!({"around": "1", "inside": "2"}));
    assert_eq!(sent["second"]["tags"], json!({"around": "1"}));
}

#[test]
fn what_is_set_can_be_taken_back() {
    let payload = sent_by(|_| {
        taskspan::configure_scope(|scope| {
            scope.set_tag("a", 1);
            scope.set_tag("b", 2);
            scope.remove_tag("a");
            scope.set_context("a", json!({}));
            scope.remove_context("a");
            scope.set_level(Level::Error);
            scope.set_level(None);
            scope.set_user(User::default());
            scope.remove_user();
            scope.set_request(Request::default());
            scope.set_request(None);
        });
    });
    assert_eq!(payload["tags"], json!({"b": "2"}));
    for field in ["level", "user", "request"] {
        assert_eq!(payload.get(field), None, "{field}");
    }
    assert_eq!(payload["contexts"].get("a"), None);
    let payload = sent_by(|_| {
        taskspan::set_tag("a", 1);
        taskspan::configure_scope(|scope| scope.clear());
    });
    assert_eq!(payload.get("tags"), None);
}

#[test]
fn a_context_of_the_name_trace_is_ignored() {
    let payload = sent_by(|_| {
        taskspan::set_context("trace", json!({"span_id": "none", "custom": 1}));
        taskspan::configure_scope(|scope| scope.remove_context("trace"));
    });
    let trace = &payload["contexts"]["trace"];
    assert_eq!(trace.get("custom"), None);
    assert_eq!(trace["op"], "task");
}

#[test]
fn contexts_of_the_program_win_over_those_of_the_client() {
    let payload = sent_by(|_| taskspan::set_context("os", json!({"name": "ours"})));
    assert_eq!(payload["contexts"]["os"], json!({"name": "ours"}));
}

#[test]
fn a_scope_survives_a_panic_while_it_is_changed() {
    let payload = sent_by(|_| {
        taskspan::set_tag("before", 1);
        catch_unwind(|| {
            taskspan::configure_scope(|scope| {
                scope.set_tag("inside", 2);
                resume_unwind(Box::new("on purpose"));
            });
        })
        .unwrap_err();
        taskspan::set_tag("after", 3);
    });
    let expected = json!({"before": "1", "inside": "2", "after": "3"});
    assert_eq!(payload["tags"], expected);
}

/// A value whose own code panics, after it has written something.
struct Panics;

impl Serialize for Panics {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeSeq;
        serializer.serialize_seq(None)?.serialize_element(&1)?;
        resume_unwind(Box::new("on purpose"))
    }
}

impl Display for Panics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("half")?;
        resume_unwind(Box::new("on purpose"))
    }
}

#[test]
fn values_that_panic_break_nothing() {
    let payload = sent_by(|root| {
        taskspan::set_tag("before", 1);
        let caught = |f: &dyn Fn()| catch_unwind(AssertUnwindSafe(f)).unwrap_err();
        caught(&|| root.set_data("bad", Panics));
        caught(&|| root.set_tag("bad", Panics));
        caught(&|| taskspan::set_tag("bad", Panics));
        caught(&|| taskspan::set_context("bad", Panics));
        caught(&|| taskspan::configure_scope(|scope| scope.set_tag("bad", Panics)));
        caught(&|| taskspan::configure_scope(|scope| scope.set_context("bad", Panics)));
        taskspan::set_tag("after", 2);
        root.set_data("after", "whole");
        taskspan::span("a", "after").in_scope(|_| ());
    });
    assert_eq!(payload["tags"], json!({"before": "1", "after": "2"}));
    assert_eq!(*trace_data(&payload), json!({"after": "whole"}));
    assert_eq!(payload["contexts"].get("bad"), None);
    assert_eq!(payload["spans"][0]["description"], "after");
    assert_eq!(payload["contexts"]["trace"]["status"], "ok");
}

#[test]
fn values_that_fail_are_replaced_by_the_reason() {
    struct Fails;
    impl Serialize for Fails {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("on \"purpose\""))
        }
    }
    let payload = sent_by(|root| {
        root.set_data("fails", vec![Some(Fails), None]);
        taskspan::set_context("fails", Fails);
    });
    assert_eq!(*trace_data(&payload), json!({"fails": "on \"purpose\""}));
    assert_eq!(
        payload["contexts"]["fails"],
        json!({"value": "on \"purpose\""})
    );
}

/// A value whose own code uses the crate while it is written.
struct Busy<'a>(&'a Span);

impl Busy<'_> {
    fn work(&self, name: &'static str) {
        taskspan::span("inside", name).in_scope(|span| span.set_data("nested", [1]));
        self.0.set_data("by value", name);
        self.0.set_tag("by_value", name);
        taskspan::set_tag(name, "scope");
        taskspan::configure_scope(|scope| scope.set_level(Level::Warning));
        self.0.start_child("child", name).finish();
        self.0.set_status(SpanStatus::NotFound);
    }
}

impl Serialize for Busy<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.work("serialize");
        serializer.serialize_str("written")
    }
}

impl Display for Busy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.work("display");
        f.write_str("written")
    }
}

/// A tag that was set while another one was written once was lost.
#[test]
fn values_may_use_the_crate_while_they_are_written() {
    type Write = fn(&Span);
    let writes: [(&str, Write); 4] = [
        ("serialize", |span| span.set_data("k", Busy(span))),
        ("display", |span| span.set_tag("k", Busy(span))),
        ("serialize", |span| taskspan::set_context("k", Busy(span))),
        ("display", |span| taskspan::set_tag("k", Busy(span))),
    ];
    for (place, (name, write)) in writes.into_iter().enumerate() {
        let payload = sent_by(write);
        let mut expected = json!({"by_value": name, (name): "scope"});
        if name == "display" {
            expected["k"] = json!("written");
        }
        assert_eq!(payload["tags"], expected, "{place}");
        assert_eq!(payload["level"], "warning", "{place}");
        assert_eq!(trace_data(&payload)["by value"], name, "{place}");
        if place == 0 {
            assert_eq!(trace_data(&payload)["k"], "written");
        }
        if place == 2 {
            assert_eq!(payload["contexts"]["k"]["value"], "written");
        }
        assert_eq!(payload["contexts"]["trace"]["status"], "not_found");
        let spans = payload["spans"].as_array().unwrap();
        assert_eq!(spans.len(), 2, "{place}");
        assert_eq!(spans[0]["data"], json!({"nested": [1]}));
    }
}

#[test]
fn a_closure_that_changes_the_scope_may_record() {
    let payload = sent_by(|root| {
        taskspan::configure_scope(|scope| {
            scope.set_tag("scope", 1);
            taskspan::span("a", "b").in_scope(|span| span.set_tag("span", 2));
            root.set_tag("root", 3);
        });
    });
    assert_eq!(payload["tags"], json!({"scope": "1", "root": "3"}));
    assert_eq!(payload["spans"][0]["tags"], json!({"span": "2"}));
}

/// What was changed inside of a change once was lost, and tasks spawned there had an empty scope.
#[tokio::test]
async fn a_scope_may_be_changed_and_forked_while_it_is_changed() {
    let (client, sent) = client();
    async {
        taskspan::set_tag("before", 1);
        taskspan::set_tag("removed", 1);
        let child = taskspan::configure_scope(|scope| {
            scope.set_tag("outer", 1);
            scope.set_tag("both", "outer");
            taskspan::configure_scope(|scope| {
                scope.set_tag("inner", 1);
                scope.set_tag("both", "inner");
                scope.remove_tag("removed");
                scope.set_level(Level::Info);
            });
            taskspan::set_user(User {
                id: Some("7".into()),
                ..User::default()
            });
            taskspan::spawn(async { taskspan::transaction("task", "inside").in_scope(|_| ()) })
        });
        child.await.unwrap();
    }
    .in_transaction("task", "t")
    .with_client(&client)
    .await;
    let sent = by_name(&sent);
    assert_eq!(
        sent["t"]["tags"],
        json!({"before": "1", "outer": "1", "inner": "1", "both": "outer"})
    );
    assert_eq!(sent["t"]["level"], "info");
    assert_eq!(sent["t"]["user"]["id"], "7");
    assert_eq!(
        sent["inside"]["tags"],
        json!({"before": "1", "inner": "1", "both": "inner"})
    );
}

#[test]
fn a_reader_over_http_takes_it() {
    use taskspan::local::Receiver;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let (client, sent) = client();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let received = runtime.block_on(async {
        async {
            taskspan::set_tag("tenant", "acme");
            async { taskspan::spawn(ready(())).await.unwrap() }
                .in_span("a", "b\n\"🦀\"")
                .await;
        }
        .in_transaction("task", "t")
        .with_client(&client)
        .await;
        let body = bytes_of(sent.take().remove(0));
        let mut receiver = Receiver::start().await.unwrap();
        let mut stream = tokio::net::TcpStream::connect(receiver.local_addr())
            .await
            .unwrap();
        let head = format!(
            "POST /api/1/envelope/ HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             x-sentry-auth: Sentry sentry_version=7, sentry_key=7461736b7370616e7461736b7370616e\r\n\
             content-type: application/x-sentry-envelope\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&body).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        receiver.next().await
    });
    assert_eq!(received.name, "t");
    assert_eq!(received.tags["tenant"], "acme");
    assert_eq!(received.spans[0].description, "b\n\"🦀\"");
    assert_eq!(received.spans[0].parent_span_id, Some(received.span_id));
    assert_eq!(received.sampling_context["sampled"], "true");
}
