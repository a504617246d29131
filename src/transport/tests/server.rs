//! A server that behaves as badly as a test wants, on a thread and a runtime of its own.

use std::collections::BTreeMap;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime;
use tokio::sync::{Notify, oneshot};

/// What to do with a request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    /// Answer with a status and headers.
    Answer(u16, &'static [(&'static str, &'static str)]),
    /// Answer 200 after a while.
    Late(Duration),
    /// Answer 200, then close the connection without having said so.
    AnswerAndClose,
    /// Close the connection as soon as something arrives.
    Cut,
    /// Never answer.
    Silence,
}

pub(super) const OK: Act = Act::Answer(200, &[]);

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(super) struct Received {
    pub(super) headers: BTreeMap<String, String>,
    pub(super) envelope: Value,
    /// Type and payload of each item.
    pub(super) items: Vec<(String, Value)>,
}

pub(super) struct Server {
    pub(super) address: SocketAddr,
    log: Arc<Log>,
    _stop: oneshot::Sender<()>,
}

#[derive(Default)]
struct Log {
    received: Mutex<Vec<Received>>,
    arrived: Notify,
}

type Behaviour = dyn Fn(usize) -> Act + Send + Sync;

impl Server {
    /// Starts a server that does with each request what the function says for its number.
    pub(super) fn start(behaviour: impl Fn(usize) -> Act + Send + Sync + 'static) -> Self {
        Self::start_on(0, behaviour)
    }

    /// Starts a server on a port that must be free.
    pub(super) fn start_on(
        port: u16,
        behaviour: impl Fn(usize) -> Act + Send + Sync + 'static,
    ) -> Self {
        let listener = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let log = Arc::new(Log::default());
        let behaviour: Arc<Behaviour> = Arc::new(behaviour);
        let theirs = Arc::clone(&log);
        thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.spawn(serve(listener, theirs, behaviour));
            let _ = runtime.block_on(stopped);
        });
        Self {
            address,
            log,
            _stop: stop,
        }
    }

    pub(super) fn received(&self) -> Vec<Received> {
        self.log.received.lock().unwrap().clone()
    }

    /// Waits until this many requests have arrived.
    pub(super) async fn wait_for(&self, count: usize) -> Vec<Received> {
        let arrival = async {
            loop {
                let arrived = self.log.arrived.notified();
                let received = self.received();
                if received.len() >= count {
                    return received;
                }
                arrived.await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(20), arrival).await;
        waited.unwrap_or_else(|_| panic!("{count} requests did not arrive"))
    }

    /// The names of the transactions that arrived, in order.
    pub(super) fn transactions(&self) -> Vec<String> {
        let received = self.received();
        let items = received.iter().flat_map(|request| &request.items);
        items
            .filter(|(kind, _)| kind == "transaction")
            .map(|(_, payload)| payload["transaction"].as_str().unwrap().to_owned())
            .collect()
    }

    /// What the client reports that arrived tell, summed up by reason and category.
    pub(super) fn reported(&self) -> BTreeMap<String, u64> {
        let mut sums = BTreeMap::new();
        for (kind, payload) in self.received().iter().flat_map(|request| &request.items) {
            if kind == "client_report" {
                for entry in payload["discarded_events"].as_array().unwrap() {
                    let name = |key: &str| entry[key].as_str().unwrap().to_owned();
                    let key = format!("{} {}", name("reason"), name("category"));
                    *sums.entry(key).or_default() += entry["quantity"].as_u64().unwrap();
                }
            }
        }
        sums
    }
}

async fn serve(listener: std::net::TcpListener, log: Arc<Log>, behaviour: Arc<Behaviour>) {
    let listener = TcpListener::from_std(listener).unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        tokio::spawn(connection(stream, Arc::clone(&log), Arc::clone(&behaviour)));
    }
}

async fn connection(mut stream: TcpStream, log: Arc<Log>, behaviour: Arc<Behaviour>) {
    let mut buffer = Vec::new();
    while let Some((head, body)) = read_request(&mut stream, &mut buffer).await {
        let number = {
            let mut received = log.received.lock().unwrap();
            received.push(parse(&head, &body));
            received.len() - 1
        };
        log.arrived.notify_waiters();
        let (status, headers, close) = match behaviour(number) {
            Act::Answer(status, headers) => (status, headers, false),
            Act::Late(delay) => {
                tokio::time::sleep(delay).await;
                (200, &[][..], false)
            }
            Act::AnswerAndClose => (200, &[][..], true),
            Act::Cut => return,
            Act::Silence => std::future::pending().await,
        };
        let mut answer = format!("HTTP/1.1 {status} Whatever\r\nContent-Length: 2\r\n");
        for (name, value) in headers {
            answer.push_str(&format!("{name}: {value}\r\n"));
        }
        answer.push_str("\r\n{}");
        if stream.write_all(answer.as_bytes()).await.is_err() || close {
            return;
        }
    }
}

/// Reads one request: its head as text and its body. `None`: the connection has ended.
async fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<(String, Vec<u8>)> {
    loop {
        let end = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8(buffer[..end].to_vec()).unwrap();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .expect("the length is known");
            let body = end + 4..end + 4 + length.parse::<usize>().unwrap();
            if buffer.len() >= body.end {
                let rest = buffer.split_off(body.end);
                let request = std::mem::replace(buffer, rest);
                return Some((head, request[body].to_vec()));
            }
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

fn parse(head: &str, body: &[u8]) -> Received {
    let mut lines = head.lines();
    assert_eq!(lines.next(), Some("POST /api/42/envelope/ HTTP/1.1"));
    let headers: BTreeMap<_, _> = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let mut text = String::new();
    match headers.get("content-encoding").map(String::as_str) {
        Some("gzip") => {
            let mut decoder = flate2::read::GzDecoder::new(body);
            decoder.read_to_string(&mut text).unwrap();
        }
        None => text = String::from_utf8(body.to_vec()).unwrap(),
        Some(other) => panic!("unexpected encoding {other}"),
    }
    let (first, mut rest) = text.split_once('\n').unwrap();
    let mut items = Vec::new();
    while !rest.is_empty() {
        let (header, tail) = rest.split_once('\n').unwrap();
        let header: Value = serde_json::from_str(header).unwrap();
        let length = usize::try_from(header["length"].as_u64().unwrap()).unwrap();
        let (payload, tail) = tail.split_at(length);
        items.push((
            header["type"].as_str().unwrap().to_owned(),
            serde_json::from_str(payload).unwrap(),
        ));
        rest = tail.strip_prefix('\n').unwrap();
    }
    Received {
        headers,
        envelope: serde_json::from_str(first).unwrap(),
        items,
    }
}
