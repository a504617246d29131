//! Connections to a receiver, with HTTP written by hand.

use std::io;
use std::time::Duration;

use taskspan::local::Receiver;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The path that envelopes are sent to.
pub(crate) const PATH: &str = "/api/1/envelope/";

pub(crate) async fn connect(receiver: &Receiver) -> TcpStream {
    let connection = TcpStream::connect(receiver.local_addr()).await.unwrap();
    // Without it a body after its head may be late by 40 ms.
    connection.set_nodelay(true).unwrap();
    connection
}

/// The head of a request, with a `Host` of this machine unless `headers` have one.
pub(crate) fn head(method: &str, headers: &[(&str, &str)], length: usize) -> Vec<u8> {
    let mut head = format!("{method} {PATH} HTTP/1.1\r\n");
    if headers.iter().all(|header| header.0 != "host") {
        head.push_str("host: localhost\r\n");
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("content-length: {length}\r\n\r\n"));
    head.into_bytes()
}

/// Sends a request on a connection, and returns the status and the head of the answer.
pub(crate) async fn request(
    connection: &mut TcpStream,
    method: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> (u16, String) {
    let head = head(method, headers, body.len());
    connection.write_all(&head).await.unwrap();
    connection.write_all(body).await.unwrap();
    answer(connection).await.unwrap()
}

/// Reads an answer, which has to come within 40 seconds, and returns its status and its head.
pub(crate) async fn answer(connection: &mut TcpStream) -> io::Result<(u16, String)> {
    timeout(Duration::from_secs(40), async {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(connection.read_u8().await?);
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut lengths = head
            .lines()
            .filter_map(|line| line.strip_prefix("content-length: "));
        let length = lengths.next().map_or(0, |length| length.parse().unwrap());
        connection.read_exact(&mut vec![0; length]).await?;
        Ok((status, head))
    })
    .await
    .expect("there is no answer in 40 seconds")
}

/// Sends an envelope on a connection of its own, which is accepted.
pub(crate) async fn assert_up(receiver: &Receiver) {
    let mut connection = connect(receiver).await;
    assert_eq!(request(&mut connection, "POST", &[], b"{}").await.0, 200);
}
