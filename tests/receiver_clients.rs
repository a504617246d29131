//! Clients that the embedded receiver does not serve: those that send nothing, or a part of a
//! request, and those that are not allowed to send.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[path = "support/receiver_client.rs"]
mod receiver_client;

use std::time::Duration;

use receiver_client::{PATH, answer, assert_up, connect, head, request};
use taskspan::local::Receiver;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

/// A receiver that waits for half a second.
async fn impatient() -> Receiver {
    Receiver::builder()
        .read_timeout(Duration::from_millis(500))
        .bind("127.0.0.1:0")
        .await
        .unwrap()
}

/// Waits until the other end closes the connection, and returns after how long it did.
async fn closed(connection: &mut TcpStream) -> Duration {
    let started = Instant::now();
    let mut rest = Vec::new();
    let read = connection.read_to_end(&mut rest);
    let closed = timeout(Duration::from_secs(20), read).await;
    // Some of what was sent may not have been read.
    let _ = closed.expect("the connection is open after 20 seconds");
    started.elapsed()
}

#[tokio::test]
async fn heads_that_are_not_complete_time_out() {
    let receiver = impatient().await;
    for part in [
        &b""[..],
        b"P",
        b"PRI * HTT",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST /api/1/envelope/ HTTP/1.1\r\nhost: localh",
    ] {
        let mut connection = connect(&receiver).await;
        connection.write_all(part).await.unwrap();
        let after = closed(&mut connection).await;
        assert!(after >= Duration::from_millis(400), "{after:?}");
    }
    assert_up(&receiver).await;
}

#[tokio::test]
async fn a_head_that_trickles_in_times_out() {
    let receiver = impatient().await;
    let mut connection = connect(&receiver).await;
    let started = Instant::now();
    for byte in b"POST /api/1/envelope/ HTTP/1.1\r\nhost: localhost\r\n"
        .iter()
        .cycle()
    {
        if connection.write_all(&[*byte]).await.is_err() {
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(20));
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn connections_without_a_next_request_are_closed_later() {
    let receiver = impatient().await;
    let mut connection = connect(&receiver).await;
    for _ in 0..2 {
        assert_eq!(request(&mut connection, "POST", &[], b"{}").await.0, 200);
        // Longer than for the first.
        sleep(Duration::from_millis(700)).await;
    }
    closed(&mut connection).await;
}

#[tokio::test]
async fn bodies_that_pause_time_out() {
    let receiver = impatient().await;
    for length in [100, 1_000_000] {
        let mut connection = connect(&receiver).await;
        connection
            .write_all(&head("POST", &[], length))
            .await
            .unwrap();
        connection.write_all(b"{}").await.unwrap();
        let (status, head) = answer(&mut connection).await.unwrap();
        assert_eq!(status, 408);
        assert!(head.contains("connection: close"), "{head}");
        closed(&mut connection).await;
    }
    assert_eq!(
        receiver.refusals()[0].to_string(),
        "408: the body did not arrive in time"
    );
    assert_up(&receiver).await;
}

#[tokio::test]
async fn a_body_that_trickles_in_times_out() {
    let receiver = impatient().await;
    let mut connection = connect(&receiver).await;
    connection
        .write_all(&head("POST", &[], 1_000))
        .await
        .unwrap();
    let (mut reading, mut writing) = connection.split();
    let trickle = async {
        while writing.write_all(b" ").await.is_ok() {
            sleep(Duration::from_millis(100)).await;
        }
    };
    let mut status = [0; 12];
    tokio::select! {
        read = reading.read_exact(&mut status) => drop(read.unwrap()),
        () = trickle => panic!("it has hung up without an answer"),
        () = sleep(Duration::from_secs(20)) => panic!("there is no answer in 20 seconds"),
    }
    assert_eq!(&status, b"HTTP/1.1 408");
}

#[tokio::test]
async fn a_slow_body_that_arrives_in_time_is_read() {
    let receiver = impatient().await;
    let mut connection = connect(&receiver).await;
    connection.write_all(&head("POST", &[], 4)).await.unwrap();
    for byte in b"{}\n\n" {
        // Twice as long as one pause may be, in all.
        sleep(Duration::from_millis(250)).await;
        connection.write_all(&[*byte]).await.unwrap();
    }
    // It is read to its end, and malformed.
    assert_eq!(answer(&mut connection).await.unwrap().0, 400);
}

#[tokio::test]
async fn silent_connections_do_not_end_the_service() {
    let receiver = Receiver::start().await.unwrap();
    let mut patient = connect(&receiver).await;
    let mut silent = Vec::new();
    for number in 0..300 {
        let mut connection = connect(&receiver).await;
        match number % 3 {
            0 => {}
            1 => connection
                .write_all(b"POST / HTTP/1.1\r\nho")
                .await
                .unwrap(),
            _ => connection.write_all(&head("POST", &[], 100)).await.unwrap(),
        }
        silent.push(connection);
        if number % 100 == 0 {
            assert_eq!(request(&mut patient, "POST", &[], b"{}").await.0, 200);
        }
    }
    let started = Instant::now();
    assert_up(&receiver).await;
    assert!(started.elapsed() < Duration::from_secs(5));
    // One that sends is not closed in favour of those.
    assert_eq!(request(&mut patient, "POST", &[], b"{}").await.0, 200);
    // The first ones were.
    assert!(closed(&mut silent[0]).await < Duration::from_secs(5));
}

#[tokio::test]
async fn requests_for_other_hosts_are_refused() {
    let receiver = Receiver::builder()
        .allow_host("host.docker.internal")
        .bind("127.0.0.1:0")
        .await
        .unwrap();
    let own = receiver.local_addr().to_string();
    let mut connection = connect(&receiver).await;
    for (host, status) in [
        (&*own, 200),
        ("localhost:8969", 200),
        ("[::1]:8969", 200),
        ("host.docker.internal:8969", 200),
        ("evil.example", 403),
        ("evil.example:8969", 403),
        ("localhost.evil.example", 403),
        ("192.0.2.1", 403),
    ] {
        let answer = request(&mut connection, "POST", &[("host", host)], b"{}").await;
        assert_eq!(answer.0, status, "{host}");
    }
    // The target of a request counts as well.
    let head = format!("POST http://evil.example{PATH} HTTP/1.1\r\nhost: localhost\r\n");
    let head = head + "content-length: 2\r\n\r\n{}";
    connection.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(answer(&mut connection).await.unwrap().0, 403);
    assert_eq!(receiver.counts().envelopes, 4);
    assert_eq!(receiver.counts().refused, 5);
}

#[tokio::test]
async fn pages_of_other_origins_are_refused() {
    let receiver = Receiver::start().await.unwrap();
    let mut connection = connect(&receiver).await;
    for origin in [
        "https://evil.example",
        "http://localhost.evil.example:8969",
        "null",
    ] {
        let headers = [("origin", origin), ("content-type", "text/plain")];
        let (status, head) = request(&mut connection, "POST", &headers, b"{}").await;
        assert_eq!(status, 403, "{origin}");
        assert!(!head.contains("access-control"), "{head}");
        let headers = [
            ("origin", origin),
            ("access-control-request-method", "POST"),
        ];
        let (status, head) = request(&mut connection, "OPTIONS", &headers, b"").await;
        assert_eq!(status, 403, "{origin}");
        assert!(!head.contains("access-control"), "{head}");
    }
    assert_eq!(receiver.counts().envelopes, 0);
}

#[tokio::test]
async fn browser_sdks_of_allowed_origins_may_send() {
    let receiver = Receiver::builder()
        .allow_origin("https://shop.test:8443")
        .bind("127.0.0.1:0")
        .await
        .unwrap();
    let mut connection = connect(&receiver).await;
    for origin in ["https://shop.test:8443", "http://localhost:5173"] {
        let preflight = [
            ("origin", origin),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "x-sentry-auth"),
            ("access-control-request-private-network", "true"),
        ];
        let (status, head) = request(&mut connection, "OPTIONS", &preflight, b"").await;
        assert_eq!(status, 204);
        for line in [
            &*format!("access-control-allow-origin: {origin}\r\n"),
            "access-control-allow-methods: post\r\n",
            "access-control-allow-private-network: true\r\n",
            "vary: origin\r\n",
            "x-sentry-auth\r\n",
        ] {
            assert!(head.contains(line), "{line} in {head}");
        }
        for (body, expected) in [(&b"{}"[..], 200), (b"[]", 400)] {
            let (status, head) =
                request(&mut connection, "POST", &[("origin", origin)], body).await;
            assert_eq!(status, expected);
            let line = format!("access-control-allow-origin: {origin}\r\n");
            assert!(head.contains(&line), "{head}");
        }
    }
    assert_eq!(receiver.counts().envelopes, 2);
    assert_eq!(receiver.counts().refused, 2);
}
