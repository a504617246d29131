//! Delivery in figures, with taskspan and with `sentry`, the official crate.
//!
//! `./bench` at the root runs this with everything else. Every case is a process of its own, and
//! so is the server, which answers each request after a fixed time. Processor time is that of the
//! sending process alone, from its first transaction to the end of `close`: recording, writing,
//! compressing and sending. It is shared out among those that were delivered, so that what is
//! lost makes the rest more expensive. A service that works beside it in the same runtime shows
//! what delivery does to the application.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program that prints tables"
)]

mod application;
mod sender;
mod tables;

use std::time::Duration;

use support::arguments::Arguments;
use support::server::serve;

fn main() {
    let arguments = Arguments::read();
    let role: Vec<&str> = arguments.others.iter().map(String::as_str).collect();
    match role[..] {
        ["serve", latency] => serve(latency).unwrap(),
        ["send", who, dsn, rate, seconds, deadline] => {
            let (rate, seconds) = (rate.parse().unwrap(), seconds.parse().unwrap());
            application::send(who, dsn, rate, seconds, time(deadline));
        }
        ["close", who, dsn, queued, deadline] => {
            application::close(who, dsn, queued.parse().unwrap(), time(deadline));
        }
        _ => tables::print(&arguments),
    }
}

fn time(seconds: &str) -> Duration {
    Duration::from_secs_f64(seconds.parse().unwrap())
}
