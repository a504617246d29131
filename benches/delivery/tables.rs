//! What is tried, and what came of it.

use std::net::TcpListener;
use std::time::Duration;

use support::arguments::Arguments;
use support::chart::{Bar, draw};
use support::process::Process;
use support::server::Server;
use support::table::{Table, number};

use crate::application::Figures;

pub(crate) fn print(arguments: &Arguments) {
    let size = if arguments.test { TINY } else { FULL };
    println!("## Delivery\n");
    let bars = size.throughput();
    if let Some(directory) = &arguments.charts {
        let title = "Delivered a second of 1,000, by a server that answers after 50 ms";
        draw(&directory.join("delivery.svg"), title, "", &bars).unwrap();
    }
    size.server_down();
    size.time_to_close();
}

/// How much is tried.
struct Size {
    latencies: &'static [u64],
    rates: &'static [u64],
    /// How long transactions are offered to a server that works.
    seconds: f64,
    /// The same where it does not.
    seconds_without: f64,
    queued: &'static [u64],
    /// What `close` is given, in seconds.
    deadline: f64,
    /// How long a process may take to close and end.
    patience: Duration,
}

const FULL: Size = Size {
    latencies: &[0, 5, 50],
    rates: &[1_000, 5_000],
    seconds: 5.0,
    seconds_without: 25.0,
    queued: &[5, 60, 5_000],
    deadline: 2.0,
    patience: Duration::from_secs(15),
};

const TINY: Size = Size {
    latencies: &[5],
    rates: &[1_000],
    seconds: 0.2,
    seconds_without: 0.2,
    queued: &[5],
    deadline: 0.1,
    patience: Duration::from_secs(1),
};

impl Size {
    /// Returns what the chart shows.
    fn throughput(&self) -> Vec<Bar> {
        let seconds = self.seconds;
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
        for &latency in self.latencies {
            for &rate in self.rates {
                for who in ["nothing", "taskspan", "taskspan, plain", "sentry"] {
                    let server = Server::start(&latency.to_string()).unwrap();
                    let figures = self.send(who, &server.dsn, rate, seconds);
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
        bars
    }

    fn server_down(&self) {
        let (rate, seconds) = (2_000, self.seconds_without);
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
                let figures = self.send(who, &dsn, rate, seconds);
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

    fn time_to_close(&self) {
        println!("### Time to close with a server that never answers\n");
        let deadline = self.deadline;
        println!("`close` is given {deadline} s. A process that does not end is stopped.\n");
        let mut table = Table::new([
            "crate",
            "queued",
            "closed after",
            "process ended",
            "it says",
        ]);
        for who in ["taskspan", "sentry", "OTel"] {
            for queued in self.queued {
                let silent = TcpListener::bind("127.0.0.1:0").unwrap();
                let dsn = format!("http://key@{}/1", silent.local_addr().unwrap());
                let process = Process::start(&[
                    "close",
                    who,
                    &dsn,
                    &queued.to_string(),
                    &deadline.to_string(),
                ])
                .unwrap();
                let ended = process.wait(self.patience).unwrap();
                let (closed, outcome) = match ended.text.split_once('\n') {
                    Some((closed, outcome)) => (format!("{closed} s"), outcome.trim().to_owned()),
                    None => ("never".to_owned(), "–".to_owned()),
                };
                let process = match ended.took {
                    Some(took) => format!("after {took:.1?}"),
                    None => format!("not after {:?}", self.patience),
                };
                let outcome = outcome.replace('\n', "; ");
                table.row([who.to_owned(), queued.to_string(), closed, process, outcome]);
            }
        }
        table.print();
    }

    fn send(&self, who: &str, dsn: &str, rate: u64, seconds: f64) -> Figures {
        let numbers = [rate as f64, seconds, self.deadline].map(|n| n.to_string());
        let [rate, time, deadline] = &numbers;
        let arguments = ["send", who, dsn, rate, time, deadline];
        let process = Process::start(&arguments).unwrap();
        let ended = process.wait(Duration::from_secs_f64(seconds) + self.patience);
        let ended = ended.unwrap();
        Figures::from_text(&ended.text)
    }
}
