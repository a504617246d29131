//! A service that closes its client when it is asked to stop, by Ctrl-C or by SIGTERM.
//!
//! `cargo run -p taskspan-neighbours --example shutdown` works until then, and sends to a receiver
//! in this very process. With `SENTRY_DSN` set it sends there.

#![allow(clippy::print_stdout, reason = "a program that shows something")]

use std::error::Error;
use std::io;
use std::time::Duration;

use taskspan::local::Receiver;
use taskspan::{Client, Instrument, Options};
use tokio::time::{interval, sleep};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // Kept to the end: dropped, it would stop receiving.
    let receiver = Receiver::start().await?;
    let mut options = Options::from_env().traces_sample_rate(1.0);
    if options.dsn().is_none() {
        options = Options::new(&receiver.dsn())?.traces_sample_rate(1.0);
    }
    let client = taskspan::init(options)?;

    // Asked for before anything else runs, so that no signal is missed.
    let stop = stop_signal()?;
    println!("working; stop with Ctrl-C");
    tokio::select! {
        () = serve() => {}
        signal = stop => println!("stopping: {signal}"),
    }

    // What ran was dropped above, so its transactions have ended, as `cancelled`.
    // There is one place where the program ends, and this is on the way there.
    close(&client).await;
    Ok(())
}

/// Works until it is dropped.
async fn serve() {
    let mut jobs = interval(Duration::from_millis(20));
    loop {
        jobs.tick().await;
        let query = sleep(Duration::from_millis(5)).in_span("db.query", "SELECT 1");
        query.in_transaction("task", "job").await;
    }
}

async fn close(client: &Client) {
    // Less than what is left before the process is killed: often 10 or 30 seconds.
    let report = client.close(Duration::from_secs(5)).await;
    println!("{report}");
}

/// Becomes ready when the process is asked to stop, from the call on.
#[cfg(unix)]
fn stop_signal() -> io::Result<impl Future<Output = &'static str>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => "Ctrl-C",
            _ = terminate.recv() => "SIGTERM",
        }
    })
}

/// Becomes ready when the process is asked to stop.
#[cfg(not(unix))]
fn stop_signal() -> io::Result<impl Future<Output = &'static str>> {
    Ok(async {
        // An error would mean that nobody can ask.
        let _ = tokio::signal::ctrl_c().await;
        "Ctrl-C"
    })
}
