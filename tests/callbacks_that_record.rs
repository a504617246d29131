//! Callbacks whose own code records: what they record does not call them again, without end.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use taskspan::local::Receiver;
use taskspan::protocol::Breadcrumb;
use taskspan::{Client, Instrument, Options, add_breadcrumb};

/// Counts calls, and records a transaction with a breadcrumb in each.
fn record(calls: &AtomicUsize) {
    calls.fetch_add(1, Ordering::Relaxed);
    taskspan::transaction("callback", "of a callback").in_scope(|_| {
        add_breadcrumb(Breadcrumb::new("callback", "called"));
    });
}

/// Options with every callback there is, and how often they were called.
fn options(options: Options) -> (Options, Arc<[AtomicUsize; 5]>) {
    let calls = Arc::new(<[AtomicUsize; 5]>::default());
    let each: [_; 5] = std::array::from_fn(|which| {
        let calls = Arc::clone(&calls);
        move || record(&calls[which])
    });
    let [sampler, breadcrumb, processor, span, transaction] = each;
    let options = options
        .traces_sampler(move |_| {
            sampler();
            1.0
        })
        .before_breadcrumb(move |it| {
            breadcrumb();
            Some(it)
        })
        .event_processor(move |it| {
            processor();
            Some(it)
        })
        .before_send_span(move |_| span())
        .before_send_transaction(move |it| {
            transaction();
            async { Some(it) }
        });
    (options, calls)
}

async fn work() {
    add_breadcrumb(Breadcrumb::new("work", "done"));
    async {}.in_span("function", "f").await;
}

#[tokio::test]
async fn each_callback_is_called_once_for_what_the_program_records() {
    let receiver = Receiver::start().await.unwrap();
    let (options, calls) = options(Options::new(&receiver.dsn()).unwrap());
    let client = taskspan::init(options).unwrap();
    work().in_transaction("task", "of the program").await;
    let report = client.close(Duration::from_secs(10)).await;
    assert_eq!(report.transactions.sampled, 1, "{report}");
    assert_eq!(report.transactions.accepted, 1, "{report}");
    assert_eq!(receiver.transactions()[0].name, "of the program");
    let counts = calls.each_ref().map(|it| it.load(Ordering::Relaxed));
    assert_eq!(counts, [1; 5]);
}

#[tokio::test]
async fn so_it_is_with_a_client_for_tests() {
    let (options, calls) = options(Options::default());
    let (client, sent) = taskspan::test::client(options);
    let client: Client = client;
    work()
        .in_transaction("task", "of the program")
        .with_client(&client)
        .await;
    assert_eq!(sent.transactions().len(), 1);
    let counts = calls.each_ref().map(|it| it.load(Ordering::Relaxed));
    assert_eq!(counts, [1; 5]);
}
