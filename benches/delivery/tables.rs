//! What is tried, and what came of it.

use std::net::TcpListener;
use std::time::Duration;

use support::arguments::Arguments;
use support::chart::{Bar, draw};
use support::process::Process;
use support::server::Server;
use support::table::{Table, number};

use crate::application::Figures;
use crate::sender::DEADLINE;

/// How long a process may take in all.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn print(arguments: &Arguments) {
    println!("## Delivery\n");
    throughput(arguments);
    server_down(arguments);
    time_to_close(arguments);
}

fn throughput(arguments: &Arguments) {
    let seconds = if arguments.test { 0.2 } else { 5.0 };
    println!(
        "Transactions of 10 spans for {seconds} s, then `close`. The server has the same \
         {} cores. Requests are what the application does beside.\n",
        std::thread::available_parallelism().map_or(1, usize::from)
    );
    let mut table = Table::new([
        "answer after",
        "offered a second",
        "crate",
        "delivered a second",
        "lost",
        "CPU for each",
        "to record",
        "request p50",
        "p99",
    ]);
    let mut bars = Vec::new();
    for latency in [0, 5, 50] {
        for rate in [1_000, 5_000] {
            for who in ["nothing", "taskspan", "taskspan, plain", "sentry"] {
                let server = Server::start(latency).unwrap();
                let figures = send(who, &server.dsn, rate, seconds);
                let delivered = server.stop().unwrap() as f64;
                let cells = match who {
                    "nothing" => ["–"; 4].map(str::to_owned),
                    _ => [
                        number(delivered / seconds),
                        format!("{:.1} %", 100.0 * (1.0 - delivered / figures.offered)),
                        format!("{} µs", number(1e6 * figures.seconds / delivered.max(1.0))),
                        format!("{} µs", number(figures.microseconds)),
                    ],
                };
                let head = [
                    format!("{latency} ms"),
                    number(figures.offered / seconds),
                    who.to_owned(),
                ];
                let requests =
                    [figures.median, figures.high].map(|time| format!("{} ms", number(time)));
                table.row(head.into_iter().chain(cells).chain(requests));
                if (latency, rate) == (50, 1_000) && ["taskspan", "sentry"].contains(&who) {
                    bars.push(Bar {
                        label: who.to_owned(),
                        value: delivered / seconds,
                    });
                }
            }
        }
    }
    table.print();
    if let Some(directory) = &arguments.charts {
        let title = "Delivered a second of 1,000, by a server that answers after 50 ms";
        draw(&directory.join("delivery.svg"), title, "", &bars).unwrap();
    }
}

fn server_down(arguments: &Arguments) {
    let (rate, seconds) = (2_000, if arguments.test { 0.4 } else { 10.0 });
    println!("### While the server is down or silent\n");
    println!("{rate} transactions a second for {seconds} s.\n");
    let mut table = Table::new([
        "server",
        "crate",
        "resident early",
        "at the end",
        "to record",
        "request p50",
        "p99",
    ]);
    for server in ["down", "silent"] {
        // Bound to a port until this round ends: somebody connects and is never answered.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let dsn = format!("http://key@{}/1", silent.local_addr().unwrap());
        let silent = (server == "silent").then_some(silent);
        for who in ["nothing", "taskspan", "sentry"] {
            let figures = send(who, &dsn, rate, seconds);
            let [early, late] = figures.resident.map(|mib| format!("{mib:.1} MiB"));
            let [median, high] = [figures.median, figures.high].map(|ms| format!("{ms:.2} ms"));
            let recording = format!("{} µs", number(figures.microseconds));
            table.row([
                server.to_owned(),
                who.to_owned(),
                early,
                late,
                recording,
                median,
                high,
            ]);
        }
        drop(silent);
    }
    table.print();
}

fn time_to_close(arguments: &Arguments) {
    println!("### Time to close with a server that never answers\n");
    println!("`close` is given {DEADLINE:?}. A process that does not end is stopped.\n");
    let patience = Duration::from_secs(if arguments.test { 4 } else { 15 });
    let mut table = Table::new([
        "crate",
        "queued",
        "closed after",
        "process ended",
        "it says",
    ]);
    for who in ["taskspan", "sentry"] {
        for queued in [5, 60, 5_000] {
            let silent = TcpListener::bind("127.0.0.1:0").unwrap();
            let dsn = format!("http://key@{}/1", silent.local_addr().unwrap());
            let process = Process::start(&["close", who, &dsn, &queued.to_string()]).unwrap();
            let ended = process.wait(patience).unwrap();
            let (closed, outcome) = match ended.text.split_once('\n') {
                Some((closed, outcome)) => (format!("{closed} s"), outcome.trim().to_owned()),
                None => ("never".to_owned(), "–".to_owned()),
            };
            let process = match ended.took {
                Some(took) => format!("after {took:.1?}"),
                None => format!("not after {patience:?}"),
            };
            let outcome = outcome.replace('\n', "; ");
            table.row([who.to_owned(), queued.to_string(), closed, process, outcome]);
        }
    }
    table.print();
}

fn send(who: &str, dsn: &str, rate: u64, seconds: f64) -> Figures {
    let arguments = ["send", who, dsn, &rate.to_string(), &seconds.to_string()];
    let process = Process::start(&arguments).unwrap();
    let ended = process.wait(PATIENCE).unwrap();
    Figures::from_line(ended.text.lines().next().unwrap())
}
