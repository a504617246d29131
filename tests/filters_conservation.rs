//! Whatever filters are combined, everything ends in exactly one number, here and at the server.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::future::ready;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use taskspan::local::Receiver;
use taskspan::protocol::Transaction;
use taskspan::{Client, DeliveryReport, Instrument, Options, SpanRule};
use tokio::task::yield_now;

const SOON: Duration = Duration::from_secs(20);

/// What a callback does, to transactions of some names.
#[derive(Clone, Copy, Debug)]
enum Act {
    Keep,
    Drop,
    Panic,
    Remove(usize),
    Add,
}

/// A client's filters.
#[derive(Clone, Debug)]
struct Filters {
    /// What each event processor does to the transaction of which name.
    processors: Vec<(Act, u8)>,
    before_send: Option<(Act, u8)>,
    /// How often the last hook lets others go first.
    yields: u8,
    panics_on_span: bool,
    ignored_name: Option<u8>,
    ignored_spans: Option<u8>,
    ignored_code: Option<u16>,
    min_span_duration: bool,
    max_spans: usize,
}

/// A transaction: its name, and the depths of its spans.
type Work = (u8, Vec<u8>);

fn act() -> impl Strategy<Value = (Act, u8)> {
    let act = prop_oneof![
        Just(Act::Keep),
        Just(Act::Drop),
        Just(Act::Panic),
        (0_usize..4).prop_map(Act::Remove),
        Just(Act::Add),
    ];
    (act, 0..4_u8)
}

fn filters() -> impl Strategy<Value = Filters> {
    let callbacks = (
        prop::collection::vec(act(), 0..3),
        prop::option::of(act()),
        0..3_u8,
        any::<bool>(),
    );
    let lists = (
        prop::option::of(0..4_u8),
        prop::option::of(0..5_u8),
        prop::option::of(200..204_u16),
        any::<bool>(),
        1..6_usize,
    );
    (callbacks, lists).prop_map(|(callbacks, lists)| {
        let (processors, before_send, yields, panics_on_span) = callbacks;
        let (ignored_name, ignored_spans, ignored_code, min_span_duration, max_spans) = lists;
        Filters {
            processors,
            before_send,
            yields,
            panics_on_span,
            ignored_name,
            ignored_spans,
            ignored_code,
            min_span_duration,
            max_spans,
        }
    })
}

impl Act {
    fn on(self, mut transaction: Transaction, name: u8) -> Option<Transaction> {
        if transaction.name != name.to_string() {
            return Some(transaction);
        }
        match self {
            Self::Keep => {}
            Self::Drop => return None,
            Self::Panic => panic!("as the test wants it"),
            Self::Remove(number) => {
                let number = number.min(transaction.spans.len());
                transaction.spans.drain(..number);
            }
            Self::Add => {
                if let Some(span) = transaction.spans.first() {
                    let mut added = span.clone();
                    added.span_id = "0000000000000001".parse().unwrap();
                    transaction.spans.push(added);
                }
            }
        }
        Some(transaction)
    }
}

impl Filters {
    fn options(&self, dsn: &str) -> Options {
        let mut options = Options::new(dsn)
            .unwrap()
            .traces_sample_rate(1.0)
            .max_spans(self.max_spans)
            .ignore_transactions(self.ignored_name.map(|name| name.to_string()))
            .ignore_spans(
                self.ignored_spans
                    .map(|op| SpanRule::new().op(op.to_string())),
            )
            .trace_ignore_status_codes(self.ignored_code.map(|code| code..=code));
        for (act, name) in self.processors.clone() {
            options = options.event_processor(move |transaction| act.on(transaction, name));
        }
        if self.panics_on_span {
            options = options.before_send_span(|span| assert_ne!(span.op, "1"));
        }
        if self.min_span_duration {
            options = options.min_span_duration(Duration::from_secs(60));
        }
        if let Some((act, name)) = self.before_send {
            let yields = self.yields;
            options = options.before_send_transaction(move |transaction| async move {
                for _ in 0..yields {
                    yield_now().await;
                }
                act.on(transaction, name)
            });
        }
        options
    }
}

/// Starts spans, each one a level below or beside the last.
fn spans(depths: &[u8]) {
    if let Some((depth, rest)) = depths.split_first() {
        let span = taskspan::span(depth.to_string(), "span");
        if *depth % 2 == 0 {
            span.in_scope(|_| spans(rest));
        } else {
            span.in_scope(|_| ());
            spans(rest);
        }
    }
}

async fn run(filters: &Filters, work: &[Work]) -> (DeliveryReport, Receiver) {
    let receiver = Receiver::start().await.unwrap();
    let client = Client::new(filters.options(&receiver.dsn())).unwrap();
    for (name, depths) in work {
        async {
            let root = taskspan::current_transaction().unwrap();
            root.set_data("http.response.status_code", 200 + u16::from(*name));
            spans(depths);
        }
        .in_transaction("task", name.to_string())
        .with_client(&client)
        .await;
        ready(()).await;
    }
    (client.close(SOON).await, receiver)
}

#[test]
fn what_is_filtered_is_counted_once_on_both_sides() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let config = Config {
        cases: 200,
        failure_persistence: None,
        ..Config::default()
    };
    let work = prop::collection::vec((0..4_u8, prop::collection::vec(0..5_u8, 0..8)), 0..6);
    let result = TestRunner::new(config).run(&(filters(), work), |(filters, work)| {
        let (report, receiver) = runtime.block_on(run(&filters, &work));
        let counts = receiver.counts();
        let started: usize = work.iter().map(|(_, depths)| depths.len() + 1).sum();
        prop_assert_eq!(report.transactions.sampled, work.len() as u64);
        prop_assert!(report.spans.sampled >= started as u64);
        for (tally, category, arrived) in [
            (&report.transactions, "transaction", counts.transactions),
            (&report.spans, "span", counts.spans),
        ] {
            let sum = tally.accepted + tally.dropped() + tally.pending;
            prop_assert_eq!(tally.sampled, sum);
            prop_assert_eq!(tally.pending, 0);
            prop_assert_eq!(tally.accepted, arrived);
            for (reason, count) in tally.drops() {
                prop_assert_eq!(counts.discarded(reason.as_str(), category), count);
            }
            let told = counts.iter_discarded().filter(|it| it.1 == category);
            prop_assert_eq!(told.map(|it| it.2).sum::<u64>(), tally.dropped());
        }
        Ok(())
    });
    result.unwrap();
}
