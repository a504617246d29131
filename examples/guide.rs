//! The guide, one chapter after the other, each with what arrives.
//!
//! `cargo run --example guide` sends everything to a receiver in this
//! very process, checks it and draws it.

#![allow(clippy::print_stdout, reason = "a program that shows something")]

use std::collections::BTreeSet;
use std::error::Error;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde_json::json;
use taskspan::local::{ReceivedSpan, ReceivedTransaction, Receiver, Waterfall};
use taskspan::{Instrument, JoinSetExt, Level, Options, Request, SpanStatus};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut receiver = Receiver::start().await?;
    let options = Options::new(&receiver.dsn())?
        .release("guide@1.0.0")
        .environment("example")
        .traces_sample_rate(1.0);
    let client = taskspan::init(options)?;

    a_queue(&mut receiver).await;
    transactions_of_every_kind(&mut receiver).await;
    what_is_current(&mut receiver).await;
    spans_of_every_kind(&mut receiver).await;
    other_tasks(&mut receiver).await;
    how_things_end(&mut receiver).await;
    what_is_known_here(&mut receiver).await;

    let report = client.close(Duration::from_secs(5)).await;
    assert_eq!(report.transactions.accepted, report.transactions.sampled);
    assert_eq!(receiver.counts().transactions, report.transactions.accepted);
    assert_eq!(receiver.counts().spans, report.spans.accepted);
    assert!(receiver.refusals().is_empty());
    println!("{report}");
    Ok(())
}

// A worker and its queue.

struct Item {
    name: &'static str,
    tenant: &'static str,
}

async fn a_queue(receiver: &mut Receiver) {
    let queue = [("import items", "acme"), ("export items", "globex")];
    for item in queue.map(|(name, tenant)| Item { name, tenant }) {
        let name = item.name;
        process_item(item).in_transaction("task", name).await;
    }

    for (name, tenant) in [("import items", "acme"), ("export items", "globex")] {
        let arrived = next(receiver).await;
        assert_eq!((&*arrived.op, &*arrived.name), ("task", name));
        assert_eq!(arrived.status, Some(SpanStatus::Ok));
        assert_eq!(arrived.payload["release"], "guide@1.0.0");
        assert_eq!(arrived.tags["tenant"], tenant);
        assert_tree(
            &arrived,
            ["task > db.query", "task > http.client", "task > serialize"],
        );
        assert_eq!(span(&arrived, "serialize").data["rows"], 3);
    }
}

async fn process_item(item: Item) {
    let rows = load()
        .in_span("db.query", "SELECT * FROM items WHERE id = $1")
        .await;
    let count = rows.len();

    // A spawned task stays in the transaction.
    let upload = taskspan::spawn(upload(rows).in_span("http.client", "PUT /items"));

    // Synchronous work: a closure, so nothing can be held across an await.
    taskspan::span("serialize", "render").in_scope(|span| span.set_data("rows", count));

    if let Some(span) = taskspan::current_span() {
        span.set_tag("tenant", item.tenant);
    }
    upload.await.ok();
}

async fn load() -> Vec<u32> {
    sleep(Duration::from_millis(3)).await;
    vec![1, 2, 3]
}

async fn upload(rows: Vec<u32>) {
    sleep(Duration::from_millis(2) * rows.len() as u32).await;
}

// A transaction is a future, a closure, or a handle that is held.

async fn transactions_of_every_kind(receiver: &mut Receiver) {
    let rows = load().in_transaction("task", "a future").await;
    assert_eq!(rows, [1, 2, 3]);
    assert_eq!(next(receiver).await.name, "a future");

    let sum = taskspan::transaction("cli", "a closure").in_scope(|transaction| {
        transaction.set_data("numbers", 2);
        1 + 1
    });
    assert_eq!(sum, 2);
    let arrived = next(receiver).await;
    assert_eq!(arrived.contexts["trace"]["data"]["numbers"], 2);

    let connection = taskspan::transaction("websocket.server", "a handle").start();
    load()
        .in_span("message", "first")
        .in_scope_of(&connection)
        .await;
    connection.in_scope(|| taskspan::span("message", "second").in_scope(|_| ()));
    connection.finish();
    let arrived = next(receiver).await;
    assert_tree(&arrived, ["websocket.server > message"; 2]);
}

// Whoever runs inside of a transaction can ask for it, however deep.

async fn what_is_current(receiver: &mut Receiver) {
    assert!(taskspan::current_transaction().is_none());
    assert!(taskspan::current_span().is_none());

    async {
        route();
        annotate().in_span("function", "annotate").await;
    }
    .in_transaction("http.server", "GET /")
    .await;

    assert!(taskspan::current_transaction().is_none());
    let arrived = next(receiver).await;
    assert_eq!(arrived.name, "GET /items/{id}");
    assert_eq!(span(&arrived, "function").data["cache.hit"], true);
}

fn route() {
    if let Some(transaction) = taskspan::current_transaction() {
        transaction.set_name("GET /items/{id}");
    }
}

async fn annotate() {
    sleep(Duration::from_millis(1)).await;
    if let Some(span) = taskspan::current_span() {
        span.set_data("cache.hit", true);
    }
}

// So is a span.

async fn spans_of_every_kind(receiver: &mut Receiver) {
    async {
        async { load().in_span("db.query", "SELECT name").await }
            .in_span("function", "a future")
            .await;

        let text = taskspan::span("serialize", "a closure").in_scope(|span| {
            span.set_tag("format", "json");
            span.set_data("bytes", 2);
            "{}"
        });
        assert_eq!(text, "{}");

        let Some(parent) = taskspan::current_span() else {
            unreachable!("this is inside of a transaction")
        };
        let held = parent.start_child("lock", "a handle");
        held.start_child("lock.wait", "for the other one").finish();
        // A handle is current only where one asks for it.
        load()
            .in_span("db.query", "UPDATE name")
            .in_scope_of(&held)
            .await;
        held.set_status(SpanStatus::AlreadyExists);
        held.finish();
    }
    .in_transaction("task", "spans")
    .await;

    let arrived = next(receiver).await;
    assert_tree(
        &arrived,
        [
            "task > function",
            "function > db.query",
            "task > serialize",
            "task > lock",
            "lock > lock.wait",
            "lock > db.query",
        ],
    );
    let serialize = span(&arrived, "serialize");
    assert_eq!(serialize.tags["format"], "json");
    assert_eq!(serialize.data["bytes"], 2);
    let lock = span(&arrived, "lock");
    assert_eq!(lock.status, Some(SpanStatus::AlreadyExists));
}

// Spans follow the work to other tasks and threads.

async fn other_tasks(receiver: &mut Receiver) {
    async {
        let spawned = taskspan::spawn(load().in_span("spawn", "a task"));
        let hashed = taskspan::spawn_blocking(|| {
            taskspan::span("spawn_blocking", "a thread of Tokio's")
                .in_scope(|_| thread::sleep(Duration::from_millis(4)));
        });

        let mut set = JoinSet::new();
        for part in ["part 1", "part 2"] {
            set.spawn_in_current_scope(load().in_span("join_set", part));
        }
        while let Some(part) = set.join_next().await {
            assert_eq!(part.map(|rows| rows.len()).ok(), Some(3));
        }

        let work = taskspan::in_current_scope(|| {
            taskspan::span("thread", "a thread of one's own")
                .in_scope(|_| thread::sleep(Duration::from_millis(2)));
        });
        thread::spawn(work).join().ok();

        // Any other way to spawn, of any executor.
        let other = async { load().in_span("other", "a task").await }.in_current_scope();
        tokio::spawn(other).await.ok();

        spawned.await.ok();
        hashed.await.ok();
    }
    .in_transaction("task", "other tasks")
    .await;

    let arrived = next(receiver).await;
    assert_tree(
        &arrived,
        [
            "task > spawn",
            "task > spawn_blocking",
            "task > join_set",
            "task > thread",
            "task > other",
        ],
    );
    assert_eq!(arrived.spans.len(), 6);
}

// Errors with one word, and what is dropped before it is ready.

async fn how_things_end(receiver: &mut Receiver) {
    let result = async {
        let slow = sleep(Duration::from_secs(60)).in_span("http.client", "GET /slow");
        timeout(Duration::from_millis(2), slow).await.ok();

        let query = async { Err::<(), _>(io::Error::other("no such table")) };
        query
            .record_err()
            .in_span("db.query", "SELECT * FROM itms")
            .await
    }
    .record_err()
    .in_transaction("task", "how things end")
    .await;
    assert!(result.is_err());

    let arrived = next(receiver).await;
    assert_eq!(arrived.status, Some(SpanStatus::InternalError));
    let status = |op| span(&arrived, op).status;
    assert_eq!(status("http.client"), Some(SpanStatus::Cancelled));
    assert_eq!(status("db.query"), Some(SpanStatus::InternalError));
}

// Data about the surroundings goes on the transaction, from anywhere below it.

async fn what_is_known_here(receiver: &mut Receiver) {
    taskspan::configure_global_scope(|scope| scope.set_tag("region", "eu-north"));
    async {
        taskspan::set_tag("tenant", "acme");
        taskspan::set_level(Level::Warning);
        taskspan::set_user("7");
        taskspan::set_request(Request {
            method: Some("GET".to_owned()),
            ..Request::default()
        });
        taskspan::set_context("shard", json!({ "number": 3 }));
        taskspan::configure_scope(|scope| {
            scope.set_tag("plan", "free");
            scope.remove_tag("tenant");
        });
    }
    .in_transaction("task", "what is known")
    .await;

    let arrived = next(receiver).await;
    assert_eq!(arrived.tags["region"], "eu-north");
    assert_eq!(arrived.tags["plan"], "free");
    assert!(!arrived.tags.contains_key("tenant"));
    assert_eq!(arrived.payload["level"], "warning");
    assert_eq!(arrived.payload["user"]["id"], "7");
    assert_eq!(arrived.payload["request"]["method"], "GET");
    assert_eq!(arrived.contexts["shard"]["number"], 3);
}

/// Waits for the next transaction and draws it.
async fn next(receiver: &mut Receiver) -> Arc<ReceivedTransaction> {
    let transaction = match timeout(Duration::from_secs(10), receiver.next()).await {
        Ok(transaction) => transaction,
        Err(_) => panic!("nothing arrived: {:?}", receiver.counts()),
    };
    println!("{}\n", Waterfall::for_stdout(&transaction));
    transaction
}

fn span<'a>(transaction: &'a ReceivedTransaction, op: &str) -> &'a ReceivedSpan {
    let found = transaction.spans.iter().find(|span| span.op == op);
    found.unwrap_or_else(|| panic!("there is no span {op:?}"))
}

/// Checks which kinds of spans lie below which.
fn assert_tree<const N: usize>(transaction: &ReceivedTransaction, expected: [&str; N]) {
    let op_of = |id| match transaction.spans.iter().find(|span| span.span_id == id) {
        Some(span) => &span.op,
        None => {
            assert_eq!(
                id, transaction.span_id,
                "a parent is not in the transaction"
            );
            &transaction.op
        }
    };
    let pairs = transaction.spans.iter().filter_map(|span| {
        let parent = op_of(span.parent_span_id?);
        Some(format!("{parent} > {}", span.op))
    });
    let expected = expected.map(str::to_owned);
    assert_eq!(pairs.collect::<BTreeSet<_>>(), BTreeSet::from(expected));
}
