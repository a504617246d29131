//! HTTP as little as a test needs it, to see or to do what the receiver would not.

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// Reads the head and the body of one request that has a `Content-Length`. `None`: there is none.
pub(crate) async fn read_request(connection: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut request = Vec::new();
    loop {
        if connection.read_buf(&mut request).await.ok()? == 0 {
            return None;
        }
        let Some(end) = request.windows(4).position(|part| part == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&request[..end]).into_owned();
        let (_, length) = head.split_once("content-length: ")?;
        let length: usize = length.lines().next()?.parse().ok()?;
        if request.len() == end + 4 + length {
            return Some((head, request.split_off(end + 4)));
        }
    }
}
