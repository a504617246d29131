//! Losses on this side of the wire, and how the server is told of them.

use DiscardReason::{Backpressure, BufferOverflow, InternalSdkError, QueueOverflow, SampleRate};

use super::server::{Act, OK};
use super::*;
use crate::protocol::Category;

#[tokio::test]
async fn a_full_queue_drops_the_newest() {
    let server = Server::start(|_| OK);
    for (items, bytes) in [(5, usize::MAX), (usize::MAX, 5 * 100)] {
        let mut config = config(&server);
        config.queue_items = items;
        config.queue_bytes = bytes;
        let transport = Transport::new(config, &Handle::current());
        // The worker has no chance to run before all are submitted.
        for number in 0..8 {
            transport.submit(fake(number));
        }
        assert_report(&transport.stats(), 0, &[(QueueOverflow, 3)], 5);
        assert_report(&transport.close(LONG).await, 5, &[(QueueOverflow, 3)], 0);
    }
    let mut names = server.transactions();
    names.sort();
    names.dedup();
    assert_eq!(names, ["0", "1", "2", "3", "4"]);
    assert_eq!(server.reported()["queue_overflow transaction"], 6);
    assert_eq!(server.reported()["queue_overflow span"], 18);
}

#[tokio::test]
async fn room_is_given_free_again() {
    let server = Server::start(|_| OK);
    let mut config = config(&server);
    config.queue_items = 1;
    config.queue_bytes = 100;
    let transport = Transport::new(config, &Handle::current());
    for number in 1..=3 {
        transport.submit(fake(number));
        assert_report(&transport.flush(LONG).await, number, &[], 0);
    }
}

#[tokio::test]
async fn what_panics_is_counted_and_the_worker_lives() {
    let server = Server::start(|_| OK);
    let transport = connect(&server);
    for size in [100, 1_000_000] {
        let mut payload = fake("panics");
        payload.panics = true;
        payload.size = size;
        transport.submit(payload);
    }
    transport.submit(fake("lives"));
    assert_report(&transport.flush(LONG).await, 1, &[(InternalSdkError, 2)], 0);
    assert_eq!(server.reported()["internal_sdk_error span"], 6);
}

#[tokio::test]
async fn what_cannot_be_made_to_fit_is_dropped() {
    let server = Server::start(|_| OK);
    let transport = connect(&server);
    // A name is cut where it is recorded, and nowhere else.
    transport.submit(fake("long".repeat(500_000)));
    let report = transport.close(LONG).await;
    assert_report(&report, 0, &[(InternalSdkError, 1)], 0);
    assert!(server.transactions().is_empty());
    assert_eq!(server.reported()["internal_sdk_error span"], 3);
}

#[tokio::test]
async fn a_report_in_an_envelope_that_is_refused_is_told_again() {
    let server = Server::start(|number| match number {
        0 => Act::Answer(413, &[]),
        _ => OK,
    });
    let transport = connect(&server);
    transport.unsampled(SampleRate);
    transport.submit(fake("refused"));
    transport.close(LONG).await;
    let received = server.received();
    assert_eq!(received[0].items.len(), 2);
    assert_eq!(received.len(), 2);
    let events = received[1].items[0].1["discarded_events"].to_string();
    assert!(events.contains("sample_rate") && events.contains("send_error"));
}

#[tokio::test]
async fn unsampled_transactions_are_reported_with_their_spans() {
    let server = Server::start(|_| OK);
    let transport = connect(&server);
    for reason in [SampleRate, Backpressure, SampleRate, SampleRate, SampleRate] {
        transport.unsampled(reason);
    }
    let report = transport.flush(LONG).await;
    assert_eq!(report.unsampled, 5);
    assert_report(&report, 0, &[], 0);
    let expected = [
        ("backpressure span", 1),
        ("backpressure transaction", 1),
        ("sample_rate span", 4),
        ("sample_rate transaction", 4),
    ];
    let expected = expected.map(|(key, count)| (key.to_owned(), count));
    assert_eq!(server.reported(), BTreeMap::from(expected));
    let [request] = &server.received()[..] else {
        panic!("one report, alone");
    };
    assert_eq!(request.envelope, serde_json::json!({}));

    transport.close(LONG).await;
    assert_eq!(server.received().len(), 1, "nothing is told twice");
}

#[tokio::test]
async fn losses_ride_along_with_the_next_envelope() {
    let server = Server::start(|_| OK);
    let transport = connect(&server);
    transport.discard(BufferOverflow, Category::Span, 40);
    transport.submit(fake(1));
    let report = transport.close(LONG).await;
    assert_tally(&report.spans, 3, &[(BufferOverflow, 40)], 0);
    let [request] = &server.received()[..] else {
        panic!("all in one envelope");
    };
    assert_eq!(request.items.len(), 2);
    assert_eq!(server.reported()["buffer_overflow span"], 40);
}

#[tokio::test]
async fn quantities_beyond_32_bits_are_split() {
    let server = Server::start(|_| OK);
    let transport = connect(&server);
    let quantity = u64::from(u32::MAX) * 2 + 5;
    transport.discard(SampleRate, Category::Span, quantity);
    transport.close(LONG).await;
    assert_eq!(server.reported()["sample_rate span"], quantity);
    let (_, report) = &server.received()[0].items[0];
    assert_eq!(report["discarded_events"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_report_that_did_not_arrive_is_told_again() {
    let server = Server::start(|number| if number < 2 { Act::Cut } else { OK });
    let transport = connect(&server);
    transport.unsampled(SampleRate);
    transport.flush(LONG).await;
    transport.flush(LONG).await;
    transport.close(LONG).await;
    let received = server.received();
    assert_eq!(received.len(), 3);
    for request in received {
        let events = &request.items[0].1["discarded_events"];
        assert_eq!(events[1]["quantity"], 1, "{events}");
    }
}

#[tokio::test]
async fn reports_can_be_turned_off() {
    let server = Server::start(|_| OK);
    let mut config = config(&server);
    config.send_client_reports = false;
    config.queue_items = 1;
    let transport = Transport::new(config, &Handle::current());
    transport.submit(fake(1));
    transport.submit(fake(2));
    transport.unsampled(SampleRate);
    let report = transport.close(LONG).await;
    assert_report(&report, 1, &[(QueueOverflow, 1)], 0);
    assert_eq!(report.unsampled, 1);
    assert_eq!(server.received().len(), 1);
    assert!(server.reported().is_empty());
}

/// Reads snapshots while everything moves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sums_hold_in_every_snapshot() {
    const LIMITS: &[(&str, &str)] = &[("X-Sentry-Rate-Limits", "1:span:key")];
    let server = Server::start(|number| match number % 7 {
        0 => Act::Cut,
        1 => Act::Answer(500, LIMITS),
        2 => Act::AnswerAndClose,
        _ => OK,
    });
    let mut config = config(&server);
    config.queue_items = 50;
    let transport = Arc::new(Transport::new(config, &Handle::current()));
    let theirs = Arc::clone(&transport);
    let submitting = tokio::task::spawn_blocking(move || {
        for number in 0..1000 {
            let mut payload = fake(number);
            payload.panics = number % 10 == 0;
            theirs.submit(payload);
            let stats = theirs.stats();
            assert_sums(&stats.transactions);
            assert_sums(&stats.spans);
        }
    });
    while !submitting.is_finished() {
        let report = transport.flush(Duration::from_millis(1)).await;
        assert_sums(&report.transactions);
        assert_sums(&report.spans);
    }
    submitting.await.unwrap();
    let report = transport.close(LONG).await;
    assert_eq!(report.transactions.sampled, 1000);
    assert_eq!(report.transactions.pending, 0, "{report}");
    assert_sums(&report.transactions);
    assert_eq!(report.spans.sampled, 3000);
}
