//! A server for envelopes that answers after a fixed time, as a process of its own.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::time::sleep;

use crate::process::Process;

/// The server as the process that measures sees it.
#[derive(Debug)]
pub struct Server {
    process: Process,
    pub dsn: String,
}

impl Server {
    /// Starts one. The program has to call [`serve`] when its arguments begin with `serve`.
    ///
    /// It answers after so many milliseconds, or as `limited` at once that it wants no more
    /// transactions today.
    pub fn start(behaviour: &str) -> io::Result<Self> {
        let mut process = Process::start(&["serve", behaviour])?;
        let dsn = format!("http://key@{}/1", process.read_line()?);
        Ok(Self { process, dsn })
    }

    /// Ends it. Returns how many transactions have come.
    pub fn stop(self) -> io::Result<u64> {
        let ended = self.process.wait(Duration::from_secs(5))?;
        ended.text.trim().parse().map_err(io::Error::other)
    }
}

/// Answers every request as [`Server::start`] says. Prints its address, and how many
/// transactions came when its input ends.
#[expect(clippy::print_stdout, reason = "what the other process reads")]
pub fn serve(behaviour: &str) -> io::Result<()> {
    let latency = Duration::from_millis(behaviour.parse().unwrap_or(0));
    let answer = match behaviour {
        "limited" => LIMITED,
        _ => OK,
    };
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let count = Arc::new(AtomicU64::new(0));
    let theirs = Arc::clone(&count);
    thread::spawn(move || {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        println!("{}", count.load(Ordering::Relaxed));
        std::process::exit(0);
    });
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(connection(stream, latency, answer, Arc::clone(&theirs)));
        }
    })
}

/// `None` as soon as the connection has ended or makes no sense.
async fn connection(
    mut stream: TcpStream,
    latency: Duration,
    answer: &'static [u8],
    count: Arc<AtomicU64>,
) -> Option<()> {
    let _ = stream.set_nodelay(true);
    let mut buffer = Vec::new();
    loop {
        let end = loop {
            let end = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
            if let Some(end) = end {
                break end + 4;
            }
            if stream.read_buf(&mut buffer).await.ok()? == 0 {
                return None;
            }
        };
        let head = String::from_utf8_lossy(&buffer[..end]).to_lowercase();
        let length = head.split("content-length: ").nth(1)?;
        let length: usize = length.split("\r\n").next()?.parse().ok()?;
        while buffer.len() < end + length {
            if stream.read_buf(&mut buffer).await.ok()? == 0 {
                return None;
            }
        }
        let body = &buffer[end..end + length];
        let mut envelope = Vec::new();
        if head.contains("content-encoding: gzip") {
            let mut decoder = flate2::read::GzDecoder::new(body);
            decoder.read_to_end(&mut envelope).ok()?;
        } else {
            envelope.extend_from_slice(body);
        }
        let item = envelope.split(|byte| *byte == b'\n').nth(1)?;
        if item.windows(13).any(|bytes| bytes == b"\"transaction\"") {
            count.fetch_add(1, Ordering::Relaxed);
        }
        buffer.drain(..end + length);
        if !latency.is_zero() {
            sleep(latency).await;
        }
        stream.write_all(answer).await.ok()?;
    }
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
const LIMITED: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\
    X-Sentry-Rate-Limits: 86400:transaction:key\r\n\r\n{}";
