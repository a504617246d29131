//! A worker that takes photos from a queue, and what it looks like in Sentry.
//!
//! `cargo run --example quickstart` sends to a receiver in this very
//! process, and draws what arrives. With `SENTRY_DSN` set it sends there.

#![allow(clippy::print_stdout, reason = "a program that shows something")]

use std::env;
use std::error::Error;
use std::thread;
use std::time::Duration;

use taskspan::local::{Receiver, Waterfall};
use taskspan::{Instrument, Options, SpanStatus};
use tokio::time::{sleep, timeout};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Result<()> {
    let (options, receiver) = options().await?;
    let client = taskspan::init(options)?;

    for photo in ["alps.jpg", "beach.jpg", "broken.jpg"] {
        let work = process(photo)
            .record_err()
            .in_transaction("queue.process", "thumbnails");
        match work.await {
            Ok(images) => println!("{photo}: {images} thumbnails"),
            Err(error) => println!("{photo}: {error}"),
        }
    }

    // Once this returns, everything is with the server or counted.
    let report = client.close(Duration::from_secs(5)).await;
    for transaction in receiver.iter().flat_map(Receiver::transactions) {
        println!("\n{}", Waterfall::for_stdout(&transaction));
    }
    println!("\n{report}");
    Ok(())
}

async fn process(photo: &'static str) -> Result<usize> {
    taskspan::set_tag("photo", photo);
    let bytes = fetch().in_span("http.client", "GET /photos/{id}").await;

    // Blocking work stays in the transaction.
    let images = taskspan::spawn_blocking(move || resize(photo, bytes)).await??;

    // So does a spawned task, which goes on beside what follows.
    let archive = sleep(ms(16)).in_span("http.client", "PUT /archive");
    let archive = taskspan::spawn(archive);

    // A future that is dropped before it is ready ends as `cancelled`.
    let label = label(photo).in_span("http.client", "POST /labels");
    let label = timeout(ms(12), label).await.unwrap_or("unknown");

    store(images, label).in_span("cache.put", "photo").await;
    archive.await?;
    Ok(images)
}

async fn fetch() -> usize {
    sleep(ms(10)).await;
    if let Some(span) = taskspan::current_span() {
        span.set_data("http.response.status_code", 200);
    }
    48_213
}

fn resize(photo: &str, bytes: usize) -> Result<usize> {
    taskspan::span("image.decode", "jpeg").in_scope(|span| {
        span.set_data("bytes", bytes);
        thread::sleep(ms(5));
        if photo == "broken.jpg" {
            span.set_status(SpanStatus::InvalidArgument);
            return Err("this is not a photo");
        }
        Ok(())
    })?;
    let sizes = [320, 160];
    for size in sizes {
        taskspan::span("image.resize", format!("{size} px"))
            .in_scope(|_| thread::sleep(ms(size / 40)));
    }
    Ok(sizes.len())
}

async fn label(photo: &str) -> &'static str {
    sleep(ms(if photo == "beach.jpg" { 1_000 } else { 6 })).await;
    "mountains"
}

async fn store(images: usize, label: &str) {
    taskspan::set_tag("label", label);
    for _ in 0..images {
        sleep(ms(2)).in_span("db.query", "INSERT thumbnail").await;
    }
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// The options, and a receiver to send to where the environment names no other.
async fn options() -> Result<(Options, Option<Receiver>)> {
    let options = Options::from_env();
    if options.dsn().is_some() {
        let rate = env::var("SENTRY_TRACES_SAMPLE_RATE").unwrap_or_default();
        let all = rate.trim().is_empty();
        let options = if all {
            options.traces_sample_rate(1.0)
        } else {
            options
        };
        return Ok((options, None));
    }
    let receiver = Receiver::start().await?;
    println!(
        "SENTRY_DSN is not set: sending to {} in this process\n",
        receiver.local_addr()
    );
    let options = Options::new(&receiver.dsn())?.traces_sample_rate(1.0);
    Ok((options, Some(receiver)))
}
