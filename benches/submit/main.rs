//! What it costs to submit a finished transaction, from one thread and from 8 at once.
//!
//! `./bench` at the root runs this with everything else. Transactions are started beforehand, and
//! only their end is measured: the root span ends and the transaction goes into the queue. The
//! processor time of the threads that do it is what counts, since 8 threads on two cores take
//! their turns. Both ways take turns in many rounds with the same number of transactions, so the
//! ratio holds on a machine that does other work as well.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program that prints a table"
)]

use std::fs;
use std::future::Future;
use std::pin::pin;
use std::sync::Barrier;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use support::arguments::Arguments;
use support::meter::quantile;
use support::server::{Server, serve};
use support::table::{Table, number};
use taskspan::{Client, Instrument, OpenSpan, Options};
use tokio::runtime::{Builder, Runtime};

/// Where the transactions go.
#[derive(Clone, Copy, PartialEq)]
enum Case {
    /// Into a queue with room for all of them, from which nothing is taken meanwhile.
    Room,
    /// Nowhere: the queue is full, so they are counted and dropped.
    Full,
    /// To a server that accepts them, while they are submitted.
    Delivered,
    /// As `Room`, with a client for each thread: what 8 threads cost that share nothing.
    OwnClients,
}

const CASES: [Case; 4] = [Case::Room, Case::Full, Case::Delivered, Case::OwnClients];

const THREADS: usize = 8;

/// How many transactions there are in a round, whatever the number of threads.
const TRANSACTIONS: usize = 16_000;

/// By how much a submission from 8 threads may cost more than one from a single thread.
const BUDGET: f64 = 1.3;

fn main() {
    let arguments = Arguments::read();
    if let ["serve", latency] = arguments
        .others
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()[..]
    {
        return serve(latency).unwrap();
    }
    println!("## Submitting from {THREADS} threads\n");
    println!(
        "Nanoseconds of processor time to end and submit a transaction, medians over rounds of \
         {TRANSACTIONS}, and the median of the ratios within a round.\n"
    );
    let eight = format!("{THREADS} threads");
    let mut table = Table::with_columns(["queue", "1 thread"], &[&eight, "ratio", "budget"]);
    for case in CASES {
        let (mut one, mut many, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        let rounds = if arguments.test { 1 } else { case.rounds() };
        // The first round warms up.
        for round in 0..=rounds {
            let costs = [1, THREADS].map(|threads| measure(case, threads));
            if round > 0 {
                one.push(costs[0]);
                many.push(costs[1]);
                ratios.push(costs[1] / costs[0]);
            }
        }
        let ratio = median(&mut ratios);
        let budget = match case {
            Case::OwnClients => String::new(),
            _ if ratio <= BUDGET => format!("≤ {BUDGET}, met"),
            _ => format!("≤ {BUDGET}, missed"),
        };
        table.row([
            case.name().to_owned(),
            number(median(&mut one)),
            number(median(&mut many)),
            format!("{ratio:.2}"),
            budget,
        ]);
    }
    table.print();
}

impl Case {
    fn name(self) -> &'static str {
        match self {
            Self::Room => "with room",
            Self::Full => "full",
            Self::Delivered => "being delivered",
            Self::OwnClients => "with room, one for each thread",
        }
    }

    /// To deliver takes some seconds, and the rest is over at once.
    fn rounds(self) -> u32 {
        match self {
            Self::Delivered => 5,
            _ => 21,
        }
    }
}

/// Nanoseconds of processor time for each transaction.
fn measure(case: Case, threads: usize) -> f64 {
    let server = (case == Case::Delivered).then(|| Server::start("0").unwrap());
    // No server listens at the other address.
    let dsn = server
        .as_ref()
        .map_or("http://key@127.0.0.1:9/1", |it| &it.dsn);
    let runtime = runtime(case);
    let clients: Vec<Client> = {
        let _entered = runtime.enter();
        let client = || Client::new(options(case, dsn)).unwrap();
        match case {
            Case::OwnClients => (0..threads).map(|_| client()).collect(),
            _ => vec![client(); threads],
        }
    };
    if case == Case::Full {
        // The one that it has room for.
        drop(started(&clients[0], 1));
    }
    let barrier = Barrier::new(threads);
    let nanoseconds: f64 = thread::scope(|scope| {
        let submit = |client| {
            let transactions = started(client, TRANSACTIONS / threads);
            barrier.wait();
            let before = processor_time();
            transactions.into_iter().for_each(OpenSpan::finish);
            processor_time() - before
        };
        let submitting = clients
            .iter()
            .map(|client| scope.spawn(move || submit(client)));
        let submitting: Vec<_> = submitting.collect();
        submitting.into_iter().map(|it| it.join().unwrap()).sum()
    });
    if let Some(server) = server {
        let report = runtime.block_on(clients[0].close(Duration::from_secs(30)));
        assert_eq!(server.stop().unwrap(), TRANSACTIONS as u64, "{report}");
    }
    nanoseconds / TRANSACTIONS as f64
}

/// Only the one of what is delivered does anything before it is dropped.
fn runtime(case: Case) -> Runtime {
    let mut builder = match case {
        Case::Delivered => Builder::new_multi_thread(),
        _ => Builder::new_current_thread(),
    };
    builder.worker_threads(1).enable_all().build().unwrap()
}

fn options(case: Case, dsn: &str) -> Options {
    let options = Options::new(dsn).unwrap().traces_sample_rate(1.0);
    let items = if case == Case::Full { 1 } else { TRANSACTIONS };
    options.queue_items(items).queue_bytes(1 << 30)
}

/// Transactions of a client that have not ended.
fn started(client: &Client, count: usize) -> Vec<OpenSpan> {
    let start = |_| taskspan::transaction("task", "GET /items/{id}").start();
    let work = async { (0..count).map(start).collect() };
    let work = pin!(work.with_client(client));
    match work.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(transactions) => transactions,
        Poll::Pending => unreachable!("it waits for nothing"),
    }
}

/// The processor time that this thread has used, in nanoseconds, `NAN` where the system does not
/// report it.
fn processor_time() -> f64 {
    // The number is exact after the thread has paused.
    thread::sleep(Duration::from_micros(1));
    let schedule = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let used = schedule.split_whitespace().next();
    used.and_then(|used| used.parse().ok()).unwrap_or(f64::NAN)
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    quantile(values, 0.5)
}
