//! What a web service costs with each of the crates: bare, with taskspan, with `sentry`.
//!
//! `./bench` at the root runs this with everything else, and installs `wrk` and `h2load`, which
//! make the requests. Service, requests and the server that takes the transactions are processes
//! that share all cores. Services take turns for some rounds.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program that prints tables"
)]

mod load;
mod service;

use std::time::Duration;

use support::arguments::Arguments;
use support::meter::quantile;
use support::process::Process;
use support::server::{Server, serve};
use support::table::{Table, number};

use crate::load::Load;
use crate::service::SERVICES;

/// How a service is used.
#[derive(Clone, Copy)]
enum Case {
    /// As much as it can take, while the server has said that it wants no transactions.
    Recording,
    /// So many requests a second, and everything is sent.
    Steady,
    /// As much as it can take, and everything is to be sent.
    Saturated,
}

/// What came of it.
struct Outcome {
    load: Load,
    /// Transactions that arrived, a second.
    delivered: f64,
    /// Microseconds of the processor for each request.
    cpu: f64,
}

const STEADY_RATE: u32 = 2_000;

fn main() {
    let arguments = Arguments::read();
    let role: Vec<&str> = arguments.others.iter().map(String::as_str).collect();
    match role[..] {
        ["serve", behaviour] => serve(behaviour).unwrap(),
        ["run", service, dsn] => service::run(service.parse().unwrap(), dsn),
        _ => {
            println!("## A web service\n");
            println!(
                "An axum service with 10 spans a request, {} connections.",
                load::CONNECTIONS
            );
            for case in [Case::Recording, Case::Steady, Case::Saturated] {
                compare(case, arguments.test);
            }
        }
    }
}

fn compare(case: Case, test: bool) {
    let (rounds, seconds) = if test { (1, 1) } else { (5, 2) };
    let mut outcomes: Vec<Vec<Outcome>> = SERVICES.iter().map(|_| Vec::new()).collect();
    for _ in 0..rounds {
        for (service, outcomes) in outcomes.iter_mut().enumerate() {
            outcomes.push(measure(case, service, seconds));
        }
    }
    println!("\n{}\n", case.title());
    println!("Medians over {rounds} rounds of {seconds} s.\n");
    let mut table = Table::new([
        "service",
        "requests a second",
        "of bare",
        "p50",
        "p99",
        "CPU a request",
        "transactions delivered a second",
    ]);
    let median = |service: usize, figure: fn(&Outcome) -> f64| {
        let mut figures: Vec<f64> = outcomes[service].iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        quantile(&figures, 0.5)
    };
    for (service, name) in SERVICES.iter().enumerate() {
        let rate = median(service, |outcome| outcome.load.rate);
        let bare = median(0, |outcome| outcome.load.rate);
        table.row([
            (*name).to_owned(),
            number(rate),
            format!("{:.1} %", 100.0 * rate / bare),
            format!(
                "{} ms",
                number(median(service, |outcome| outcome.load.median))
            ),
            format!(
                "{} ms",
                number(median(service, |outcome| outcome.load.high))
            ),
            format!("{} us", number(median(service, |outcome| outcome.cpu))),
            number(median(service, |outcome| outcome.delivered)),
        ]);
    }
    table.print();
}

impl Case {
    fn title(self) -> String {
        match self {
            Self::Recording => "### Recording alone, saturated: the server wants no transactions, so that they are thrown away".to_owned(),
            Self::Steady => format!("### {STEADY_RATE} requests a second, with uploads"),
            Self::Saturated => "### Saturated, with uploads".to_owned(),
        }
    }
}

fn measure(case: Case, service: usize, seconds: u64) -> Outcome {
    let behaviour = match case {
        Case::Recording => "limited",
        Case::Steady | Case::Saturated => "0",
    };
    let server = Server::start(behaviour).unwrap();
    let mut process = Process::start(&["run", &service.to_string(), &server.dsn]).unwrap();
    let address = process.read_line().unwrap();
    let load = match case {
        Case::Recording | Case::Saturated => load::saturate(&address, seconds),
        Case::Steady => load::steadily(&address, STEADY_RATE, seconds),
    };
    let ended = process.wait(Duration::from_secs(5)).unwrap();
    let cpu: f64 = ended.text.trim().parse().unwrap();
    Outcome {
        cpu: 1e6 * cpu / (load.rate * seconds as f64),
        delivered: server.stop().unwrap() as f64 / seconds as f64,
        load,
    }
}
