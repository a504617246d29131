//! What a web service costs with each of the crates: bare, with taskspan, with `sentry`.
//!
//! `./bench` at the root runs this with everything else, and installs `wrk`, which makes the
//! requests. Service, `wrk` and the server that takes the transactions are processes that share
//! all cores. Services take turns for some rounds.

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

fn main() {
    let arguments = Arguments::read();
    let role: Vec<&str> = arguments.others.iter().map(String::as_str).collect();
    match role[..] {
        ["serve", latency] => serve(latency.parse().unwrap()).unwrap(),
        ["run", service, dsn] => service::run(service.parse().unwrap(), dsn),
        _ => compare(arguments.test),
    }
}

fn compare(test: bool) {
    let (rounds, seconds) = if test { (1, 1) } else { (5, 3) };
    let mut loads: Vec<Vec<Load>> = SERVICES.iter().map(|_| Vec::new()).collect();
    for _ in 0..rounds {
        for (number, loads) in loads.iter_mut().enumerate() {
            loads.push(measure(number, seconds));
        }
    }
    println!("## A web service\n");
    println!(
        "An axum service that answers at once, {} connections, medians over {rounds} rounds of \
         {seconds} s.\n",
        load::CONNECTIONS
    );
    let mut table = Table::new([
        "service",
        "requests a second",
        "of bare",
        "p50",
        "p99",
        "transactions delivered a second",
    ]);
    let median = |number: usize, figure: fn(&Load) -> f64| {
        let mut figures: Vec<f64> = loads[number].iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        quantile(&figures, 0.5)
    };
    for (service, name) in SERVICES.iter().enumerate() {
        let rate = median(service, |load| load.rate);
        table.row([
            (*name).to_owned(),
            number(rate),
            format!("{:.0} %", 100.0 * rate / median(0, |load| load.rate)),
            format!("{} ms", number(median(service, |load| load.median))),
            format!("{} ms", number(median(service, |load| load.high))),
            number(median(service, |load| load.delivered)),
        ]);
    }
    table.print();
}

fn measure(service: usize, seconds: u64) -> Load {
    let server = Server::start(0).unwrap();
    let mut process = Process::start(&["run", &service.to_string(), &server.dsn]).unwrap();
    let address = process.read_line().unwrap();
    let mut load = load::run(&address, seconds);
    process.wait(Duration::from_secs(5)).unwrap();
    load.delivered = server.stop().unwrap() as f64 / seconds as f64;
    load
}
