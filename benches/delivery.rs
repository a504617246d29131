//! Delivery in figures, with the crate that most people use today (`sentry` 0.49.5) beside it.
//!
//! `cargo bench --bench delivery` prints tables: what arrives at which rate and
//! what it costs, memory while the server is down, and how long it takes to
//! close. With `-- --test` everything runs for a moment, to see that it works.
//!
//! Every case is a process of its own, and so is the server, which answers each
//! request after a fixed time. Processor time is that of the sending process
//! alone, from its first transaction to the end of `close`: recording, writing,
//! compressing and sending. It is shared out among those that were delivered, so
//! that what is lost makes the rest more expensive. A service that works beside
//! it in the same runtime shows what delivery does to the application.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program that prints tables"
)]

use std::env;
use std::fs;
use std::future::ready;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use taskspan::{Client, Compression, Instrument, Options};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::time::{MissedTickBehavior, interval, sleep};

/// How long `close` may take.
const DEADLINE: Duration = Duration::from_secs(2);

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let role: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match role[..] {
        ["serve", latency] => serve(latency.parse().unwrap()),
        ["send", who, dsn, rate, seconds] => {
            send(who, dsn, rate.parse().unwrap(), seconds.parse().unwrap());
        }
        ["close", who, dsn, queued] => close(who, dsn, queued.parse().unwrap()),
        _ => tables(role.contains(&"--test")),
    }
}

fn tables(tiny: bool) {
    let seconds = if tiny { 0.2 } else { 8.0 };
    println!("10 spans a transaction, for {seconds} s, then `close`\n");
    println!(
        "{:<22}{:>8}{:>8}{:>9}{:>11}{:>8}{:>12}{:>10}{:>10}",
        "", "answer", "rate", "offered", "delivered", "lost", "CPU each", "app p50", "app p99"
    );
    for (latency, rate) in [(50, 1_000), (5, 5_000)] {
        for who in ["nothing", "taskspan", "taskspan, plain", "sentry"] {
            throughput(who, latency, rate, seconds);
        }
    }

    let seconds = if tiny { 0.4 } else { 20.0 };
    println!("\nNobody listens, 2,000 transactions a second for {seconds} s\n");
    for who in ["taskspan", "sentry"] {
        println!("{who}");
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let dsn = format!("http://key@{}/1", free.local_addr().unwrap());
        drop(free);
        let mut child = child(&["send", who, &dsn, "2000", &seconds.to_string()]);
        let (text, _) = output(&mut child, Duration::from_secs(60));
        let lines = text.lines().filter(|line| !line.starts_with("result "));
        lines.for_each(|line| println!("{line}"));
    }

    println!("\nTime to close, {DEADLINE:?} allowed, with a server that never answers\n");
    println!("{:<22}{:>8}  {:>10}", "", "queued", "");
    for who in ["taskspan", "sentry"] {
        for queued in [5, 60, 5_000] {
            let silent = TcpListener::bind("127.0.0.1:0").unwrap();
            let dsn = format!("http://key@{}/1", silent.local_addr().unwrap());
            let mut child = child(&["close", who, &dsn, &queued.to_string()]);
            let patience = Duration::from_secs(if tiny { 4 } else { 15 });
            let (text, ended) = output(&mut child, patience);
            let text = text.trim();
            let process = match ended {
                Some(took) => format!("the process ended after {took:.1?}"),
                None => format!("the process had not ended after {patience:?}"),
            };
            println!("{who:<22}{queued:>8}  {text}; {process}");
        }
    }
}

fn throughput(who: &str, latency: u64, rate: u64, seconds: f64) {
    let mut server = child(&["serve", &latency.to_string()]);
    let mut answers = BufReader::new(server.stdout.take().unwrap());
    let mut line = String::new();
    answers.read_line(&mut line).unwrap();
    let dsn = format!("http://key@{}/1", line.trim());
    let arguments = ["send", who, &dsn, &rate.to_string(), &seconds.to_string()];
    let (text, _) = output(&mut child(&arguments), Duration::from_secs(60));
    // The server tells once it is told to stop.
    drop(server.stdin.take());
    line.clear();
    answers.read_line(&mut line).unwrap();
    server.wait().unwrap();

    let delivered: f64 = line.trim().parse().unwrap();
    let result = text.lines().find_map(|line| line.strip_prefix("result "));
    let mut numbers = result
        .unwrap()
        .split(' ')
        .map(|n| n.parse::<f64>().unwrap());
    let mut next = || numbers.next().unwrap();
    let (offered, cpu, median, high) = (next(), next(), next(), next());
    let lost = 100.0 * (offered - delivered) / offered;
    let cpu = 1e6 * cpu / delivered.max(1.0);
    let (lost, cpu) = match who {
        "nothing" => ("-".to_owned(), "-".to_owned()),
        _ => (format!("{lost:.1} %"), format!("{cpu:.1} µs")),
    };
    println!(
        "{who:<22}{:>8}{rate:>8}{offered:>9}{delivered:>11}{lost:>8}{cpu:>12}{:>7.2} ms{:>7.2} ms",
        format!("{latency} ms"),
        median * 1e3,
        high * 1e3,
    );
}

/// One of the two crates, ready to send, or neither of them.
enum Sender {
    Nothing,
    Taskspan(Client),
    Sentry(sentry::ClientInitGuard),
}

impl Sender {
    fn new(who: &str, dsn: &str) -> Self {
        if who == "sentry" {
            // Its HTTP client wants TLS to be set up, although it is not used here.
            let _ = rustls::crypto::ring::default_provider().install_default();
            let options = sentry::ClientOptions::new().traces_sample_rate(1.0);
            return Self::Sentry(sentry::init((dsn, options)));
        }
        if who == "nothing" {
            return Self::Nothing;
        }
        let mut options = Options::new(dsn).unwrap().traces_sample_rate(1.0);
        if who.ends_with("plain") {
            options = options.compression(Compression::None);
        }
        Self::Taskspan(taskspan::init(options).unwrap())
    }

    async fn transaction(&self) {
        match self {
            Self::Taskspan(_) | Self::Nothing => {
                async {
                    for _ in 0..10 {
                        ready(())
                            .in_span("db.query", "SELECT * FROM items WHERE id = $1")
                            .await;
                    }
                }
                .in_transaction("task", "GET /items/{id}")
                .await;
            }
            Self::Sentry(_) => {
                let context = sentry::TransactionContext::new("GET /items/{id}", "task");
                let transaction = sentry::start_transaction(context);
                for _ in 0..10 {
                    transaction
                        .start_child("db.query", "SELECT * FROM items WHERE id = $1")
                        .finish();
                }
                transaction.finish();
            }
        }
    }

    async fn close(&self, deadline: Duration) -> String {
        match self {
            Self::Nothing => "there was nothing to send".to_owned(),
            Self::Taskspan(client) => client.close(deadline).await.to_string(),
            Self::Sentry(guard) => match guard.close(Some(deadline)) {
                true => "it says that all was sent".to_owned(),
                false => "it says that not all was sent".to_owned(),
            },
        }
    }
}

/// What a service on two cores has.
fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

/// Starts transactions at a rate, and says what that took.
fn send(who: &str, dsn: &str, rate: u64, seconds: f64) {
    runtime().block_on(async {
        let sender = Sender::new(who, dsn);
        let requests = Arc::new(Mutex::new(Vec::new()));
        tokio::spawn(serve_requests(Arc::clone(&requests)));
        let before = cpu();
        let start = Instant::now();
        let mut ticks = interval(Duration::from_millis(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let (mut offered, mut shown, mut recording) = (0_u64, 0_u64, Duration::ZERO);
        let every = seconds / 5.0;
        let mut parts = 1.0;
        let end = start + Duration::from_secs_f64(seconds);
        while Instant::now() < end {
            ticks.tick().await;
            let due = (start.elapsed().as_secs_f64() * rate as f64) as u64;
            let burst = Instant::now();
            while offered < due {
                sender.transaction().await;
                offered += 1;
            }
            recording += burst.elapsed();
            if start.elapsed().as_secs_f64() >= every * parts {
                parts += 1.0;
                let each = recording.as_secs_f64() * 1e6 / (offered - shown).max(1) as f64;
                println!(
                    "{:>8.1} s {:>8.1} MiB resident {each:>8.2} µs to record one",
                    start.elapsed().as_secs_f64(),
                    resident()
                );
                (shown, recording) = (offered, Duration::ZERO);
            }
        }
        let outcome = sender.close(DEADLINE).await;
        println!("         {outcome}");
        let mut requests = requests.lock().unwrap().clone();
        requests.sort_by(f64::total_cmp);
        let part = |part: f64| requests.get((requests.len() as f64 * part) as usize);
        let (median, high) = (part(0.5).unwrap_or(&0.0), part(0.99).unwrap_or(&0.0));
        println!("result {offered} {} {median} {high}", cpu() - before);
        std::io::stdout().flush().unwrap();
        // What the guard does when it is dropped is no part of this.
        std::process::exit(0);
    });
}

/// What the application does beside: a request every few milliseconds, that
/// takes some work and a change of task. Notes how long each took from when it was due.
async fn serve_requests(took: Arc<Mutex<Vec<f64>>>) {
    let mut due = interval(Duration::from_millis(5));
    loop {
        let due = due.tick().await;
        let work = async {
            let start = Instant::now();
            while start.elapsed() < Duration::from_micros(100) {
                std::hint::spin_loop();
            }
        };
        tokio::spawn(work).await.unwrap();
        took.lock().unwrap().push(due.elapsed().as_secs_f64());
    }
}

fn close(who: &str, dsn: &str, queued: u64) {
    runtime().block_on(async {
        let sender = Sender::new(who, dsn);
        for _ in 0..queued {
            sender.transaction().await;
        }
        let start = Instant::now();
        let outcome = sender.close(DEADLINE).await;
        println!("closed after {:.4?}: {outcome}", start.elapsed());
    });
}

/// Answers every request after a while, and tells how many transactions came when its input ends.
fn serve(latency: u64) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let count = Arc::new(AtomicU64::new(0));
    let theirs = Arc::clone(&count);
    thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        println!("{}", count.load(Ordering::Relaxed));
        std::process::exit(0);
    });
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let latency = Duration::from_millis(latency);
            tokio::spawn(connection(stream, latency, Arc::clone(&theirs)));
        }
    });
}

async fn connection(mut stream: TcpStream, latency: Duration, count: Arc<AtomicU64>) -> Option<()> {
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
        sleep(latency).await;
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
        stream.write_all(answer).await.ok()?;
    }
}

fn child(arguments: &[&str]) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What a process prints, and how long it ran unless it had to be killed.
fn output(child: &mut Child, patience: Duration) -> (String, Option<Duration>) {
    let start = Instant::now();
    let mut stdout = child.stdout.take().unwrap();
    let reader = thread::spawn(move || {
        let mut text = String::new();
        let _ = stdout.read_to_string(&mut text);
        text
    });
    let mut took = None;
    while took.is_none() && start.elapsed() < patience {
        took = child.try_wait().unwrap().map(|_| start.elapsed());
        thread::sleep(Duration::from_millis(10));
    }
    if took.is_none() {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    (reader.join().unwrap(), took)
}

/// The processor time that this process has used, in seconds, where the system tells.
fn cpu() -> f64 {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2);
    ticks.filter_map(|n| n.parse::<f64>().ok()).sum::<f64>() / TICKS_PER_SECOND
}

/// How much memory this process has, in MiB, where the system tells.
fn resident() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}
