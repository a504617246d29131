//! The channel: many threads at once, and how rarely the worker is woken.

use futures_util::FutureExt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::task::yield_now;

use super::server::{Act, OK};
use super::*;
use crate::transport::shared::{Claim, Shared};
use crate::transport::worker;

/// A transport whose worker counts how often it is polled.
fn counted(config: Config) -> (Transport, Arc<AtomicUsize>) {
    let shared = Arc::new(Shared::new(config));
    let runtime = Handle::current().id();
    let Claim::Start(parked) = shared.claim(runtime) else {
        panic!("there is no worker yet");
    };
    let polls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&polls);
    let work = worker::run(Arc::clone(&shared), parked, runtime);
    tokio::spawn(async move {
        let mut work = pin!(work);
        poll_fn(|context| {
            counter.fetch_add(1, Ordering::Relaxed);
            work.as_mut().poll(context)
        })
        .await;
    });
    (Transport { shared }, polls)
}

/// Lets all other tasks do what they can do now.
async fn settle() {
    for _ in 0..100 {
        yield_now().await;
    }
}

/// The clock stands still, as this task never waits for it.
#[tokio::test(start_paused = true)]
async fn a_lingering_worker_is_woken_by_many_items_only() {
    let server = Server::start(|_| Act::Silence);
    let (transport, polls) = counted(config(&server));
    settle().await;
    let idle = polls.load(Ordering::Relaxed);
    settle().await;
    assert_eq!(polls.load(Ordering::Relaxed), idle, "nothing happens");
    transport.submit(fake(0));
    while server.received().is_empty() {
        yield_now().await;
    }
    settle().await;
    assert!(polls.load(Ordering::Relaxed) > idle, "the first item wakes");
    let lingering = polls.load(Ordering::Relaxed);
    for number in 1..64 {
        transport.submit(fake(number));
        yield_now().await;
    }
    settle().await;
    assert_eq!(polls.load(Ordering::Relaxed), lingering);
    transport.submit(fake(64));
    settle().await;
    assert!(polls.load(Ordering::Relaxed) > lingering, "64 items wake");
    assert_report(&transport.stats(), 0, &[], 65);
}

#[tokio::test(start_paused = true)]
async fn a_lingering_worker_is_woken_by_many_bytes() {
    let server = Server::start(|_| Act::Silence);
    let mut config = config(&server);
    config.queue_bytes = 1_600_000;
    let (transport, polls) = counted(config);
    transport.submit(fake(0));
    while server.received().is_empty() {
        yield_now().await;
    }
    settle().await;
    let lingering = polls.load(Ordering::Relaxed);
    let mut large = fake(1);
    large.size = 99_999;
    transport.submit(large);
    settle().await;
    assert_eq!(polls.load(Ordering::Relaxed), lingering);
    transport.submit(fake(2));
    settle().await;
    assert!(polls.load(Ordering::Relaxed) > lingering);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_can_take_no_more_is_not_woken() {
    let server = Server::start(|_| Act::Silence);
    let mut config = config(&server);
    config.max_uploads = 1;
    let (transport, polls) = counted(config);
    transport.submit(fake(0));
    while server.received().is_empty() {
        yield_now().await;
    }
    settle().await;
    let busy = polls.load(Ordering::Relaxed);
    for number in 1..1_000 {
        transport.submit(fake(number));
        yield_now().await;
    }
    assert_eq!(polls.load(Ordering::Relaxed), busy);
    // A flush is heard.
    let mut flush = pin!(transport.flush(LONG));
    assert!((&mut flush).now_or_never().is_none());
    settle().await;
    assert!(polls.load(Ordering::Relaxed) > busy);
}

#[tokio::test]
async fn what_eight_threads_submit_at_once_is_all_there() {
    const EACH: u64 = 2_000;
    let server = Server::start(|_| OK);
    let mut config = config(&server);
    config.queue_items = 1_000;
    let transport = Transport::new(config, &Handle::current());
    // Twice what fits, while the worker runs, and then while it can't.
    let submit = |transport: &Transport| {
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..EACH).for_each(|number| transport.submit(fake(number))));
            }
        });
    };
    submit(&transport);
    assert_report(
        &transport.stats(),
        0,
        &[(DiscardReason::QueueOverflow, 8 * EACH - 1_000)],
        1_000,
    );
    let report = transport.flush(LONG).await;
    assert_eq!(report.transactions.accepted, 1_000, "{report}");
    let transport = Arc::new(transport);
    let theirs = Arc::clone(&transport);
    let submitting = tokio::task::spawn_blocking(move || submit(&theirs));
    while !submitting.is_finished() {
        let report = transport.flush(Duration::from_millis(1)).await;
        assert_sums(&report.transactions);
        assert_sums(&report.spans);
    }
    submitting.await.unwrap();
    let report = transport.close(LONG).await;
    assert_eq!(report.transactions.sampled, 16 * EACH, "{report}");
    assert_eq!(report.spans.sampled, 48 * EACH, "{report}");
    assert_eq!(report.transactions.pending, 0, "{report}");
    assert_sums(&report.transactions);
    let arrived = server.transactions().len() as u64;
    assert_eq!(arrived, report.transactions.accepted);
}
