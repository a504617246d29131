//! Names and addresses of servers, over real sockets.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::future::ready;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use taskspan::local::Receiver;
use taskspan::{Client, Compression, DiscardReason, DropReason, Instrument, Options};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

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

/// Reads one request that has a `Content-Length`.
async fn read_request(connection: &mut TcpStream) -> Option<String> {
    let mut request = String::new();
    loop {
        let mut bytes = [0; 4_096];
        let read = connection.read(&mut bytes).await.ok()?;
        request.push_str(std::str::from_utf8(bytes.get(..read)?).ok()?);
        if let Some((head, body)) = request.split_once("\r\n\r\n") {
            let (_, length) = head.split_once("content-length: ")?;
            let length: usize = length.lines().next()?.parse().ok()?;
            if body.len() == length {
                return Some(request);
            }
        }
        if read == 0 {
            return None;
        }
    }
}

/// As proxies do that close connections without a word: the second request on each has no answer.
async fn answer_once_each(listener: TcpListener, answered: Arc<Mutex<Vec<String>>>) {
    loop {
        let (mut connection, _) = listener.accept().await.unwrap();
        let answered = Arc::clone(&answered);
        tokio::spawn(async move {
            if let Some(request) = read_request(&mut connection).await {
                answered.lock().unwrap().push(request);
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
                connection.write_all(answer).await.unwrap();
                read_request(&mut connection).await;
            }
        });
    }
}

#[tokio::test]
async fn the_last_report_survives_a_connection_that_was_closed_meanwhile() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dsn = format!("http://k@{}/1", listener.local_addr().unwrap());
    let answered: Arc<Mutex<Vec<String>>> = Arc::default();
    tokio::spawn(answer_once_each(listener, Arc::clone(&answered)));
    let options = Options::new(&dsn).unwrap().traces_sample_rate(1.0);
    let client = Client::new(options.compression(Compression::None)).unwrap();
    transaction(&client).await;
    assert_eq!(client.flush(SOON).await.transactions.accepted, 1);

    async {
        let unsampled = taskspan::transaction("task", "no").sampled(false);
        unsampled.start().finish();
    }
    .with_client(&client)
    .await;
    client.close(SOON).await;
    let answered = answered.lock().unwrap();
    assert_eq!(answered.len(), 2);
    assert!(answered[1].contains("client_report"), "{}", answered[1]);
    assert!(answered[1].contains("sample_rate"), "{}", answered[1]);
}
