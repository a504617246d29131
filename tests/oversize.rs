//! Transactions that are larger than servers take: they are made to fit, and what is left out is counted.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use taskspan::local::{ReceivedTransaction, Receiver};
use taskspan::{Client, DeliveryReport, DiscardReason, DropReason, Instrument, Options};

const SOON: Duration = Duration::from_secs(20);

/// Records what `program` does as one transaction, and returns what arrived of it.
async fn send(program: impl FnOnce() + Send) -> (Arc<ReceivedTransaction>, DeliveryReport) {
    let receiver = Receiver::start().await.unwrap();
    let options = Options::new(&receiver.dsn()).unwrap();
    let options = options
        .traces_sample_rate(1.0)
        .max_spans(20_000)
        .queue_bytes(256 * 1024 * 1024);
    let client = Client::new(options).unwrap();
    async { program() }
        .in_transaction("task", "large")
        .with_client(&client)
        .await;
    let report = client.close(SOON).await;

    assert_eq!(receiver.refusals(), []);
    assert_eq!(report.transactions.accepted, 1, "{report}");
    assert_eq!(report.transactions.sampled, 1, "{report}");
    let transaction = Arc::clone(&receiver.transactions()[0]);
    let dropped = dropped(&report);
    let arrived = transaction.spans.len() as u64 + 1;
    assert_eq!(report.spans.accepted, arrived);
    assert_eq!(report.spans.sampled, arrived + dropped);
    assert_eq!(report.spans.pending, 0);
    let counts = receiver.counts();
    assert_eq!(counts.spans, arrived);
    assert_eq!(counts.discarded("buffer_overflow", "span"), dropped);
    let said = &root_data(&transaction)["taskspan.dropped_spans"];
    assert_eq!(said.as_u64().unwrap_or(0), dropped);

    let payload = &transaction.payload;
    assert!(payload.to_string().len() < 1_000_000);
    assert!(payload["spans"].to_string().len() < 800_000);
    assert_is_a_tree(&transaction);
    (transaction, report)
}

fn dropped(report: &DeliveryReport) -> u64 {
    let reason = DropReason::Discarded(DiscardReason::BufferOverflow);
    assert_eq!(report.spans.dropped(), report.spans.dropped_because(reason));
    report.spans.dropped_because(reason)
}

fn root_data(transaction: &ReceivedTransaction) -> &Value {
    &transaction.payload["contexts"]["trace"]["data"]
}

fn assert_is_a_tree(transaction: &ReceivedTransaction) {
    let ids = transaction.spans.iter().map(|span| span.span_id);
    let ids: std::collections::HashSet<_> = ids.chain([transaction.span_id]).collect();
    for span in &transaction.spans {
        assert!(ids.contains(&span.parent_span_id.unwrap()));
    }
}

/// A span, and that there are others below it.
fn nested(depth: u32, description: &str) {
    if depth > 0 {
        taskspan::span("nested", format!("{depth} {description}"))
            .in_scope(|_| nested(depth - 1, description));
    }
}

#[tokio::test]
async fn many_spans_lose_the_newest() {
    let (transaction, report) = send(|| {
        for n in 0..10_000 {
            taskspan::span("db.query", format!("{n} {}", "x".repeat(300))).in_scope(|_| ());
        }
    })
    .await;
    assert_eq!(report.spans.sampled, 10_001);
    let kept = transaction.spans.len();
    assert!((1_000..2_000).contains(&kept), "{kept}");
    // The oldest are there, without a gap.
    for (n, span) in transaction.spans.iter().enumerate() {
        assert!(span.description.starts_with(&format!("{n} ")));
    }
    assert!(transaction.payload["spans"].to_string().len() > 700_000);
}

#[tokio::test]
async fn a_thousand_large_spans_fit_as_far_as_they_can() {
    let (transaction, report) = send(|| {
        for _ in 0..1_000 {
            taskspan::span("db.query", "SELECT 1").in_scope(|span| {
                span.set_data("db.query.text", "y".repeat(2_000));
            });
        }
    })
    .await;
    assert_eq!(report.spans.sampled, 1_001);
    assert!(transaction.spans.len() > 300);
}

#[tokio::test]
async fn a_long_attribute_of_the_root_is_shortened() {
    let (transaction, report) = send(|| {
        let root = taskspan::current_transaction().unwrap();
        root.set_data("body", "é\n".repeat(1_000_000));
        root.set_data("short", "stays");
        nested(10, "below");
    })
    .await;
    assert_eq!(dropped(&report), 0);
    assert_eq!(transaction.spans.len(), 10);
    let data = root_data(&transaction);
    let body = data["body"].as_str().unwrap();
    assert!(body.len() > 100_000 && body.ends_with('…'));
    assert_eq!(data["short"], "stays");
    assert_eq!(data["taskspan.shortened"], 1);
}

#[tokio::test]
async fn a_long_attribute_of_a_span_is_shortened() {
    let (transaction, report) = send(|| {
        taskspan::span("http.client", "z".repeat(2_000_000)).in_scope(|span| {
            span.set_data("body", "\"".repeat(2_000_000));
            span.set_data("status", 200);
            nested(3, "below");
        });
    })
    .await;
    assert_eq!(dropped(&report), 0);
    assert_eq!(transaction.spans.len(), 4);
    let span = &transaction.spans[0];
    assert!(span.description.len() > 40_000 && span.description.ends_with("z…"));
    assert_eq!(span.data["status"], 200);
    assert_eq!(span.data["taskspan.shortened"], 2);
}

#[tokio::test]
async fn a_huge_context_is_shortened_and_stays_an_object() {
    let (transaction, report) = send(|| {
        let numbers: Vec<u32> = (0..1_000_000).collect();
        taskspan::set_context(
            "cart",
            serde_json::json!({ "id": "a", "numbers": numbers, "text": "t".repeat(1_500_000) }),
        );
        taskspan::set_tag("tenant", "acme");
        nested(5, "below");
    })
    .await;
    assert_eq!(dropped(&report), 0);
    let cart = &transaction.payload["contexts"]["cart"];
    assert_eq!(cart["id"], "a");
    assert!(cart["numbers"].as_array().unwrap().len() > 1_000);
    assert_eq!(transaction.tags["tenant"], "acme");
    assert!(
        root_data(&transaction)["taskspan.shortened"]
            .as_u64()
            .unwrap()
            > 2
    );
}

#[tokio::test]
async fn a_user_and_a_request_keep_what_is_short() {
    let (transaction, _) = send(|| {
        taskspan::set_user(taskspan::User {
            id: Some("7".into()),
            username: Some("u".repeat(1_000_000)),
            ..Default::default()
        });
        taskspan::set_request(taskspan::Request {
            method: Some("PUT".into()),
            data: Some("d".repeat(1_000_000).into()),
            headers: [("accept".to_owned(), "*/*".to_owned())].into(),
            ..Default::default()
        });
    })
    .await;
    let payload = &transaction.payload;
    assert_eq!(payload["user"]["id"], "7");
    assert!(payload["user"]["username"].as_str().unwrap().len() > 100_000);
    assert_eq!(payload["request"]["method"], "PUT");
    assert_eq!(payload["request"]["headers"]["accept"], "*/*");
    assert_eq!(root_data(&transaction)["taskspan.shortened"], 2);
}

#[tokio::test]
async fn large_breadcrumbs_lose_the_oldest() {
    let (transaction, report) = send(|| {
        for number in 0..90 {
            let message = format!("{number} {}", "m".repeat(12_000));
            taskspan::add_breadcrumb(taskspan::protocol::Breadcrumb::new("test", message));
        }
    })
    .await;
    assert_eq!(dropped(&report), 0);
    let values = &transaction.payload["breadcrumbs"]["values"];
    let messages: Vec<_> = values.as_array().unwrap().iter().collect();
    assert_eq!(messages.len(), 8);
    assert!(messages[7]["message"].as_str().unwrap().starts_with("89 "));
    assert!(root_data(&transaction).get("taskspan.shortened").is_none());
}

#[tokio::test]
async fn a_deep_chain_loses_its_end() {
    let (transaction, report) = send(|| nested(600, &"w".repeat(3_000))).await;
    assert_eq!(report.spans.sampled, 601);
    assert!(dropped(&report) > 300);
    let root = transaction.span_id;
    let mut above = root;
    for span in &transaction.spans {
        assert_eq!(span.parent_span_id, Some(above));
        above = span.span_id;
    }
}

#[tokio::test]
async fn what_fits_is_left_alone() {
    let (transaction, report) = send(|| {
        for _ in 0..1_000 {
            taskspan::span("op", "v".repeat(400)).in_scope(|_| ());
        }
        taskspan::set_context("large", serde_json::json!({ "text": "t".repeat(250_000) }));
    })
    .await;
    assert_eq!(dropped(&report), 0);
    assert_eq!(transaction.spans.len(), 1_000);
    assert!(root_data(&transaction).get("taskspan.shortened").is_none());
}

#[tokio::test]
async fn long_texts_count_for_the_bound_of_the_queue() {
    // Accepted by the system, and never answered.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let dsn = format!("http://k@{}/1", silent.local_addr().unwrap());
    let options = Options::new(&dsn).unwrap().traces_sample_rate(1.0);
    let client = Client::new(options.queue_bytes(1024 * 1024)).unwrap();
    for n in 0..40 {
        let long = "n".repeat(100_000);
        async {
            match n % 2 {
                0 => taskspan::span("db.query", long).in_scope(|_| ()),
                _ => taskspan::set_context("long", serde_json::json!({ "text": long })),
            }
        }
        .in_transaction("task", "t")
        .with_client(&client)
        .await;
    }
    let stats = client.stats().transactions;
    assert!((8..=11).contains(&stats.pending), "{stats:?}");
    let reason = DropReason::Discarded(DiscardReason::QueueOverflow);
    assert_eq!(stats.dropped_because(reason), 40 - stats.pending);
}
