//! No program, however wrong, records a tree of spans for which a server would refuse a transaction.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[path = "support/checker.rs"]
mod checker;
#[path = "support/program.rs"]
mod program;

use std::thread;
use std::time::{Duration, SystemTime};

use proptest::test_runner::{Config, TestRunner};
use taskspan::{DiscardReason, DropReason, Instrument, Options};

use crate::checker::Wire;
use crate::program::{Outcome, Program};

/// Runs a program, and checks what it would have sent.
fn check(program: &Program, threads: usize) {
    let (client, sent) = taskspan::test::client(
        Options::default()
            .traces_sample_rate(1.0)
            .max_spans(program.max_spans)
            .release("shop@2.3.1"),
    );
    let outcome = program.run(&client, threads);
    let report = client.stats();
    let refused = DropReason::Discarded(DiscardReason::BufferOverflow);
    let dropped = report.spans.dropped_because(refused);
    let wire = Wire::of(sent.take());
    wire.check(program.max_spans, dropped);

    let Outcome {
        transactions,
        spans,
        is_known,
    } = outcome;
    assert_eq!(dropped, report.spans.dropped());
    assert_eq!(report.spans.accepted, wire.spans());
    if !program.sampled {
        assert_eq!((wire.spans(), dropped), (0, 0));
        assert_eq!(report.unsampled, transactions);
        return;
    }
    assert_eq!(report.unsampled, 0);
    // A task that outlived its transaction with several spans has another around them.
    let around = wire.payloads.iter().filter(|payload| {
        let root = payload["contexts"]["trace"]["span_id"].as_str().unwrap();
        !is_known(root)
    });
    // With several threads nobody knows which came first, the start of a span or the end of its transaction.
    if threads == 1 {
        assert_eq!(
            wire.spans() + dropped,
            transactions + spans + around.count() as u64,
            "{transactions} transactions and {spans} spans were started, {dropped} dropped"
        );
    }
}

fn check_many(cases: u32, threads: usize) {
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 4_000,
        ..Config::default()
    };
    let run = move || {
        let result = TestRunner::new(config).run(&program::program(), |program| {
            check(&program, threads);
            Ok(())
        });
        result.map_err(|error| error.to_string())
    };
    // Programs and values nest deeply, which takes more than a test's stack.
    let thread = thread::Builder::new().stack_size(64 << 20).spawn(run);
    if let Err(failure) = thread.unwrap().join().unwrap() {
        panic!("{failure}");
    }
}

#[test]
fn a_span_that_makes_a_server_refuse_the_transaction_is_never_written() {
    check_many(500, 1);
}

#[test]
fn nor_is_it_where_tasks_run_at_the_same_time() {
    check_many(100, 4);
}

#[tokio::test]
async fn spans_that_started_before_a_parent_over_the_limit_move_up_to_one_that_is_there() {
    let options = Options::disabled().traces_sample_rate(1.0).max_spans(10);
    let (client, sent) = taskspan::test::client(options);
    async {
        let past = SystemTime::now() - Duration::from_secs(60);
        for _ in 0..20 {
            let child = taskspan::spawn(async move {
                let above = taskspan::span("a", "now").start();
                let parent = above.start_child("a", "below");
                let child = taskspan::span("a", "past").child_of(&parent);
                child.start_time(past).start().finish();
            });
            child.await.unwrap();
        }
    }
    .in_transaction("task", "t")
    .with_client(&client)
    .await;
    let wire = Wire::of(sent.take());
    let dropped = client.stats().spans.dropped();
    wire.check(10, dropped);
    assert_eq!(wire.spans() + dropped, 61);
    let spans = wire.payloads[0]["spans"].as_array().unwrap();
    assert!(spans.iter().any(|span| span["description"] == "past"));
}
