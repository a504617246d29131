//! One fault of a server at a time: what arrives, what is tried again, what is
//! counted, and that the next healthy moment finds everything as it was.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[path = "../examples/support/faults.rs"]
#[allow(dead_code, reason = "chance plays no part here")]
mod faults;

use std::future::ready;
use std::time::{Duration, Instant};

use taskspan::{Client, DiscardReason, DropReason, Instrument, Options};

use self::faults::{Act, Server};

const SOON: Duration = Duration::from_secs(20);

/// A client of a server that does these things with its first requests.
fn client_of(script: &[Act]) -> (Server, Client) {
    let server = Server::scripted(script);
    let options = Options::new(&server.dsn()).unwrap().traces_sample_rate(1.0);
    let client = Client::new(options.request_timeout(Duration::from_millis(300))).unwrap();
    (server, client)
}

async fn transaction(client: &Client) {
    ready(())
        .in_span("a", "b")
        .in_transaction("task", "t")
        .with_client(client)
        .await;
}

/// Sends one transaction into the fault and one after it. `lost` is what becomes of the first.
async fn assert_fault(act: Act, lost: Option<DiscardReason>) {
    let (server, client) = client_of(&[act]);
    transaction(&client).await;
    let report = client.flush(SOON).await;
    let accepted = u64::from(lost.is_none());
    assert_eq!(report.transactions.accepted, accepted, "{act:?}: {report}");
    if let Some(reason) = lost {
        let dropped = report
            .transactions
            .dropped_because(DropReason::Discarded(reason));
        assert_eq!(dropped, 1, "{act:?}: {report}");
    }
    transaction(&client).await;
    let report = client.close(SOON).await;
    assert_eq!(
        report.transactions.accepted,
        accepted + 1,
        "{act:?}: {report}"
    );
    assert_eq!(report.transactions.pending, 0, "{act:?}: {report}");

    let ledger = server.ledger();
    assert_eq!(ledger.acts[&act], 1, "{act:?}");
    assert_eq!(ledger.acknowledged.transactions, accepted + 1, "{act:?}");
    assert_eq!(ledger.acknowledged.spans, 2 * (accepted + 1), "{act:?}");
    assert_eq!(
        ledger.unacknowledged.transactions, 0,
        "{act:?}: sent again as another event"
    );
    assert!(
        ledger.unreadable.is_empty(),
        "{act:?}: {:?}",
        ledger.unreadable
    );
    let reported = |category: &str| {
        let reason = lost.map_or("", DiscardReason::as_str);
        ledger
            .reported
            .get(&(reason.to_owned(), category.to_owned()))
            .copied()
            .unwrap_or(0)
    };
    let told = u64::from(lost.is_some());
    assert_eq!(
        (reported("transaction"), reported("span")),
        (told, 2 * told),
        "{act:?}"
    );
}

#[tokio::test]
async fn a_connection_that_fails_is_tried_again() {
    for act in [Act::Reset, Act::LoseAnswer, Act::Garbage, Act::Stall] {
        assert_fault(act, None).await;
    }
}

#[tokio::test]
async fn an_odd_answer_is_an_answer() {
    for act in [Act::AcceptSlowly, Act::AcceptAndClose] {
        assert_fault(act, None).await;
    }
}

#[tokio::test]
async fn a_refusal_is_final_and_reported() {
    for status in [302, 400, 413, 500, 503] {
        assert_fault(Act::Refuse(status), Some(DiscardReason::SendError)).await;
    }
}

#[tokio::test]
async fn a_limit_holds_back_until_it_ends() {
    let limits = [
        "Retry-After: 1\r\n",
        "X-Sentry-Rate-Limits: 1:transaction:key\r\n",
    ];
    for act in [Act::AcceptAndLimit]
        .into_iter()
        .chain(limits.map(Act::Limit))
    {
        let (server, client) = client_of(&[act]);
        transaction(&client).await;
        let first = client.flush(SOON).await.transactions.accepted;
        let start = Instant::now();
        assert_eq!(first, u64::from(act == Act::AcceptAndLimit), "{act:?}");
        let mut sent = 1;
        while client.stats().transactions.accepted == first {
            assert!(start.elapsed() < SOON, "{act:?}: the limit does not end");
            transaction(&client).await;
            client.flush(SOON).await;
            sent += 1;
        }
        let report = client.close(SOON).await;
        let reason = DropReason::Discarded(DiscardReason::RateLimitBackoff);
        let dropped = report.transactions.dropped_because(reason);
        assert_eq!(report.transactions.accepted, first + 1, "{act:?}: {report}");
        assert_eq!(dropped, sent - first - 1, "{act:?}: {report}");
        assert!(
            dropped > 0 && start.elapsed() > Duration::from_millis(800),
            "{act:?}: {report}"
        );
        // What the server has refused with 429 it has counted itself.
        let key = ("ratelimit_backoff".to_owned(), "transaction".to_owned());
        let told = server.ledger().reported.get(&key).copied().unwrap_or(0);
        assert_eq!(told, dropped - u64::from(first == 0), "{act:?}: {report}");
    }
}

#[tokio::test]
async fn a_bare_429_holds_back_for_a_minute() {
    let (_server, client) = client_of(&[Act::Limit("")]);
    for _ in 0..3 {
        transaction(&client).await;
        client.flush(SOON).await;
    }
    let report = client.close(SOON).await;
    let reason = DropReason::Discarded(DiscardReason::RateLimitBackoff);
    assert_eq!(report.transactions.dropped_because(reason), 3, "{report}");
}
