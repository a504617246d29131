//! From a program to a server and back to its report, over real sockets.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::future::ready;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use taskspan::local::Receiver;
use taskspan::{
    Client, Compression, DeliveryReport, DiscardReason, DropReason, InitError, Instrument, Options,
    SpanStatus,
};
use tokio::runtime::{Builder, Runtime};

const SOON: Duration = Duration::from_secs(20);

fn options(dsn: &str) -> Options {
    Options::new(dsn)
        .unwrap()
        .traces_sample_rate(1.0)
        .release("shop@1.0")
}

async fn connected() -> (Receiver, Client) {
    let receiver = Receiver::start().await.unwrap();
    let client = Client::new(options(&receiver.dsn())).unwrap();
    (receiver, client)
}

async fn transaction(client: &Client, name: &'static str) {
    ready(())
        .in_span("db.query", "SELECT 1")
        .in_transaction("task", name)
        .with_client(client)
        .await;
}

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Checks that everything is somewhere, and how many transactions were accepted.
#[track_caller]
fn assert_settled(report: &DeliveryReport, accepted: u64) {
    assert_eq!(report.transactions.accepted, accepted, "{report}");
    assert_eq!(report.transactions.pending, 0, "{report}");
    for tally in [&report.transactions, &report.spans] {
        assert_eq!(
            tally.sampled,
            tally.accepted + tally.dropped() + tally.pending,
            "{report}"
        );
    }
}

#[tokio::test]
async fn a_transaction_arrives_with_all_that_the_protocol_asks_for() {
    let (receiver, client) = connected().await;
    transaction(&client, "import").await;
    let report = client.close(SOON).await;
    assert_settled(&report, 1);
    assert_eq!(
        report.to_string(),
        "1 transaction sampled: 1 accepted, 0 dropped, 0 pending"
    );

    let delivery = &receiver.deliveries()[0];
    assert_eq!(delivery.path, "/api/1/envelope/");
    assert_eq!(
        delivery.content_type.as_deref(),
        Some("application/x-sentry-envelope")
    );
    assert_eq!(delivery.content_encoding.as_deref(), Some("gzip"));
    let name = concat!("sentry.rust.taskspan/", env!("CARGO_PKG_VERSION"));
    assert_eq!(delivery.user_agent.as_deref(), Some(name));
    let auth = delivery.sentry_auth.as_deref().unwrap();
    assert!(
        auth.starts_with(&format!(
            "Sentry sentry_version=7, sentry_client={name}, sentry_key="
        )),
        "{auth}"
    );

    let transaction = &receiver.transactions()[0];
    assert_eq!((&*transaction.op, &*transaction.name), ("task", "import"));
    assert_eq!(transaction.status, Some(SpanStatus::Ok));
    assert_eq!(
        transaction.spans[0].parent_span_id,
        Some(transaction.span_id)
    );
    assert_eq!(transaction.payload["platform"], "native");
    assert_eq!(transaction.payload["release"], "shop@1.0");
    assert_eq!(transaction.payload["contexts"]["runtime"]["name"], "rustc");
    let context = &delivery.envelope.headers["trace"];
    assert_eq!(
        context["trace_id"],
        transaction.payload["contexts"]["trace"]["trace_id"]
    );
    assert_eq!(context["sampled"], "true");
    assert_eq!(context["transaction"], "import");
}

#[tokio::test]
async fn every_compression_arrives() {
    let receiver = Receiver::start().await.unwrap();
    let compressions = [
        (Compression::None, None),
        (Compression::Gzip, Some("gzip")),
        #[cfg(feature = "zstd")]
        (Compression::Zstd, Some("zstd")),
    ];
    for (compression, encoding) in compressions {
        let client = Client::new(options(&receiver.dsn()).compression(compression)).unwrap();
        transaction(&client, "t").await;
        assert_settled(&client.close(SOON).await, 1);
        let deliveries = receiver.deliveries();
        assert_eq!(
            deliveries.last().unwrap().content_encoding.as_deref(),
            encoding
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_many_tasks_sample_is_what_the_server_gets() {
    let (receiver, client) = connected().await;
    let tasks = (0..2_000).map(|n| {
        let client = client.clone();
        tokio::spawn(async move {
            let work = async {
                taskspan::set_tag("n", n);
                taskspan::spawn(ready(()).in_span("a", "b")).await.unwrap();
            };
            work.in_transaction("task", "t").with_client(&client).await;
        })
    });
    join_all(tasks).await;
    let report = client.close(SOON).await;
    assert_settled(&report, 2_000);
    assert_eq!(report.spans.accepted, 4_000);
    let counts = receiver.counts();
    assert_eq!((counts.transactions, counts.spans), (2_000, 4_000));
}

#[tokio::test]
async fn what_was_not_recorded_is_reported() {
    let receiver = Receiver::start().await.unwrap();
    let client = Client::new(options(&receiver.dsn()).max_spans(2)).unwrap();
    async {
        for _ in 0..5 {
            taskspan::span("a", "b").in_scope(|_| ());
        }
    }
    .in_transaction("task", "t")
    .with_client(&client)
    .await;
    async {
        taskspan::transaction("task", "no")
            .sampled(false)
            .start()
            .finish();
    }
    .with_client(&client)
    .await;
    let report = client.close(SOON).await;
    assert_settled(&report, 1);
    assert_eq!(
        report
            .spans
            .dropped_because(DropReason::Discarded(DiscardReason::BufferOverflow)),
        3
    );
    assert_eq!(report.unsampled, 1);
    let counts = receiver.counts();
    assert_eq!(counts.discarded("buffer_overflow", "span"), 3);
    assert_eq!(counts.discarded("sample_rate", "transaction"), 1);
    assert_eq!(counts.discarded("sample_rate", "span"), 1);
}

#[tokio::test]
async fn after_close_nothing_is_sent_and_everything_counted() {
    let (receiver, client) = connected().await;
    transaction(&client, "before").await;
    let (one, two) = join(client.close(SOON), client.close(SOON)).await;
    assert_eq!(one, two);
    transaction(&client, "after").await;
    let report = client.close(SOON).await;
    assert_settled(&report, 1);
    assert_eq!(report.transactions.dropped_because(DropReason::Closed), 1);
    assert_eq!(receiver.counts().transactions, 1);
}

#[tokio::test]
async fn dropping_the_client_sends_what_is_queued() {
    let (receiver, client) = connected().await;
    transaction(&client, "t").await;
    drop(client);
    tokio::time::timeout(SOON, receiver.wait_for(1))
        .await
        .unwrap();
}

#[tokio::test]
async fn flush_waits_and_leaves_the_client_open() {
    let (receiver, client) = connected().await;
    for round in 1..=3 {
        transaction(&client, "t").await;
        assert_settled(&client.flush(SOON).await, round);
        assert_eq!(receiver.counts().transactions, round);
    }
}

#[test]
fn a_client_carries_on_when_its_runtime_has_ended() {
    let server = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let receiver = server.block_on(Receiver::start()).unwrap();
    let first = current_thread();
    let client = first.block_on(async { Client::new(options(&receiver.dsn())).unwrap() });
    first.block_on(transaction(&client, "first"));
    // Without `close`, and before anything was sent.
    drop(first);
    let second = current_thread();
    let report = second.block_on(async {
        transaction(&client, "second").await;
        client.close(SOON).await
    });
    assert_settled(&report, 2);
    assert_eq!(receiver.counts().transactions, 2);
}

#[test]
fn every_kind_of_runtime_can_close() {
    let server = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let receiver = server.block_on(Receiver::start()).unwrap();
    let one_worker = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    for runtime in [current_thread(), one_worker] {
        runtime.block_on(async {
            let client = Client::new(options(&receiver.dsn())).unwrap();
            let local = tokio::task::LocalSet::new();
            local.run_until(transaction(&client, "local")).await;
            for _ in 0..100 {
                transaction(&client, "t").await;
            }
            // From inside a task as well.
            let closing = client.clone();
            let report = tokio::spawn(async move { closing.close(SOON).await })
                .await
                .unwrap();
            assert_settled(&report, 101);
        });
    }
}

#[tokio::test]
async fn close_comes_back_at_its_deadline_from_a_silent_server() {
    // Connections are accepted by the system and never answered.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let dsn = format!("http://k@{}/1", silent.local_addr().unwrap());
    let client = Client::new(options(&dsn)).unwrap();
    for _ in 0..5 {
        transaction(&client, "t").await;
    }
    let start = Instant::now();
    let report = client.close(Duration::from_millis(200)).await;
    // Far less than any timeout of a request; how far over the deadline is for a benchmark to say.
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(report.transactions.pending, 5);
    assert_eq!(report.transactions.sampled, 5);
}

#[tokio::test]
async fn a_server_that_comes_up_later_gets_everything() {
    let reserved = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = reserved.local_addr().unwrap();
    drop(reserved);
    let client = Client::new(options(&format!("http://k@{address}/1"))).unwrap();
    for _ in 0..10 {
        transaction(&client, "t").await;
    }
    let report = client.flush(Duration::from_millis(50)).await;
    assert_eq!(report.transactions.pending, 10);
    let receiver = Receiver::bind(address).await.unwrap();
    assert_settled(&client.close(SOON).await, 10);
    assert_eq!(receiver.counts().transactions, 10);
}

#[test]
fn a_client_without_a_runtime_is_an_error_and_one_without_a_dsn_is_not() {
    assert!(matches!(
        Client::new(options("http://k@127.0.0.1:1/1")),
        Err(InitError::NoRuntime)
    ));
    assert!(
        !Client::new(Options::default().traces_sample_rate(1.0))
            .unwrap()
            .is_enabled()
    );
}

/// It cannot be told beforehand where a client is used that was made elsewhere.
#[test]
fn a_runtime_without_timers_or_io_is_an_error_and_never_a_panic() {
    let bare = Builder::new_current_thread().build().unwrap();
    let made = bare.block_on(async { Client::new(options("http://k@127.0.0.1:1/1")) });
    let error = made.unwrap_err();
    assert!(matches!(error, InitError::RuntimeLacks("enable_all")));
    assert!(error.to_string().contains("enable_all()"), "{error}");

    let (receiver, client) = current_thread().block_on(connected());
    let report = bare.block_on(async {
        transaction(&client, "bare").await;
        client.flush(SOON).await;
        client.close(SOON).await
    });
    assert_eq!(report.transactions.pending, 1, "{report}");
    drop(receiver);
}

#[test]
fn options_that_cannot_be_used_are_named() {
    for rate in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
        let error = Client::new(Options::default().traces_sample_rate(rate)).unwrap_err();
        let InitError::Options(error) = error else {
            panic!("{error}")
        };
        assert_eq!(error.field(), "traces_sample_rate");
        assert_eq!(error.value(), rate.to_string());
    }
    let error = Options::new("ftp://k@host/1").unwrap_err();
    assert_eq!(error.field(), "dsn");
    assert!(error.to_string().contains("ftp://"), "{error}");
}
