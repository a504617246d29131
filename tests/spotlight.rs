//! Copies for Spotlight, over real sockets: what it gets, and that nobody else notices.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[path = "support/raw_http.rs"]
mod http;

use std::env;
use std::future::ready;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use taskspan::local::{Delivery, Receiver};
use taskspan::{Client, DeliveryReport, IncomingTrace, InitError, Instrument, Options, Spotlight};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::http::read_request;

const SOON: Duration = Duration::from_secs(20);

/// Where a receiver takes what Spotlight would.
fn stream(receiver: &Receiver) -> String {
    format!("http://{}/stream", receiver.local_addr())
}

fn sampled(dsn: &str, spotlight: impl Into<Spotlight>) -> Client {
    let options = Options::new(dsn).unwrap().traces_sample_rate(1.0);
    Client::new(options.spotlight(spotlight)).unwrap()
}

async fn transaction(client: &Client, name: &'static str) {
    ready(())
        .in_span("db.query", "SELECT 1")
        .in_transaction("task", name)
        .with_client(client)
        .await;
}

/// Every item with its header, in an order of its own.
fn items(deliveries: &[Arc<Delivery>]) -> Vec<(Value, String)> {
    let all = deliveries.iter().flat_map(|it| &it.envelope.items);
    let mut items: Vec<_> = all
        .map(|item| {
            let payload = String::from_utf8(item.payload.clone()).unwrap();
            (Value::from(item.headers.clone()), payload)
        })
        .collect();
    items.sort_by(|one, other| one.1.cmp(&other.1));
    items
}

/// The headers of the envelopes around transactions, but for the time that they were sent at.
fn headers(deliveries: &[Arc<Delivery>]) -> Vec<String> {
    let transactions = deliveries.iter().filter(|it| it.transaction.is_some());
    let mut headers: Vec<_> = transactions
        .map(|it| {
            let mut headers = it.envelope.headers.clone();
            assert!(headers.remove("sent_at").is_some());
            Value::from(headers).to_string()
        })
        .collect();
    headers.sort();
    headers
}

#[tokio::test]
async fn spotlight_gets_what_the_server_gets() {
    let server = Receiver::start().await.unwrap();
    let spotlight = Receiver::start().await.unwrap();
    let client = sampled(&server.dsn(), stream(&spotlight));
    for _ in 0..20 {
        async {
            taskspan::set_tag("größe", "🦀");
            let spans = taskspan::spawn(async {
                for _ in 0..10 {
                    ready(()).in_span("db.query", "SELECT 1").await;
                }
            });
            spans.await.unwrap();
        }
        .in_transaction("task", "t")
        .with_client(&client)
        .await;
    }
    // One that both have to be sent a part of only.
    async {
        for _ in 0..300 {
            let span = taskspan::span("db.query", "a".repeat(8_000));
            span.in_scope(|_| ());
        }
    }
    .in_transaction("task", "large")
    .with_client(&client)
    .await;
    let report = client.close(SOON).await;

    assert_eq!(report.transactions.accepted, 21);
    assert!(report.spans.dropped() > 0, "{report:?}");
    let (to_server, to_spotlight) = (server.deliveries(), spotlight.deliveries());
    assert_eq!(items(&to_server), items(&to_spotlight));
    assert_eq!(headers(&to_server), headers(&to_spotlight));
    let lost = server.counts().discarded("buffer_overflow", "span");
    assert_eq!(lost, report.spans.dropped());
    for delivery in to_spotlight {
        assert_eq!(delivery.path, "/stream");
        let content_type = delivery.content_type.as_deref();
        assert_eq!(content_type, Some("application/x-sentry-envelope"));
        assert_eq!(delivery.content_encoding, None);
        assert_eq!(delivery.sentry_auth, None);
        assert!(delivery.user_agent.is_some());
    }
}

#[cfg(feature = "zstd")]
#[tokio::test]
async fn spotlight_gets_no_compression_that_it_cannot_read() {
    let server = Receiver::start().await.unwrap();
    let spotlight = Receiver::start().await.unwrap();
    let options = Options::new(&server.dsn()).unwrap().traces_sample_rate(1.0);
    let options = options.compression(taskspan::Compression::Zstd);
    let client = Client::new(options.spotlight(stream(&spotlight))).unwrap();
    transaction(&client, "t").await;
    client.close(SOON).await;
    let encoding = |receiver: &Receiver| receiver.deliveries()[0].content_encoding.clone();
    assert_eq!(encoding(&server).as_deref(), Some("zstd"));
    assert_eq!(encoding(&spotlight), None);
}

/// What is to be seen of a program elsewhere than at Spotlight.
#[derive(Debug, PartialEq)]
struct Seen {
    report: DeliveryReport,
    discarded: Vec<(String, String, u64)>,
    transactions: u64,
    sentry_trace: String,
    baggage: Option<String>,
}

/// Runs a transaction with children, two of them over the limit and one that outlives it.
async fn run(options: Options, server: &Receiver, explicit: Option<bool>, flag: &str) -> Seen {
    let client = Client::new(options.max_spans(3)).unwrap();
    let trace_id = "3f0c2a9be41d4f7c9a60b1d2c3e4f506";
    let header = format!("{trace_id}-b7e4a1930c5d2f68{flag}");
    let baggage = format!("sentry-trace_id={trace_id},sentry-sample_rand=0.500000");
    let incoming = IncomingTrace::new(Some(&header), Some(&baggage));
    let (end, ended) = oneshot::channel();
    let work = async {
        for _ in 0..5 {
            taskspan::span("db.query", "SELECT 1").in_scope(|_| ());
        }
        let late = taskspan::spawn(ended.in_span("task", "late"));
        (taskspan::outgoing_trace().unwrap(), late)
    };
    let mut builder = taskspan::transaction("task", "t").continue_trace(&incoming);
    if let Some(sampled) = explicit {
        builder = builder.sampled(sampled);
    }
    let (outgoing, late) = builder.instrument(work).with_client(&client).await;
    end.send(()).unwrap();
    late.await.unwrap().unwrap();
    let report = client.close(SOON).await;
    let counts = server.counts();
    let discarded = counts.iter_discarded();
    // The id of the span is another one each time.
    let sentry_trace = outgoing.sentry_trace();
    let (before, after) = (&sentry_trace[..33], &sentry_trace[49..]);
    Seen {
        report,
        discarded: discarded
            .map(|(reason, category, quantity)| (reason.into(), category.into(), quantity))
            .collect(),
        transactions: counts.transactions,
        sentry_trace: format!("{before}…{after}"),
        baggage: outgoing.baggage().map(ToOwned::to_owned),
    }
}

#[tokio::test]
async fn everything_is_recorded_for_spotlight_and_nobody_else_notices() {
    let none = |options: Options| options;
    let rate: [fn(Options) -> Options; 5] = [
        none,
        |options| options.traces_sample_rate(0.0),
        |options| options.traces_sample_rate(0.4),
        |options| options.traces_sample_rate(1.0),
        |options| options.traces_sampler(|_| 0.25),
    ];
    for (row, set) in rate.into_iter().enumerate() {
        for explicit in [None, Some(false), Some(true)] {
            for flag in ["", "-0", "-1"] {
                let spotlight = Receiver::start().await.unwrap();
                let mut seen = Vec::new();
                for target in [Spotlight::Off, stream(&spotlight).into()] {
                    let server = Receiver::start().await.unwrap();
                    let options = Options::new(&server.dsn()).unwrap();
                    let options = set(options).spotlight(target);
                    seen.push(run(options, &server, explicit, flag).await);
                }
                assert_eq!(seen[0], seen[1], "{row} {explicit:?} {flag:?}");
                let shown = spotlight.transactions();
                let names: Vec<_> = shown.iter().map(|it| it.name.as_str()).collect();
                assert_eq!(names, ["t", "late"], "{row} {explicit:?} {flag:?}");
                assert_eq!(shown[0].spans.len(), 3);
                assert_eq!(spotlight.counts().refused, 0);
            }
        }
    }
}

#[tokio::test]
async fn spotlight_works_without_a_dsn() {
    for rate in [None, Some(0.0), Some(1.0)] {
        let spotlight = Receiver::start().await.unwrap();
        let mut options = Options::default().spotlight(stream(&spotlight));
        if let Some(rate) = rate {
            options = options.traces_sample_rate(rate);
        }
        let client = Client::new(options).unwrap();
        assert!(client.is_enabled());
        transaction(&client, "one").await;
        let report = client.flush(SOON).await;
        assert_eq!(report, DeliveryReport::default());
        assert_eq!(spotlight.counts().transactions, 1);

        transaction(&client, "two").await;
        assert_eq!(client.close(SOON).await, DeliveryReport::default());
        transaction(&client, "after the end").await;
        client.close(SOON).await;
        let names: Vec<_> = spotlight
            .transactions()
            .iter()
            .map(|it| it.name.clone())
            .collect();
        assert_eq!(names, ["one", "two"]);
    }
}

#[test]
fn spotlight_needs_a_runtime() {
    let made = Client::new(Options::default().spotlight(true));
    assert!(matches!(made, Err(InitError::NoRuntime)), "{made:?}");
}

/// Answers every request with a status, and counts them.
async fn answering(status: &'static str) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/stream", listener.local_addr().unwrap());
    let answered = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&answered);
    tokio::spawn(async move {
        loop {
            let (connection, _) = listener.accept().await.unwrap();
            tokio::spawn(answer(connection, status, Arc::clone(&counter)));
        }
    });
    (url, answered)
}

/// Reads one request, and answers it.
async fn answer(mut connection: TcpStream, status: &'static str, counter: Arc<AtomicUsize>) {
    if read_request(&mut connection).await.is_some() {
        counter.fetch_add(1, Ordering::SeqCst);
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        let _ = connection.write_all(answer.as_bytes()).await;
    }
}

/// A place that accepts connections and says nothing.
fn silent() -> (std::net::TcpListener, String) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/stream", listener.local_addr().unwrap());
    (listener, url)
}

#[tokio::test]
async fn spotlight_that_fails_is_in_nobodys_way() {
    let (listener, dead) = silent();
    drop(listener);
    let (_listener, silent) = silent();
    let (failing, answered) = answering("500 Internal Server Error").await;
    for url in [dead, silent, failing] {
        let server = Receiver::start().await.unwrap();
        let client = sampled(&server.dsn(), url.as_str());
        for _ in 0..200 {
            transaction(&client, "t").await;
        }
        // The server has everything before anybody waits for Spotlight.
        timeout(SOON, server.wait_for(200)).await.unwrap();

        let start = Instant::now();
        let report = client.close(SOON).await;
        // No longer than a single request may take, and that only where nothing is answered.
        assert!(start.elapsed() < SOON / 2, "{url} {:?}", start.elapsed());
        assert_eq!(report.transactions.accepted, 200, "{report}");
        assert_eq!(report.transactions.sampled, 200, "{report}");
        assert_eq!(server.counts().iter_discarded().count(), 0);
    }
    assert_eq!(answered.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn spotlight_goes_on_where_the_server_fails() {
    let (listener, _) = silent();
    let dead = format!("http://k@{}/1", listener.local_addr().unwrap());
    drop(listener);
    let spotlight = Receiver::start().await.unwrap();
    let client = sampled(&dead, stream(&spotlight));
    for _ in 0..50 {
        transaction(&client, "t").await;
    }
    timeout(SOON, spotlight.wait_for(50)).await.unwrap();
    let report = client.stats();
    assert_eq!(report.transactions.pending, 50, "{report}");
}

#[tokio::test]
async fn a_deadline_holds_for_spotlight_as_well() {
    let (_listener, url) = silent();
    let client = Client::new(Options::default().spotlight(url)).unwrap();
    transaction(&client, "t").await;
    for close in [false, true, true] {
        let start = Instant::now();
        match close {
            true => client.close(Duration::from_millis(100)).await,
            false => client.flush(Duration::from_millis(100)).await,
        };
        assert!(
            start.elapsed() < Duration::from_secs(1),
            "{:?}",
            start.elapsed()
        );
    }
}

#[tokio::test]
async fn spotlight_is_tried_again_after_a_pause() {
    let (listener, url) = silent();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let client = Client::new(Options::default().spotlight(url)).unwrap();
    transaction(&client, "lost").await;
    client.flush(SOON).await;
    let failed = Instant::now();

    // Whoever starts Spotlight later sees what happens from then on.
    let spotlight = Receiver::bind(address).await.unwrap();
    let arrived = async {
        while spotlight.counts().transactions == 0 {
            transaction(&client, "t").await;
            client.flush(SOON).await;
        }
    };
    timeout(SOON, arrived).await.unwrap();
    let pause = failed.elapsed();
    assert!(pause > Duration::from_millis(900), "{pause:?}");
    assert_eq!(spotlight.transactions()[0].name, "t");
}

#[test]
fn the_next_runtime_goes_on() {
    let elsewhere = Builder::new_multi_thread().enable_all().build().unwrap();
    let spotlight = elsewhere.block_on(Receiver::start()).unwrap();
    let runtime = || Builder::new_current_thread().enable_all().build().unwrap();

    let first = runtime();
    let options = Options::default().spotlight(stream(&spotlight));
    let client = first.block_on(async { Client::new(options).unwrap() });
    // What is queued for a runtime that ends is dropped with it.
    first.block_on(transaction(&client, "lost"));
    drop(first);
    futures_util::FutureExt::now_or_never(transaction(&client, "outside")).unwrap();

    for name in ["second", "third"] {
        runtime().block_on(async {
            transaction(&client, name).await;
            client.flush(SOON).await;
        });
    }
    runtime().block_on(client.close(SOON));
    let names: Vec<_> = spotlight
        .transactions()
        .iter()
        .map(|it| it.name.clone())
        .collect();
    assert_eq!(names.last().unwrap(), "third");
    assert!(names.contains(&"second".to_owned()));
    assert!(!names.contains(&"outside".to_owned()));
}

#[test]
fn a_runtime_without_io_and_time_is_an_error() {
    let runtime = Builder::new_current_thread().build().unwrap();
    let (_listener, url) = silent();
    runtime.block_on(async {
        let made = Client::new(Options::default().spotlight(url));
        assert!(
            matches!(made, Err(InitError::RuntimeLacks("enable_all"))),
            "{made:?}"
        );
    });
}

const CHILD: &str = "TASKSPAN_TEST_OPTION";

#[test]
fn the_variable_is_read_and_failures_are_said_once() {
    if let Ok(option) = env::var(CHILD) {
        return send(&option);
    }
    let elsewhere = Builder::new_multi_thread().enable_all().build().unwrap();
    let spotlight = elsewhere.block_on(Receiver::start()).unwrap();
    let here = stream(&spotlight);
    // Nobody listens on port 1.
    let nowhere = "http://127.0.0.1:1/stream";
    for (option, variable, arrive, said) in [
        ("unset", "", 0, None),
        ("unset", "off", 0, None),
        ("unset", &*here, 2, None),
        ("true", &here, 2, None),
        ("false", &here, 0, None),
        (&here, "", 2, None),
        (&here, nowhere, 2, Some("names a URL")),
        (
            "unset",
            nowhere,
            0,
            Some("will be tried again: http://127.0.0.1:1/stream: "),
        ),
        (
            "unset",
            "enabled",
            0,
            Some(r#"ignored: SENTRY_SPOTLIGHT = "enabled" is not a URL that begins with"#),
        ),
    ] {
        let before = spotlight.counts().transactions;
        let mut child = Command::new(env::current_exe().unwrap());
        child.args([
            "--exact",
            "the_variable_is_read_and_failures_are_said_once",
            "--nocapture",
        ]);
        child.env(CHILD, option).env("SENTRY_SPOTLIGHT", variable);
        let output = child.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let arrived = spotlight.counts().transactions - before;
        assert_eq!(arrived, arrive, "{option} {variable}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        let lines = stderr.lines().filter(|line| line.starts_with("taskspan: "));
        let lines: Vec<_> = lines.collect();
        assert_eq!(lines.len(), usize::from(said.is_some()), "{lines:?}");
        if let Some(said) = said {
            assert!(lines[0].contains(said), "{lines:?}");
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn send(option: &str) {
    let options = match option {
        "unset" => Options::new("").unwrap(),
        "true" => Options::default().spotlight(true),
        "false" => Options::default().spotlight(false),
        url => Options::default().spotlight(url),
    };
    // Two clients, and what is of no use is said once.
    for _ in 0..2 {
        let client = Client::new(options.clone()).unwrap();
        transaction(&client, "t").await;
        client.close(SOON).await;
    }
}

#[tokio::test]
async fn hooks_run_once_and_for_both() {
    for rate in [1.0, 0.0] {
        let server = Receiver::start().await.unwrap();
        let spotlight = Receiver::start().await.unwrap();
        let calls = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&calls);
        let options = Options::new(&server.dsn())
            .unwrap()
            .traces_sample_rate(rate)
            .ignore_transactions(["ignored"])
            .before_send_transaction(move |mut transaction| {
                let call = counter.fetch_add(1, Ordering::SeqCst);
                async move {
                    // Others are built and sent meanwhile.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    transaction.name = format!("{} {call}", transaction.name).into();
                    (!transaction.name.starts_with("dropped")).then_some(transaction)
                }
            });
        let client = Client::new(options.spotlight(stream(&spotlight))).unwrap();
        for name in ["kept", "ignored", "dropped", "kept"] {
            transaction(&client, name).await;
        }
        let report = client.close(SOON).await;

        assert_eq!(calls.load(Ordering::SeqCst), 3);
        assert_eq!(spotlight.counts().transactions, 2);
        if rate > 0.0 {
            assert_eq!(report.transactions.accepted, 2, "{report}");
            assert_eq!(report.transactions.dropped(), 2, "{report}");
            assert_eq!(items(&server.deliveries()), items(&spotlight.deliveries()));
        } else {
            assert_eq!(report.transactions.sampled, 0, "{report}");
            assert_eq!(report.unsampled, 4);
            let discarded: Vec<_> = server.counts().iter_discarded().map(|it| it.2).collect();
            assert_eq!(discarded, [4, 4]);
        }
    }
}
