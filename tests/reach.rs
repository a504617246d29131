//! Names and addresses of servers, over real sockets.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::future::ready;
use std::time::{Duration, Instant};

use taskspan::local::Receiver;
use taskspan::{Client, DiscardReason, DropReason, Instrument, Options};

const SOON: Duration = Duration::from_secs(20);

fn client(dsn: &str, queue_items: usize) -> Client {
    let options = Options::new(dsn).unwrap().traces_sample_rate(1.0);
    // A proxy that the environment names would look the name up.
    Client::new(options.queue_items(queue_items).http_proxy("")).unwrap()
}

async fn transaction(client: &Client) {
    ready(())
        .in_transaction("task", "t")
        .with_client(client)
        .await;
}

#[tokio::test]
async fn a_server_with_an_address_of_version_6_only_is_reached() {
    let receiver = Receiver::bind("[::1]:0").await.unwrap();
    assert!(receiver.dsn().contains("@[::1]:"), "{}", receiver.dsn());
    let client = client(&receiver.dsn(), 10);
    transaction(&client).await;
    assert_eq!(client.close(SOON).await.transactions.accepted, 1);
    assert_eq!(receiver.counts().transactions, 1);
}

#[tokio::test]
async fn a_name_that_is_not_known_is_an_outage() {
    let dsn = "http://k@nonexistent.invalid/1";
    let losing = client(dsn, 1);
    transaction(&losing).await;
    let report = losing.flush(SOON).await;
    let reason = DropReason::Discarded(DiscardReason::NetworkError);
    assert_eq!(report.transactions.dropped_because(reason), 1, "{report}");

    let keeping = client(dsn, 10);
    for _ in 0..3 {
        transaction(&keeping).await;
    }
    let start = Instant::now();
    let report = keeping.close(Duration::from_millis(100)).await;
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(report.transactions.pending, 3, "{report}");
    // One last try for all of them.
    let report = keeping.close(SOON).await;
    assert_eq!(report.transactions.dropped_because(reason), 3, "{report}");
}
