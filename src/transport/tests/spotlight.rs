//! Copies for Spotlight: what fits, what fails, and when it is tried again.

use std::time::Instant;

use DiscardReason::InternalSdkError;
use tokio::time::sleep;

use super::server::{Act, OK};
use super::*;
use crate::transport::spotlight::Sidecar;

fn sidecar(spotlight: &Server) -> Sidecar {
    Sidecar::new(config(spotlight).http.endpoint, &Handle::current())
}

fn sized(name: impl fmt::Display, size: usize) -> Box<Fake> {
    let mut payload = fake(name);
    payload.size = size;
    payload
}

#[tokio::test]
async fn everything_is_sent_in_order_over_connections_that_break() {
    for behaviour in [OK, Act::AnswerAndClose] {
        let spotlight = Server::start(move |_| behaviour);
        let sidecar = sidecar(&spotlight);
        for name in ["a", "b", "c"] {
            sidecar.submit(fake(name));
            sidecar.flush(LONG).await;
        }
        assert_eq!(spotlight.transactions(), ["a", "b", "c"], "{behaviour:?}");
        for received in spotlight.received() {
            let content_type = &received.headers["content-type"];
            assert_eq!(content_type, "application/x-sentry-envelope");
            for header in ["x-sentry-auth", "content-encoding", "authorization"] {
                assert!(!received.headers.contains_key(header), "{header}");
            }
        }
    }
}

#[tokio::test]
async fn what_does_not_fit_is_dropped_and_room_is_given_free_again() {
    const MIB: usize = 1_024 * 1_024;
    let spotlight = Server::start(|_| OK);
    let sidecar = sidecar(&spotlight);
    for round in 1..=2 {
        // The worker has no chance to run before all are submitted.
        for number in 0..20 {
            sidecar.submit(sized(number, MIB - 1));
        }
        sidecar.submit(sized("too large", 9 * MIB));
        sidecar.submit(sized("without end", usize::MAX));
        sidecar.flush(LONG).await;
        assert_eq!(spotlight.received().len(), 8 * round);
    }
}

#[tokio::test]
async fn a_failure_drops_what_comes_next_and_holds_nobody_up() {
    for (behaviour, requests) in [
        (Act::Answer(500, &[]), 1),
        (Act::Answer(404, &[]), 1),
        (Act::Answer(302, &[("location", "/")]), 1),
        // It may have been an idle connection, so it is tried once more.
        (Act::Cut, 2),
        (Act::Silence, 1),
        (Act::Late(LONG), 1),
    ] {
        let spotlight = Server::start(move |_| behaviour);
        let sidecar = sidecar(&spotlight);
        let start = Instant::now();
        for number in 0..100 {
            sidecar.submit(fake(number));
        }
        sidecar.flush(LONG).await;
        sidecar.submit(fake("while it pauses"));
        sidecar.close(LONG).await;
        assert!(start.elapsed() < LONG / 2, "{:?}", start.elapsed());
        assert_eq!(spotlight.received().len(), requests, "{behaviour:?}");
    }
}

#[tokio::test]
async fn pauses_grow_and_end() {
    let spotlight = Server::start(|number| match number {
        0 | 1 => Act::Answer(500, &[]),
        _ => OK,
    });
    let sidecar = sidecar(&spotlight);
    let mut arrivals = Vec::new();
    for count in 1..=4 {
        let arrival = async {
            while spotlight.received().len() < count {
                sidecar.submit(fake(count));
                sidecar.flush(LONG).await;
                sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(LONG, arrival).await.unwrap();
        arrivals.push(Instant::now());
    }
    // Measured after the arrivals, so a pause may seem a little shorter.
    let pauses = arrivals.windows(2).map(|pair| pair[1] - pair[0]);
    for (pause, least) in pauses.zip([900, 1_900, 0]) {
        assert!(pause >= Duration::from_millis(least), "{pause:?} {least}");
    }
}

#[tokio::test]
async fn what_goes_both_ways_is_built_once_and_may_panic() {
    let (server, spotlight) = (Server::start(|_| OK), Server::start(|_| OK));
    let sidecar = sidecar(&spotlight);
    let transport = connect(&server);
    let mut panics = fake("panics");
    panics.panics = true;
    transport.submit(sidecar.copy(panics));
    transport.submit(sidecar.copy(fake("lives")));
    assert_report(&transport.flush(LONG).await, 1, &[(InternalSdkError, 1)], 0);
    sidecar.flush(LONG).await;
    assert_eq!(spotlight.transactions(), ["lives"]);
    let [to_server, to_spotlight] = [server, spotlight].map(|it| {
        let all = it.received().into_iter().flat_map(|request| request.items);
        all.filter(|(kind, _)| kind == "transaction")
            .collect::<Vec<_>>()
    });
    // The id is a random one, each time a transaction is built.
    assert_eq!(to_server, to_spotlight);
}

#[tokio::test]
async fn nothing_is_taken_after_the_end() {
    let spotlight = Server::start(|_| OK);
    let sidecar = sidecar(&spotlight);
    sidecar.submit(fake("before"));
    futures_util::future::join(sidecar.close(LONG), sidecar.close(LONG)).await;
    sidecar.submit(fake("after"));
    sidecar.flush(LONG).await;
    sidecar.close(LONG).await;
    assert_eq!(spotlight.transactions(), ["before"]);
}

#[tokio::test]
async fn what_is_queued_is_sent_also_when_nobody_waits() {
    let spotlight = Server::start(|_| OK);
    let sidecar = sidecar(&spotlight);
    for number in 0..10 {
        sidecar.submit(fake(number));
    }
    drop(sidecar);
    spotlight.wait_for(10).await;
}

#[test]
fn a_runtime_that_ends_amid_a_request_holds_nobody_up() {
    let spotlight = Server::start(|number| if number == 0 { Act::Silence } else { OK });
    let first = runtime();
    let sidecar = first.block_on(async {
        let sidecar = sidecar(&spotlight);
        sidecar.submit(fake("on its way"));
        sidecar.submit(fake("queued"));
        spotlight.wait_for(1).await;
        sidecar
    });
    let start = Instant::now();
    drop(first);
    // Without a runtime there is nobody to give it to.
    sidecar.submit(fake("between"));
    assert!(start.elapsed() < LONG / 2);
    runtime().block_on(async {
        sidecar.submit(fake("next"));
        sidecar.close(LONG).await;
    });
    assert_eq!(spotlight.transactions(), ["on its way", "next"]);
}
