//! Flush, close and drop, on every shape of runtime and from one to the next.

use futures_util::FutureExt;
use std::time::Instant;

use super::server::{Act, OK};
use super::*;

#[tokio::test]
async fn a_silent_server_does_not_hold_up_close() {
    const DEADLINE: Duration = Duration::from_millis(200);
    let mut fastest = Duration::MAX;
    // The machine may be busy with something else, but not each time.
    for _ in 0..10 {
        let server = Server::start(|_| Act::Silence);
        let transport = connect(&server);
        for number in 0..100 {
            transport.submit(fake(number));
        }
        let start = Instant::now();
        let report = transport.close(DEADLINE).await;
        let took = start.elapsed();
        assert_report(&report, 0, &[], 100);
        assert!(took >= DEADLINE, "{took:?}");
        fastest = fastest.min(took);
        if fastest < DEADLINE + Duration::from_millis(50) {
            return;
        }
    }
    panic!("it took {fastest:?}");
}

#[tokio::test]
async fn what_is_pending_after_close_still_ends_in_a_counter() {
    let server = Server::start(|_| Act::Silence);
    let mut config = config(&server);
    config.max_uploads = 4;
    config.http.request_timeout = Duration::from_millis(100);
    let transport = Transport::new(config, &Handle::current());
    for number in 0..100 {
        transport.submit(fake(number));
    }
    transport.close(Duration::from_millis(10)).await;
    let report = transport.close(LONG).await;
    assert_report(&report, 0, &[(DiscardReason::NetworkError, 100)], 0);
    assert!(server.transactions().len() <= 8);
}

#[tokio::test]
async fn closing_twice_and_at_once_is_closing() {
    let server = Server::start(|_| Act::Late(Duration::from_millis(20)));
    let transport = connect(&server);
    transport.submit(fake(1));
    let (first, second, flushed) = tokio::join!(
        transport.close(LONG),
        transport.close(LONG),
        transport.flush(LONG)
    );
    for report in [first, second, flushed, transport.close(LONG).await] {
        assert_report(&report, 1, &[], 0);
    }
    assert_report(&transport.flush(LONG).await, 1, &[], 0);
}

#[tokio::test]
async fn what_comes_after_close_is_counted_apart() {
    let server = Server::start(|_| OK);
    let transport = connect(&server);
    transport.close(LONG).await;
    transport.submit(fake(1));
    let report = transport.close(LONG).await;
    assert_eq!(report.transactions.dropped_because(DropReason::Closed), 1);
    assert_eq!(report.spans.dropped_because(DropReason::Closed), 3);
    assert_sums(&report.transactions);
    assert!(server.received().is_empty());
}

#[tokio::test]
async fn a_flush_that_is_dropped_loses_nothing() {
    let server = Server::start(|_| Act::Late(Duration::from_millis(50)));
    let transport = connect(&server);
    transport.submit(fake(1));
    let flush = tokio::time::timeout(Duration::from_millis(5), transport.flush(LONG));
    assert!(flush.await.is_err());
    assert_report(&transport.flush(LONG).await, 1, &[], 0);
}

#[tokio::test]
async fn a_flush_waits_only_for_what_was_submitted_before() {
    let server = Server::start(|number| match number {
        0 => OK,
        _ => Act::Silence,
    });
    let transport = connect(&server);
    transport.submit(fake(1));
    let mut flush = std::pin::pin!(transport.flush(LONG));
    assert!((&mut flush).now_or_never().is_none());
    transport.submit(fake(2));
    assert_report(&flush.await, 1, &[], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_flush_works_with_one_worker_thread() {
    let server = Server::start(|_| OK);
    let transport = connect(&server);
    transport.submit(fake(1));
    assert_report(&transport.flush(LONG).await, 1, &[], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flush_works_from_another_runtime_and_many_at_once() {
    let server = Server::start(|_| OK);
    let transport = Arc::new(connect(&server));
    let others: Vec<_> = (0..4)
        .map(|_| {
            let transport = Arc::clone(&transport);
            std::thread::spawn(move || {
                for number in 0..50 {
                    transport.submit(fake(number));
                }
                let report = runtime().block_on(transport.flush(LONG));
                assert!(report.transactions.accepted >= 50);
            })
        })
        .collect();
    for other in others {
        let joined = tokio::task::spawn_blocking(|| other.join()).await;
        joined.unwrap().unwrap();
    }
    assert_report(&transport.close(LONG).await, 200, &[], 0);
}

#[test]
fn a_flush_outside_any_runtime_returns() {
    let server = Server::start(|_| OK);
    let runtime = runtime();
    let transport = Transport::new(config(&server), runtime.handle());
    transport.submit(fake(1));
    let mut flush = std::pin::pin!(transport.flush(LONG));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(report) = flush.as_mut().poll(&mut context) else {
        panic!("nothing to wait with");
    };
    assert_report(&report, 0, &[], 1);
}

#[test]
fn the_next_runtime_carries_on() {
    let server = Server::start(|number| match number {
        0 | 1 => Act::Silence,
        _ => OK,
    });
    let first = runtime();
    let transport = Transport::new(config(&server), first.handle());
    transport.submit(fake("flight 1"));
    transport.submit(fake("flight 2"));
    first.block_on(server.wait_for(2));
    transport.submit(fake("queued"));
    drop(first);
    transport.submit(fake("between"));
    assert_report(&transport.stats(), 0, &[], 4);

    let second = runtime();
    second.block_on(async {
        transport.submit(fake("after"));
        assert_report(&transport.flush(LONG).await, 5, &[], 0);
    });
    let mut names = server.transactions();
    names.sort();
    let expected = [
        "after", "between", "flight 1", "flight 1", "flight 2", "flight 2", "queued",
    ];
    assert_eq!(names, expected);
    // What arrived twice can be told to be the same.
    let mut ids: Vec<_> = server
        .received()
        .iter()
        .map(|request| request.envelope["event_id"].to_string())
        .collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 5);

    drop(second);
    let third = runtime();
    let report = third.block_on(transport.close(LONG));
    assert_report(&report, 5, &[], 0);
}

#[test]
fn a_flush_lives_through_the_end_of_the_workers_runtime() {
    let server = Server::start(|number| if number == 0 { Act::Silence } else { OK });
    let first = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let transport = Transport::new(config(&server), first.handle());
    transport.submit(fake(1));
    let second = runtime();
    second.block_on(async {
        let ending = async {
            server.wait_for(1).await;
            first.shutdown_background();
        };
        let (report, ()) = tokio::join!(transport.flush(LONG), ending);
        assert_report(&report, 1, &[], 0);
    });
}

#[test]
fn large_payloads_survive_the_end_of_a_runtime() {
    let server = Server::start(|_| OK);
    let first = runtime();
    let transport = Transport::new(config(&server), first.handle());
    for number in 0..20 {
        let mut payload = fake(format!("{number}").repeat(100_000));
        payload.size = 200_000;
        transport.submit(payload);
    }
    first.block_on(tokio::task::yield_now());
    first.shutdown_background();
    let report = runtime().block_on(transport.close(LONG));
    assert_report(&report, 20, &[], 0);
}

#[test]
fn a_limit_outlives_the_runtime() {
    let server = Server::start(|_| Act::Answer(429, &[]));
    let first = runtime();
    let transport = Transport::new(config(&server), first.handle());
    transport.submit(fake(1));
    first.block_on(transport.flush(LONG));
    drop(first);
    runtime().block_on(async {
        transport.submit(fake(2));
        transport.close(LONG).await;
    });
    assert_eq!(server.received().len(), 1);
}

#[test]
fn a_runtime_without_a_timer_is_not_tried_again() {
    let server = Server::start(|_| OK);
    let bare = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let transport = Transport::new(config(&server), bare.handle());
    bare.block_on(async {
        for number in 0..3 {
            transport.submit(fake(number));
            tokio::task::yield_now().await;
        }
    });
    assert_report(&transport.stats(), 0, &[], 3);
    // There is no way to wait there, and no panic.
    assert_report(&bare.block_on(transport.flush(LONG)), 0, &[], 3);
    let report = runtime().block_on(transport.close(LONG));
    assert_report(&report, 3, &[], 0);
}

#[tokio::test]
async fn dropping_the_last_handle_delivers_what_is_queued() {
    let server = Server::start(|_| OK);
    let transport = connect(&server);
    for number in 0..10 {
        transport.submit(fake(number));
    }
    transport.unsampled(DiscardReason::SampleRate);
    let shared = Arc::downgrade(&transport.shared);
    drop(transport);
    server.wait_for(10).await;
    // The worker, which held the last reference, ends.
    while shared.strong_count() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(server.transactions().len(), 10);
    assert_eq!(server.reported()["sample_rate transaction"], 1);
}

#[test]
fn dropping_the_last_handle_without_a_runtime_is_quiet() {
    let server = Server::start(|_| OK);
    let first = runtime();
    let transport = Transport::new(config(&server), first.handle());
    transport.submit(fake(1));
    drop(first);
    let shared = Arc::downgrade(&transport.shared);
    drop(transport);
    assert_eq!(shared.strong_count(), 0);
}
