//! A server on a loopback address that misbehaves in every way that a network has, and keeps a ledger.
//!
//! It remembers the ids of events, as real servers do, so that one that comes
//! again is accepted once. A client report counts if the request that it came
//! in is answered with success, or with 429: a server that refuses an envelope
//! as a whole has not read the report in it. Reports have no id, so one whose
//! answer is lost would be counted twice; here it is not counted the first time.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// What to do with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Act {
    Accept,
    /// Accept, and answer byte by byte.
    AcceptSlowly,
    /// Accept, and close a connection that was to be kept open.
    AcceptAndClose,
    /// Accept, and name a limit that ends after a second.
    AcceptAndLimit,
    /// Accept, and reset the connection before the answer.
    LoseAnswer,
    /// Reset the connection amid the request.
    Reset,
    /// Read everything and say nothing.
    Stall,
    /// Answer with something that is not HTTP.
    Garbage,
    /// Answer with 413 as soon as there is a head, and close.
    RefuseEarly,
    Refuse(u16),
    /// Answer 429 with these headers.
    Limit(&'static str),
}

impl Act {
    /// Whether it holds back what comes after it.
    #[allow(dead_code, reason = "not everybody asks")]
    pub(crate) fn limits(self) -> bool {
        matches!(self, Self::AcceptAndLimit | Self::Limit(_))
    }
}

/// What the server knows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    /// Transactions and spans that were accepted, and whose senders were told so.
    pub(crate) acknowledged: Sum,
    /// Those that were accepted while no answer said so.
    pub(crate) unacknowledged: Sum,
    /// Those that were answered with 429, which the server counts itself.
    pub(crate) limited: Sum,
    /// What clients reported: reason, category and quantity.
    pub(crate) reported: BTreeMap<(String, String), u64>,
    /// How often each thing was done.
    pub(crate) acts: BTreeMap<Act, u64>,
    /// How often nobody listened for a while.
    pub(crate) outages: u64,
    /// Requests that could not be read, which are faults of the client.
    pub(crate) unreadable: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) transactions: u64,
    pub(crate) spans: u64,
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    _stop: oneshot::Sender<()>,
}

struct Shared {
    /// Acts to choose from; one is chosen for each request.
    acts: Vec<Act>,
    /// How long nobody listens at times.
    outage: Duration,
    healthy: AtomicBool,
    state: Mutex<State>,
}

struct State {
    random: Random,
    /// What is done with the next requests, whatever the others bring.
    script: VecDeque<Act>,
    ledger: Ledger,
    /// Events accepted of late, by id: their spans, and whether that was acknowledged.
    recent: HashMap<String, (u64, bool)>,
    older: HashMap<String, (u64, bool)>,
    rotated: Instant,
}

/// A small random number generator, the same for the same seed.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ (bits >> 31)) % end
    }
}

impl Server {
    /// Starts a server that is healthy for one request in two, and does one of `acts` with the others.
    pub(crate) fn start(seed: u64, acts: &[Act], outage: Duration) -> Self {
        Self::with(seed, acts, outage, &[])
    }

    /// Starts a server that does these things first, one for each request, and is healthy after that.
    #[allow(dead_code, reason = "not everybody has a script")]
    pub(crate) fn scripted(script: &[Act]) -> Self {
        Self::with(0, &[], Duration::ZERO, script)
    }

    fn with(seed: u64, acts: &[Act], outage: Duration, script: &[Act]) -> Self {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        listener.set_nonblocking(true).expect("it can be async");
        let shared = Arc::new(Shared {
            acts: acts.to_vec(),
            outage,
            healthy: AtomicBool::new(false),
            state: Mutex::new(State {
                random: Random::new(seed),
                script: script.iter().copied().collect(),
                ledger: Ledger::default(),
                recent: HashMap::new(),
                older: HashMap::new(),
                rotated: Instant::now(),
            }),
        });
        let (stop, stopped) = oneshot::channel();
        let theirs = Arc::clone(&shared);
        thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.expect("a runtime");
            runtime.spawn(serve(listener, address, theirs));
            let _ = runtime.block_on(stopped);
        });
        Self {
            address,
            shared,
            _stop: stop,
        }
    }

    /// A DSN by which clients send here.
    pub(crate) fn dsn(&self) -> String {
        format!("http://key@{}/1", self.address)
    }

    /// Has the server behave from now on, or no longer.
    pub(crate) fn set_healthy(&self, healthy: bool) {
        self.shared.healthy.store(healthy, Ordering::Relaxed);
    }

    pub(crate) fn ledger(&self) -> Ledger {
        let state = self.shared.state();
        let mut ledger = state.ledger.clone();
        for (spans, acknowledged) in state.recent.values().chain(state.older.values()) {
            ledger.settle(*spans, *acknowledged);
        }
        ledger
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn choose(&self) -> Act {
        let mut state = self.state();
        if let Some(act) = state.script.pop_front() {
            return act;
        }
        let number = state.random.below(2 * self.acts.len().max(1) as u64);
        let act = self.acts.get(number as usize).copied();
        let act = act.unwrap_or(Act::Accept);
        if self.healthy.load(Ordering::Relaxed) {
            return Act::Accept;
        }
        act
    }
}

impl State {
    /// Takes note of an event that is accepted.
    fn accept(&mut self, event: &Event) {
        if !self.older.contains_key(&event.id) {
            self.recent
                .entry(event.id.clone())
                .or_insert((event.spans, false));
        }
        // Clients give up trying after a minute.
        if self.rotated.elapsed() > Duration::from_secs(90) {
            self.rotated = Instant::now();
            let older = std::mem::take(&mut self.recent);
            for (spans, acknowledged) in std::mem::replace(&mut self.older, older).into_values() {
                self.ledger.settle(spans, acknowledged);
            }
        }
    }

    fn knows(&self, id: &str) -> bool {
        self.recent.contains_key(id) || self.older.contains_key(id)
    }

    /// Takes note of an answer that the client gets.
    fn answered(&mut self, act: Act, accepts: bool, content: Content) {
        let limited = matches!(act, Act::Limit(_));
        match &content.event {
            Some(event) if accepts => self.acknowledge(&event.id),
            Some(event) if limited => self.ledger.limited.add(event.spans),
            _ => {}
        }
        if accepts || limited {
            for (key, quantity) in content.reported {
                *self.ledger.reported.entry(key).or_default() += quantity;
            }
        }
    }

    fn acknowledge(&mut self, id: &str) {
        let event = self.recent.get_mut(id).or_else(|| self.older.get_mut(id));
        if let Some((_, acknowledged)) = event {
            *acknowledged = true;
        }
    }
}

impl Ledger {
    fn settle(&mut self, spans: u64, acknowledged: bool) {
        match acknowledged {
            true => self.acknowledged.add(spans),
            false => self.unacknowledged.add(spans),
        }
    }
}

impl Sum {
    fn add(&mut self, spans: u64) {
        self.transactions += 1;
        self.spans += spans;
    }
}

async fn serve(listener: std::net::TcpListener, address: SocketAddr, shared: Arc<Shared>) {
    let mut listener = TcpListener::from_std(listener).ok();
    let mut connections = JoinSet::new();
    loop {
        let outage = async {
            let wait = shared.state().random.below(1_500);
            sleep(Duration::from_millis(500 + wait)).await;
        };
        let mut outage = std::pin::pin!(outage);
        while let Some(listening) = &listener {
            tokio::select! {
                accepted = listening.accept() => if let Ok((stream, _)) = accepted {
                    connections.spawn(connection(stream, Arc::clone(&shared)));
                },
                _ = connections.join_next(), if !connections.is_empty() => {}
                () = &mut outage => break,
            }
        }
        if shared.healthy.load(Ordering::Relaxed) || shared.outage.is_zero() {
            continue;
        }
        // Nobody listens, and all connections are gone.
        drop(listener.take());
        connections.shutdown().await;
        shared.state().ledger.outages += 1;
        sleep(shared.outage).await;
        while listener.is_none() {
            listener = TcpListener::bind(address).await.ok();
            sleep(Duration::from_millis(1)).await;
        }
    }
}

async fn connection(mut stream: TcpStream, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let mut buffer = Vec::new();
    // `None`: the connection has ended, or has to.
    while handle(&mut stream, &mut buffer, &shared).await.is_some() {}
}

async fn handle(stream: &mut TcpStream, buffer: &mut Vec<u8>, shared: &Shared) -> Option<()> {
    if buffer.is_empty() && stream.read_buf(buffer).await.ok()? == 0 {
        return None;
    }
    let mut act = shared.choose();
    if act == Act::Reset {
        *shared.state().ledger.acts.entry(act).or_default() += 1;
        let _ = stream.set_zero_linger();
        return None;
    }
    let head = read_head(stream, buffer).await?;
    if act == Act::RefuseEarly {
        *shared.state().ledger.acts.entry(act).or_default() += 1;
        let _ = stream.write_all(answer(413, "").as_bytes()).await;
        return None;
    }
    let body = read_body(stream, buffer, &head).await?;
    let content = match Content::read(&head, &body) {
        Ok(content) => content,
        Err(error) => {
            shared.state().ledger.unreadable.push(error);
            return None;
        }
    };

    let (accepts, text) = {
        let mut state = shared.state();
        let event = content.event.as_ref();
        if event.is_some_and(|event| state.knows(&event.id))
            && !matches!(act, Act::AcceptSlowly | Act::AcceptAndClose)
        {
            // It has that already, and does not change its mind.
            act = Act::Accept;
        }
        *state.ledger.acts.entry(act).or_default() += 1;
        let (accepts, text) = match act {
            Act::Accept | Act::AcceptSlowly | Act::AcceptAndClose => (true, answer(200, "")),
            Act::AcceptAndLimit => {
                let header = "X-Sentry-Rate-Limits: 1:transaction:key\r\n";
                (true, answer(200, header))
            }
            Act::LoseAnswer => (true, String::new()),
            Act::Refuse(status) => (false, answer(status, "")),
            Act::Limit(headers) => (false, answer(429, headers)),
            Act::Garbage => (false, "\u{16}\u{3}\u{1} no answer\r\n\r\n".to_owned()),
            Act::Stall | Act::Reset | Act::RefuseEarly => (false, String::new()),
        };
        if let Some(event) = event
            && accepts
        {
            state.accept(event);
        }
        (accepts, text)
    };
    let mut rest = text.as_bytes();
    match act {
        Act::Stall => {
            // Until the other side gives up.
            let _ = stream.read_buf(buffer).await;
            return None;
        }
        Act::LoseAnswer => {
            let _ = stream.set_zero_linger();
            return None;
        }
        Act::AcceptSlowly => {
            // The other side knows the answer from the end of the head on.
            while rest.len() > 3 {
                stream.write_all(&rest[..1]).await.ok()?;
                rest = &rest[1..];
                sleep(Duration::from_millis(1)).await;
            }
        }
        _ => {}
    }
    // An answer this short is sent in one go, so it counts as given.
    shared.state().answered(act, accepts, content);
    stream.write_all(rest).await.ok()?;
    (!matches!(act, Act::AcceptAndClose | Act::Garbage)).then_some(())
}

fn answer(status: u16, headers: &str) -> String {
    format!(
        "HTTP/1.1 {status} So\r\nLocation: /elsewhere\r\n{headers}Content-Length: 2\r\n\r\n{{}}"
    )
}

/// Reads on until there is a head, and takes it out of the buffer.
async fn read_head(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(end) = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            let head: Vec<u8> = buffer.drain(..end + 4).collect();
            return String::from_utf8(head).ok();
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

async fn read_body(stream: &mut TcpStream, buffer: &mut Vec<u8>, head: &str) -> Option<Vec<u8>> {
    let length: usize = header(head, "content-length")?.parse().ok()?;
    while buffer.len() < length {
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    Some(buffer.drain(..length).collect())
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

/// What is in an envelope.
struct Content {
    event: Option<Event>,
    reported: Vec<((String, String), u64)>,
}

struct Event {
    id: String,
    /// The root included.
    spans: u64,
}

impl Content {
    fn read(head: &str, body: &[u8]) -> Result<Self, String> {
        let mut text = Vec::new();
        if header(head, "content-encoding") == Some("gzip") {
            let mut decoder = flate2::read::GzDecoder::new(body);
            decoder
                .read_to_end(&mut text)
                .map_err(|error| error.to_string())?;
        } else {
            text.extend_from_slice(body);
        }
        let mut content = Self {
            event: None,
            reported: Vec::new(),
        };
        let mut rest = &text[..];
        line(&mut rest)?;
        while !rest.is_empty() {
            let header: Value = parse(line(&mut rest)?)?;
            let length = header["length"].as_u64().ok_or("an item has no length")? as usize;
            let payload = rest.get(..length).ok_or("an item is cut off")?;
            let payload: Value = parse(payload)?;
            rest = rest.get(length + 1..).unwrap_or_default();
            match header["type"].as_str() {
                Some("transaction") => {
                    if length > 1_000_000 {
                        return Err(format!("a transaction has {length} bytes"));
                    }
                    let id = payload["event_id"].as_str().ok_or("no event id")?;
                    let spans = payload["spans"].as_array().ok_or("no spans")?;
                    content.event = Some(Event {
                        id: id.to_owned(),
                        spans: spans.len() as u64 + 1,
                    });
                }
                Some("client_report") => content.read_report(&payload)?,
                other => return Err(format!("an item of type {other:?}")),
            }
        }
        Ok(content)
    }

    fn read_report(&mut self, payload: &Value) -> Result<(), String> {
        let events = payload["discarded_events"].as_array();
        for event in events.ok_or("an empty report")? {
            let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
            let quantity = event["quantity"].as_u64().ok_or("no quantity")?;
            self.reported
                .push(((text("reason"), text("category")), quantity));
        }
        Ok(())
    }
}

fn line<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], String> {
    let end = rest.iter().position(|byte| *byte == b'\n');
    let end = end.ok_or("a line has no end")?;
    let line = &rest[..end];
    *rest = &rest[end + 1..];
    Ok(line)
}

fn parse(bytes: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(bytes).map_err(|error| error.to_string())
}

/// Everything that can go wrong and is over soon.
pub(crate) const ACTS: &[Act] = &[
    Act::AcceptSlowly,
    Act::AcceptAndClose,
    Act::AcceptAndLimit,
    Act::LoseAnswer,
    Act::LoseAnswer,
    Act::Reset,
    Act::Reset,
    Act::Stall,
    Act::Garbage,
    Act::RefuseEarly,
    Act::Refuse(302),
    Act::Refuse(400),
    Act::Refuse(413),
    Act::Refuse(500),
    Act::Refuse(503),
    Act::Limit("X-Sentry-Rate-Limits: 1:transaction:key\r\n"),
    Act::Limit("Retry-After: 1\r\n"),
];
