//! The program's own code on the way to the server: its order, its panics, and its time.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[path = "support/losses.rs"]
#[allow(dead_code, reason = "for other tests")]
mod losses;

use std::future::{pending, ready};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::join_all;
use taskspan::local::Receiver;
use taskspan::{Client, DiscardReason, DropReason, Instrument, Options, Scope};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Barrier, Semaphore};
use tokio::time::{sleep, timeout};

use crate::losses::{SOON, assert_lost, connected, transaction, whole};

/// Who was called, in which order.
#[derive(Clone, Default)]
struct Calls {
    seen: Arc<Mutex<Vec<&'static str>>>,
}

impl Calls {
    fn note(&self, who: &'static str) {
        self.seen.lock().unwrap().push(who);
    }

    /// Adds an event processor to a scope, which may be that of other tests, too.
    fn follow(&self, scope: &mut Scope, who: &'static str) {
        let calls = self.clone();
        scope.add_event_processor(move |transaction| {
            if transaction.name == "order" {
                calls.note(who);
            }
            Some(transaction)
        });
    }
}

#[tokio::test]
async fn everything_runs_in_the_order_of_the_protocol() {
    let calls = Calls::default();
    let [first, second, span, last] = [(); 4].map(|()| calls.clone());
    let (receiver, client) = connected(|options| {
        options
            .before_send_transaction(move |transaction| {
                last.note("last");
                ready(Some(transaction))
            })
            .before_send_span(move |_| span.note("span"))
            .event_processor(move |transaction| {
                first.note("client 1");
                Some(transaction)
            })
            .event_processor(move |transaction| {
                second.note("client 2");
                Some(transaction)
            })
            .ignore_spans(["ignored"])
    })
    .await;
    taskspan::configure_global_scope(|scope| calls.follow(scope, "global"));
    async {
        taskspan::configure_scope(|scope| {
            calls.follow(scope, "scope 1");
            scope.set_tag("a", 1);
            // Processors stay.
            scope.clear();
            calls.follow(scope, "scope 2");
        });
        // A task has a copy.
        let calls = calls.clone();
        let task = async move {
            taskspan::configure_scope(|scope| calls.follow(scope, "task"));
            ready(()).in_span("a", "b").await;
            ready(()).in_span("a", "ignored").await;
        };
        taskspan::spawn(task).await.unwrap();
    }
    .in_transaction("task", "order")
    .with_client(&client)
    .await;
    client.close(SOON).await;
    assert!(receiver.transactions()[0].tags.is_empty());
    let order = [
        "scope 1", "scope 2", "global", "client 1", "client 2", "span", "last",
    ];
    assert_eq!(*calls.seen.lock().unwrap(), order);
}

#[tokio::test]
async fn a_panic_costs_what_the_protocol_says_and_the_next_one_passes() {
    fn fail(name: &str) {
        assert!(name != "t" && name != "outer", "as the test wants it");
    }
    let dropped = [4, 1];
    type Set = fn(Options) -> Options;
    let table: [(&str, Set, [u64; 2]); 5] = [
        (
            "event_processor",
            |options| {
                options.event_processor(|it| {
                    fail(&it.name);
                    Some(it)
                })
            },
            dropped,
        ),
        (
            "before_send",
            |options| {
                options.before_send_transaction(|it| {
                    fail(&it.name);
                    ready(Some(it))
                })
            },
            dropped,
        ),
        (
            "before_send",
            |options| {
                options.before_send_transaction(|it| async {
                    fail(&it.name);
                    Some(it)
                })
            },
            dropped,
        ),
        (
            "before_send",
            |options| {
                options.before_send_transaction(|it| async {
                    sleep(Duration::from_millis(1)).await;
                    fail(&it.name);
                    Some(it)
                })
            },
            dropped,
        ),
        (
            "none",
            |options| {
                options.before_send_span(|span| {
                    let before = span.description.clone();
                    span.description = "changed".into();
                    fail(&before);
                })
            },
            [0, 0],
        ),
    ];
    for (reason, set, [spans, transactions]) in table {
        let (receiver, client) = connected(set).await;
        transaction(&client, "t").await;
        transaction(&client, "next").await;
        let report = client.close(SOON).await;
        let lost = [
            (reason, "span", spans),
            (reason, "transaction", transactions),
        ];
        let lost = if spans > 0 { &lost[..] } else { &[] };
        assert_lost(&receiver, &report, lost);
        let received = receiver.transactions();
        assert_eq!(received.last().unwrap().name, "next");
        if spans == 0 {
            let spans: Vec<_> = received[0]
                .spans
                .iter()
                .map(|it| &*it.description)
                .collect();
            assert_eq!(spans, ["changed", "outer", "changed"]);
        }
    }
}

#[tokio::test]
async fn many_transactions_wait_in_a_hook_at_the_same_time() {
    // More are under way than may be uploaded before the server has answered once.
    const MANY: usize = 32;
    let barrier = Arc::new(Barrier::new(MANY));
    let (receiver, client) = connected(|options| {
        options.before_send_transaction(move |transaction| {
            let barrier = Arc::clone(&barrier);
            async move {
                // Nobody gets through alone.
                barrier.wait().await;
                Some(transaction)
            }
        })
    })
    .await;
    for _ in 0..2 {
        join_all((0..MANY).map(|_| transaction(&client, "t"))).await;
        let report = client.flush(SOON).await;
        assert_eq!(report.transactions.pending, 0, "{report}");
    }
    assert_lost(&receiver, &client.close(SOON).await, &[]);
    assert_eq!(receiver.counts().transactions, 2 * MANY as u64);
}

#[tokio::test]
async fn a_large_transaction_waits_in_a_hook_and_is_sent() {
    let (receiver, client) = connected(|options| {
        options.before_send_transaction(|transaction| async {
            sleep(Duration::from_millis(1)).await;
            Some(transaction)
        })
    })
    .await;
    async {
        for _ in 0..500 {
            taskspan::span("op", "d".repeat(400)).in_scope(|_| ());
        }
    }
    .in_transaction("task", "large")
    .with_client(&client)
    .await;
    assert_lost(&receiver, &client.close(SOON).await, &[]);
    assert_eq!(receiver.transactions()[0].spans.len(), 500);
}

#[tokio::test]
async fn a_hook_that_never_ends_holds_up_neither_others_nor_close() {
    let (receiver, client) = connected(|options| {
        options.before_send_transaction(|transaction| async {
            if transaction.name == "never" {
                pending::<()>().await;
            }
            Some(transaction)
        })
    })
    .await;
    transaction(&client, "never").await;
    for _ in 0..10 {
        transaction(&client, "t").await;
    }
    timeout(SOON, receiver.wait_for(10)).await.unwrap();
    let start = Instant::now();
    let report = client.close(Duration::from_millis(200)).await;
    // Far less than any other limit; how far over the deadline is for a benchmark to say.
    assert!(start.elapsed() < Duration::from_secs(2));
    assert_eq!(report.transactions.pending, 1, "{report}");
    assert_eq!(report.spans.pending, 4, "{report:?}");
    assert_lost(&receiver, &report, &[]);
}

fn runtime() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().unwrap()
}

#[test]
fn a_hook_goes_on_in_the_next_runtime() {
    let server = runtime();
    let receiver = server.block_on(Receiver::start()).unwrap();
    let started = Arc::new(Semaphore::new(0));
    let go = Arc::new(Semaphore::new(0));
    let calls = Arc::new(AtomicUsize::new(0));
    let options = Options::new(&receiver.dsn())
        .unwrap()
        .traces_sample_rate(1.0);
    let hook = {
        let (started, go, calls) = (started.clone(), go.clone(), calls.clone());
        move |transaction| {
            calls.fetch_add(1, Ordering::Relaxed);
            started.add_permits(1);
            let go = Arc::clone(&go);
            async move {
                go.acquire().await.unwrap().forget();
                Some(transaction)
            }
        }
    };
    let first = runtime();
    let client = first.block_on(async {
        let client = Client::new(options.before_send_transaction(hook)).unwrap();
        transaction(&client, "t").await;
        started.acquire().await.unwrap().forget();
        client
    });
    drop(first);
    assert_eq!(client.stats().transactions.pending, 1);
    go.add_permits(1);
    let report = runtime().block_on(client.close(SOON));
    assert_lost(&receiver, &report, &[]);
    assert_eq!(report.transactions.accepted, 1);
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

#[test]
fn a_hook_whose_timer_has_ended_with_its_runtime_is_one_that_panicked() {
    let server = runtime();
    let receiver = server.block_on(Receiver::start()).unwrap();
    let started = Arc::new(Semaphore::new(0));
    let hook = {
        let started = Arc::clone(&started);
        move |transaction| {
            let started = Arc::clone(&started);
            async move {
                let mut hour = pin!(sleep(Duration::from_secs(3600)));
                // So that the timer is the runtime's own.
                assert!((&mut hour).now_or_never().is_none());
                started.add_permits(1);
                hour.await;
                Some(transaction)
            }
        }
    };
    let options = Options::new(&receiver.dsn())
        .unwrap()
        .traces_sample_rate(1.0)
        .before_send_transaction(hook);
    let first = runtime();
    let client = first.block_on(async {
        let client = Client::new(options).unwrap();
        transaction(&client, "t").await;
        started.acquire().await.unwrap().forget();
        client
    });
    drop(first);
    let report = runtime().block_on(client.close(SOON));
    assert_lost(&receiver, &report, &whole("before_send"));
}

#[tokio::test]
async fn the_client_for_tests_waits_for_hooks_too() {
    let options = Options::default().traces_sample_rate(1.0);
    let go = Arc::new(Semaphore::new(0));
    let wait = Arc::clone(&go);
    let (client, sent) = taskspan::test::client(options.before_send_transaction(move |it| {
        let wait = Arc::clone(&wait);
        async move {
            wait.acquire().await.unwrap().forget();
            (it.name == "t").then_some(it)
        }
    }));
    transaction(&client, "t").await;
    transaction(&client, "dropped").await;
    let report = client.flush(Duration::from_millis(1)).await;
    assert_eq!((report.transactions.pending, report.spans.pending), (2, 8));
    go.add_permits(2);
    let report = client.close(SOON).await;
    assert_eq!(sent.transactions().len(), 1);
    let reason = DropReason::Discarded(DiscardReason::BeforeSend);
    assert_eq!(report.transactions.accepted, 1);
    assert_eq!(report.spans.dropped_because(reason), 4);
}

#[test]
fn the_client_for_tests_needs_a_runtime_for_hooks_that_wait() {
    let options = Options::default().traces_sample_rate(1.0);
    let (client, _) = taskspan::test::client(options.before_send_transaction(|_| pending()));
    let transaction = transaction(&client, "t").now_or_never();
    assert_eq!(transaction, Some(()));
    let stats = client.stats();
    let reason = DropReason::Discarded(DiscardReason::InternalSdkError);
    assert_eq!(stats.transactions.dropped_because(reason), 1);
    assert_eq!(stats.spans.dropped_because(reason), 4);
}
