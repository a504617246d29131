//! Runs for minutes at a steady rate against a server that misbehaves, and compares ledgers at the end.
//!
//! `cargo run --release --example soak -- 10 500` runs for ten minutes at 500
//! transactions a second. Every five seconds it prints what became of them and
//! how much memory the process has, the server included. It exits with an error
//! if what the program started, what the server accepted and what the client
//! says do not agree to the last transaction and span.

#![allow(clippy::print_stdout, reason = "a program that shows something")]

#[path = "support/faults.rs"]
mod faults;
#[path = "support/ledgers.rs"]
mod ledgers;

use std::env;
use std::error::Error;
use std::fs;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use taskspan::{Client, DeliveryReport, Options};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use self::faults::{ACTS, Random, Server};
use self::ledgers::{LIMIT, MAX_SPANS, Started, adds_up};

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let minutes: f64 = arguments.next().as_deref().unwrap_or("1").parse()?;
    let rate: f64 = arguments.next().as_deref().unwrap_or("200").parse()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as u64;
    let seed = arguments.next().map_or(Ok(now), |seed| seed.parse())?;
    println!("{minutes} minutes at {rate} a second, seed {seed}");

    let server = Server::start(seed, ACTS, Duration::from_millis(500));
    let options = Options::new(&server.dsn())?
        .traces_sample_rate(1.0)
        // What is started and what is sampled are to be the same, whatever the server does.
        .enable_backpressure_handling(false)
        .max_spans(MAX_SPANS)
        .request_timeout(Duration::from_secs(5));
    let client = taskspan::init(options)?;
    let started = Arc::new(Started::default());

    let watch = tokio::spawn(watch(client.clone()));
    let end = Instant::now() + Duration::from_secs_f64(minutes * 60.0);
    // Bad times and good ones take turns.
    let mut random = Random::new(seed);
    let mut turn = Instant::now();
    let mut ticks = interval(Duration::from_millis(10));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (mut owed, mut last) = (0.0, Instant::now());
    while Instant::now() < end {
        ticks.tick().await;
        owed += rate * last.elapsed().as_secs_f64();
        last = Instant::now();
        while owed >= 1.0 {
            owed -= 1.0;
            started.transaction(&client, &mut random).await;
        }
        if Instant::now() > turn {
            turn = Instant::now() + Duration::from_secs(1 + random.below(10));
            server.set_healthy(random.below(3) == 0);
        }
    }

    server.set_healthy(true);
    sleep(LIMIT + Duration::from_millis(500)).await;
    client.flush(Duration::from_secs(30)).await;
    let report = client.close(Duration::from_secs(30)).await;
    let settled_up = watch.is_finished();
    watch.abort();

    let ledger = server.ledger();
    println!("\n{report}\n\nThe server: {:?}", ledger.acts);
    println!(
        "{} outages, {} accepted without an answer getting through",
        ledger.outages, ledger.unacknowledged.transactions
    );
    let differences = started.compare(&report, &ledger);
    for difference in &differences {
        println!("The ledgers differ: {difference}");
    }
    if differences.is_empty() && report.transactions.pending == 0 && !settled_up {
        println!("The ledgers agree: {}", sums(&report));
        return Ok(ExitCode::SUCCESS);
    }
    Ok(ExitCode::FAILURE)
}

/// Prints what there is to see every few seconds. Ends if the sums do not hold.
async fn watch(client: Client) {
    let mut ticks = interval(Duration::from_secs(5));
    let start = Instant::now();
    loop {
        ticks.tick().await;
        let stats = client.stats();
        let memory = resident().map_or("?".to_owned(), |mib| format!("{mib:.1}"));
        let seconds = start.elapsed().as_secs();
        println!("{seconds:>5} s {memory:>7} MiB  {}", sums(&stats));
        if !adds_up(&stats) {
            println!("this does not add up: {stats:?}");
            return;
        }
    }
}

fn sums(report: &DeliveryReport) -> String {
    let spans = &report.spans;
    format!(
        "{report}; {} spans: {} accepted, {} dropped, {} pending",
        spans.sampled,
        spans.accepted,
        spans.dropped(),
        spans.pending
    )
}

/// How much memory the process has, in MiB, where the system tells.
fn resident() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib / 1024.0)
}
