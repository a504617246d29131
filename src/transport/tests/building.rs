//! Payloads that take their time to be built.

use std::future::pending;
use std::sync::mpsc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::{Semaphore, oneshot};

use super::server::{Act, OK};
use super::*;

/// A payload of three spans.
struct Slow {
    size: usize,
    building: BoxFuture<'static, Built>,
}

impl Payload for Slow {
    fn spans(&self) -> u32 {
        3
    }

    fn size(&self) -> usize {
        self.size
    }

    fn build(self: Box<Self>) -> Build {
        Build::Pending(self.building)
    }
}

fn slow(size: usize, building: impl Future<Output = Built> + Send + 'static) -> Box<Slow> {
    Box::new(Slow {
        size,
        building: building.boxed(),
    })
}

fn built() -> Built {
    Built {
        transaction: Ok(Box::new(transaction("slow".to_owned()))),
        removed: Vec::new(),
    }
}

/// A small payload that blocks the thread on which it is built.
struct Blocking {
    began: oneshot::Sender<()>,
    go: mpsc::Receiver<()>,
}

impl Payload for Blocking {
    fn spans(&self) -> u32 {
        3
    }

    fn size(&self) -> usize {
        100
    }

    fn takes_long(&self) -> bool {
        true
    }

    fn build(self: Box<Self>) -> Build {
        self.began.send(()).unwrap();
        self.go.recv_timeout(LONG).unwrap();
        Build::Ready(built())
    }
}

#[tokio::test]
async fn what_takes_long_is_built_away_from_the_runtime() {
    let server = Server::start(|_| OK);
    let transport = connect(&server);
    let (began, has_begun) = oneshot::channel();
    let (go, wait) = mpsc::channel();
    transport.submit(Box::new(Blocking { began, go: wait }));
    // There is one thread, and this is it.
    has_begun.await.unwrap();
    go.send(()).unwrap();
    let report = transport.close(LONG).await;
    assert_eq!(report.transactions.accepted, 1);
}

/// What is written by the worker itself, and what by a thread that may block.
const SIZES: [usize; 2] = [100, 1_000_000];

/// Waits for a permit, and then builds.
fn after(go: &Arc<Semaphore>) -> impl Future<Output = Built> + Send + 'static {
    let go = Arc::clone(go);
    async move {
        go.acquire().await.unwrap().forget();
        built()
    }
}

#[tokio::test]
async fn others_overtake_what_is_being_built() {
    let server = Server::start(|_| OK);
    let transport = connect(&server);
    let go = Arc::new(Semaphore::new(0));
    for size in SIZES {
        transport.submit(slow(size, after(&go)));
    }
    for number in 0..10 {
        transport.submit(fake(number));
    }
    while transport.stats().transactions.accepted < 10 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_report(&transport.stats(), 10, &[], 2);
    go.add_permits(2);
    assert_report(&transport.close(LONG).await, 12, &[], 0);
    assert_eq!(server.transactions()[10..], ["slow", "slow"]);
}

#[tokio::test]
async fn what_panics_while_it_waits_is_counted_and_the_worker_lives() {
    let server = Server::start(|_| OK);
    let transport = connect(&server);
    for size in SIZES {
        transport.submit(slow(size, async {
            tokio::task::yield_now().await;
            panic!("as the test wants it")
        }));
    }
    transport.submit(fake("lives"));
    let lost = [(DiscardReason::InternalSdkError, 2)];
    assert_report(&transport.flush(LONG).await, 1, &lost, 0);
}

#[tokio::test]
async fn what_is_built_counts_what_it_has_lost_and_gained() {
    let server = Server::start(|_| OK);
    let transport = connect(&server);
    let reason = DiscardReason::BeforeSend;
    transport.submit(slow(100, async {
        Built {
            removed: vec![(DiscardReason::Ignored, 1), (DiscardReason::BeforeSend, 0)],
            ..built()
        }
    }));
    transport.submit(slow(100, async {
        Built {
            removed: vec![(DiscardReason::Ignored, 1)],
            transaction: Err(DiscardReason::BeforeSend),
        }
    }));
    let report = transport.close(LONG).await;
    assert_tally(&report.transactions, 1, &[(reason, 1)], 0);
    let lost = [(reason, 2), (DiscardReason::Ignored, 2)];
    assert_tally(&report.spans, 2, &lost, 0);
    let told = server.reported();
    assert_eq!((told["ignored span"], told["before_send span"]), (2, 2));
}

#[tokio::test]
async fn no_more_are_built_at_once_than_may_be_uploaded() {
    let server = Server::start(|_| OK);
    let mut config = config(&server);
    config.max_uploads = 2;
    let transport = Transport::new(config, &Handle::current());
    let started = Arc::new(Semaphore::new(0));
    for _ in 0..5 {
        let started = Arc::clone(&started);
        transport.submit(slow(100, async move {
            started.add_permits(1);
            pending().await
        }));
    }
    started.acquire_many(2).await.unwrap().forget();
    let report = transport.close(Duration::from_millis(50)).await;
    assert_report(&report, 0, &[], 5);
    assert_eq!(started.available_permits(), 0);
}

#[tokio::test]
async fn a_limit_holds_for_what_was_built_after_it_came() {
    let server = Server::start(|_| Act::Answer(429, &[]));
    let transport = connect(&server);
    let go = Arc::new(Semaphore::new(0));
    transport.submit(slow(100, after(&go)));
    transport.submit(fake(1));
    while transport.stats().transactions.pending > 1 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    go.add_permits(1);
    let lost = [(DiscardReason::RateLimitBackoff, 2)];
    assert_report(&transport.close(LONG).await, 0, &lost, 0);
    assert_eq!(server.received().len(), 1);
}

#[test]
fn what_is_being_built_survives_the_end_of_a_runtime() {
    let server = Server::start(|_| OK);
    let first = runtime();
    let transport = Transport::new(config(&server), first.handle());
    let go = Arc::new(Semaphore::new(0));
    for size in SIZES {
        transport.submit(slow(size, after(&go)));
    }
    first.block_on(transport.flush(Duration::from_millis(50)));
    drop(first);
    assert_report(&transport.stats(), 0, &[], 2);
    go.add_permits(2);
    let report = runtime().block_on(transport.close(LONG));
    assert_report(&report, 2, &[], 0);
}
