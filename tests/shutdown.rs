//! The end of a program: flush and close on every kind of runtime, from everywhere, whatever the
//! server does. How long that takes exactly is for a benchmark to say; here nothing may hang.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::future::ready;
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use futures_util::future::join;
use taskspan::local::Receiver;
use taskspan::{Client, DeliveryReport, Instrument, Options};
use tokio::runtime::{Builder, Runtime};

const SOON: Duration = Duration::from_secs(20);
const QUEUED: [u64; 4] = [0, 5, 60, 5_000];

/// A receiver on a thread of its own, so that it answers while a test blocks.
struct Elsewhere {
    receiver: Receiver,
    _runtime: Runtime,
}

impl Elsewhere {
    fn new() -> Self {
        let runtime = multi_thread(1);
        let receiver = runtime.block_on(Receiver::start()).unwrap();
        Self {
            receiver,
            _runtime: runtime,
        }
    }

    fn client(&self) -> Client {
        client(&self.receiver.dsn())
    }
}

fn client(dsn: &str) -> Client {
    Client::new(Options::new(dsn).unwrap().traces_sample_rate(1.0)).unwrap()
}

fn multi_thread(threads: usize) -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .unwrap()
}

fn runtimes() -> [Runtime; 3] {
    let current_thread = Builder::new_current_thread().enable_all().build().unwrap();
    [current_thread, multi_thread(1), multi_thread(2)]
}

/// A server that the system accepts connections for, and nobody answers.
fn silent() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let dsn = format!("http://k@{}/1", listener.local_addr().unwrap());
    (listener, dsn)
}

async fn transactions(client: &Client, count: u64) {
    for _ in 0..count {
        ready(())
            .in_span("db.query", "SELECT 1")
            .in_transaction("task", "t")
            .with_client(client)
            .await;
    }
}

/// Checks that everything is somewhere.
#[track_caller]
fn assert_settled(report: &DeliveryReport, accepted: u64, pending: u64) {
    assert_eq!(report.transactions.accepted, accepted, "{report}");
    assert_eq!(report.transactions.pending, pending, "{report}");
    assert_eq!(report.transactions.sampled, accepted + pending, "{report}");
    assert_eq!(report.spans.sampled, 2 * (accepted + pending));
    assert_eq!(report.spans.accepted, 2 * accepted);
    assert_eq!(report.spans.pending, 2 * pending);
}

#[test]
fn everything_queued_arrives_from_every_runtime() {
    let server = Elsewhere::new();
    for runtime in runtimes() {
        for queued in QUEUED {
            let before = server.receiver.counts().transactions;
            let report = runtime.block_on(async {
                let client = server.client();
                transactions(&client, queued).await;
                assert_settled(&client.flush(SOON).await, queued, 0);
                // A flush leaves it open.
                transactions(&client, 1).await;
                client.close(SOON).await
            });
            assert_settled(&report, queued + 1, 0);
            assert_eq!(server.receiver.counts().transactions, before + queued + 1);
        }
    }
}

#[test]
fn a_silent_server_holds_nobody_up() {
    const DEADLINE: Duration = Duration::from_millis(100);
    for runtime in runtimes() {
        for queued in QUEUED {
            let (_listener, dsn) = silent();
            runtime.block_on(async {
                let client = client(&dsn);
                transactions(&client, queued).await;
                for close in [false, true, true] {
                    let start = Instant::now();
                    let report = match close {
                        true => client.close(DEADLINE).await,
                        false => client.flush(DEADLINE).await,
                    };
                    let took = start.elapsed();
                    // Far more than it takes, and far less than any other timeout.
                    assert!(took < DEADLINE + Duration::from_secs(2), "{took:?}");
                    assert_settled(&report, 0, queued);
                }
            });
        }
    }
}

#[test]
fn a_server_that_is_not_there_holds_nobody_up() {
    for runtime in runtimes() {
        let (listener, dsn) = silent();
        drop(listener);
        runtime.block_on(async {
            let client = client(&dsn);
            transactions(&client, 60).await;
            let start = Instant::now();
            let report = client.close(Duration::from_millis(100)).await;
            assert!(start.elapsed() < Duration::from_secs(2));
            assert_settled(&report, 0, 60);
        });
    }
}

#[test]
fn closing_works_from_a_task_and_from_many_at_once() {
    let server = Elsewhere::new();
    for runtime in runtimes() {
        let report = runtime.block_on(async {
            let client = server.client();
            transactions(&client, 60).await;
            let closing: Vec<_> = (0..8)
                .map(|n| {
                    let client = client.clone();
                    tokio::spawn(async move {
                        match n % 2 {
                            0 => client.flush(SOON).await,
                            _ => client.close(SOON).await,
                        }
                    })
                })
                .collect();
            for closed in closing {
                assert_settled(&closed.await.unwrap(), 60, 0);
            }
            let (one, two) = join(client.close(SOON), client.flush(SOON)).await;
            assert_eq!(one, two);
            one
        });
        assert_settled(&report, 60, 0);
    }
}

#[test]
fn closing_works_inside_a_transaction_and_on_another_runtime() {
    let server = Elsewhere::new();
    // The worker stays where it was started, which has to go on by itself.
    let [second, first, third] = runtimes();
    let client = first.block_on(async {
        let client = server.client();
        transactions(&client, 5).await;
        client
    });
    // The transaction that it is called in ends only after it.
    let inside = client.flush(SOON).in_transaction("task", "flushes");
    let inside = second.block_on(inside.with_client(&client));
    assert_settled(&inside, 5, 0);
    drop(first);
    let report = third.block_on(client.close(SOON));
    assert_eq!(report.transactions.accepted, 6, "{report}");
    assert_eq!(report.spans.accepted, 11);
}

#[test]
fn a_runtime_that_ends_amid_a_close_takes_nothing_along() {
    let server = Elsewhere::new();
    let (_listener, dsn) = silent();
    let runtime = multi_thread(1);
    let client = runtime.block_on(async {
        let client = client(&dsn);
        transactions(&client, 60).await;
        let closing = client.clone();
        tokio::spawn(async move { closing.close(SOON).await });
        tokio::time::sleep(Duration::from_millis(20)).await;
        client
    });
    let start = Instant::now();
    drop(runtime);
    assert!(start.elapsed() < Duration::from_secs(2));
    assert_settled(&client.stats(), 0, 60);
    drop(server);
}

#[test]
fn dropping_the_last_client_neither_blocks_nor_panics() {
    for runtime in runtimes() {
        for queued in QUEUED {
            let (_listener, dsn) = silent();
            let (client, task) = runtime.block_on(async {
                let client = client(&dsn);
                transactions(&client, queued).await;
                (client.clone(), client)
            });
            let start = Instant::now();
            // Inside a runtime, and then outside of any.
            runtime.block_on(async { drop(task) });
            drop(client);
            assert!(start.elapsed() < Duration::from_secs(1));
        }
        let start = Instant::now();
        drop(runtime);
        assert!(start.elapsed() < Duration::from_secs(5));
    }
}

#[test]
fn a_client_may_outlive_its_runtime_and_be_dropped_in_a_thread() {
    let (_listener, dsn) = silent();
    for runtime in runtimes() {
        let client = runtime.block_on(async {
            let client = client(&dsn);
            transactions(&client, 5).await;
            client
        });
        drop(runtime);
        thread::spawn(move || drop(client)).join().unwrap();
    }
}
