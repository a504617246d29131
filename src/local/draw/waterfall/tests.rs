//! Drawings, compared character by character.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proptest::prelude::*;
use serde_json::{Map, Value};

use super::*;
use crate::local::decode::ReceivedSpan;

/// A span from and to so many microseconds after the start of the transaction.
fn span(id: u64, parent: u64, text: (&str, &str), from: u64, to: u64) -> ReceivedSpan {
    ReceivedSpan {
        trace_id: "3f0c2a9be41d4f7c9a60b1d2c3e4f506".parse().unwrap(),
        span_id: crate::SpanId::from_bits(id).unwrap(),
        parent_span_id: crate::SpanId::from_bits(parent),
        op: text.0.to_owned(),
        description: text.1.to_owned(),
        status: Some(SpanStatus::Ok),
        start: at(from),
        end: at(to),
        data: Map::new(),
        tags: BTreeMap::new(),
    }
}

fn at(micros: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_795_169_730) + Duration::from_micros(micros)
}

/// A transaction of 48.2 ms whose root span is number 1.
fn transaction(spans: Vec<ReceivedSpan>) -> ReceivedTransaction {
    ReceivedTransaction {
        event_id: "5a1c9f3e7b2d4c60a8e1f4d39b7c2e10".parse().unwrap(),
        trace_id: "3f0c2a9be41d4f7c9a60b1d2c3e4f506".parse().unwrap(),
        span_id: crate::SpanId::from_bits(1).unwrap(),
        parent_span_id: None,
        name: "checkout".to_owned(),
        op: "task".to_owned(),
        status: Some(SpanStatus::Ok),
        start: at(0),
        end: at(48_200),
        tags: BTreeMap::new(),
        contexts: Map::new(),
        spans,
        sampling_context: BTreeMap::new(),
        payload: Value::Null,
    }
}

fn checkout() -> ReceivedTransaction {
    let query = ("db.query", "SELECT * FROM items WHERE id = $1");
    let mut put = span(4, 1, ("http.client", "PUT /items"), 18_000, 40_000);
    put.status = Some(SpanStatus::Cancelled);
    transaction(vec![
        put,
        span(2, 1, query, 2_000, 14_100),
        span(3, 2, ("db.connect", ""), 2_000, 5_000),
        span(5, 1, ("", "render"), 47_900, 48_200),
    ])
}

#[track_caller]
fn assert_drawn(transaction: &ReceivedTransaction, width: usize, expected: &str) {
    let drawn = Waterfall::new(transaction).width(width).to_string();
    let expected = expected.trim_start_matches('\n').trim_end();
    assert_eq!(drawn, expected, "\n{drawn}\n");
    for line in drawn.lines() {
        let columns = super::width(line);
        assert!(columns <= width, "{columns} columns: {line}");
    }
}

#[test]
fn spans_are_bars_below_their_parents() {
    assert_drawn(
        &checkout(),
        80,
        "
task · checkout                             48.2 ms  ok  trace 3f0c2a9b  4 spans
                                  0                  48.2 ms
├─ db.query  SELECT * FROM item…   ███████                    12.1 ms
│  └─ db.connect                   ██                         3.00 ms
├─ http.client  PUT /items                 ▐████████████      22.0 ms  cancelled
└─ render                                                  ▐   300 µs
        ",
    );
}

#[test]
fn a_wide_terminal_has_room_for_descriptions_and_finer_bars() {
    assert_drawn(&checkout(), 120, "
task · checkout                                                                     48.2 ms  ok  trace 3f0c2a9b  4 spans
                                                0                      24.1 ms               48.2 ms
├─ db.query  SELECT * FROM items WHERE id = $1    █████████████▌                                      12.1 ms
│  └─ db.connect                                  ███▌                                                3.00 ms
├─ http.client  PUT /items                                         ████████████████████████▌          22.0 ms  cancelled
└─ render                                                                                          ▐   300 µs
        ");
}

#[test]
fn statuses_bars_and_branches_have_colours() {
    let mut failed = span(2, 1, ("db.query", "SELECT 1"), 0, 48_200);
    failed.status = Some(SpanStatus::InternalError);
    let transaction = transaction(vec![failed]);
    let drawn = Waterfall::new(&transaction)
        .width(60)
        .color(true)
        .to_string();
    let lines: Vec<_> = drawn.lines().collect();
    assert_eq!(
        lines,
        [
            "task · \x1b[1mcheckout\x1b[0m          \x1b[1m48.2 ms\x1b[0m  \x1b[32mok\x1b[0m  \
                 \x1b[2mtrace 3f0c2a9b\x1b[0m  \x1b[2m1 span\x1b[0m",
            "                       \x1b[2m0\x1b[0m    \x1b[2m48.2 ms\x1b[0m",
            "\x1b[2m└─ \x1b[0m\x1b[1mdb.query\x1b[0m  SELECT 1  \x1b[31m████████████\x1b[0m  \
                 48.2 ms  \x1b[31minternal_error\x1b[0m",
        ],
    );
}

#[test]
fn a_transaction_without_spans_is_one_line() {
    let mut empty = transaction(Vec::new());
    empty.op.clear();
    empty.name.clear();
    empty.status = None;
    assert_drawn(
        &empty,
        80,
        "
<unlabeled transaction>                         48.2 ms  trace 3f0c2a9b  0 spans
        ",
    );
}

#[test]
fn spans_without_a_place_hang_below_the_root() {
    let transaction = transaction(vec![
        span(2, 99, ("orphan", ""), 30_000, 40_000),
        span(3, 2, ("child", "of the orphan"), 31_000, 32_000),
        span(4, 5, ("circle", "one"), 10_000, 20_000),
        span(5, 4, ("circle", "two"), 11_000, 19_000),
        span(6, 6, ("own parent", ""), 41_000, 42_000),
        span(7, 0, ("no parent", ""), 0, 5_000),
    ]);
    assert_drawn(
        &transaction,
        80,
        "
task · checkout                             48.2 ms  ok  trace 3f0c2a9b  6 spans
                            0                 24.1 ms           48.2 ms
├─ no parent                ████▌                                        5.00 ms
├─ ? circle  one                    ▐█████████                           10.0 ms
│  └─ circle  two                    ▐███████                            8.00 ms
├─ ? orphan                                           ▐█████████         10.0 ms
│  └─ child  of the orphan                             ▐█                1.00 ms
└─ ? own parent                                                 ▐▌       1.00 ms
        ",
    );
}

#[test]
fn deep_trees_stop_to_move_right() {
    let chain =
        (2..=14).map(|id| span(id, id - 1, ("op", &format!("level {}", id - 1)), id, 48_200));
    assert_drawn(
        &transaction(chain.collect()),
        80,
        "
task · checkout                            48.2 ms  ok  trace 3f0c2a9b  13 spans
                                0               24.1 ms         48.2 ms
└─ op  level 1                  ███████████████████████████████████████  48.2 ms
   └─ op  level 2               ███████████████████████████████████████  48.2 ms
      └─ op  level 3            ███████████████████████████████████████  48.2 ms
         └─ op  level 4         ███████████████████████████████████████  48.2 ms
            └─ op  level 5      ███████████████████████████████████████  48.2 ms
               +1 op  level 6   ███████████████████████████████████████  48.2 ms
               +2 op  level 7   ███████████████████████████████████████  48.2 ms
               +3 op  level 8   ███████████████████████████████████████  48.2 ms
               +4 op  level 9   ███████████████████████████████████████  48.2 ms
               +5 op  level 10  ███████████████████████████████████████  48.2 ms
               +6 op  level 11  ███████████████████████████████████████  48.2 ms
               +7 op  level 12  ███████████████████████████████████████  48.2 ms
               +8 op  level 13  ███████████████████████████████████████  48.2 ms
        ",
    );
}

#[test]
fn a_chain_of_any_length_is_drawn() {
    let count = 50_000;
    let chain = (2..count).map(|id| span(id, id - 1, ("op", ""), 0, 1));
    let drawn = Waterfall::new(&transaction(chain.collect())).to_string();
    assert_eq!(drawn.lines().count() as u64, count);
}

#[test]
fn texts_from_outside_cannot_control_the_terminal() {
    let mut transaction = transaction(vec![span(
        2,
        1,
        ("\x1b[31mop", "a\nb\x07 日本語日本語日本語日本語"),
        0,
        48_200,
    )]);
    transaction.name = "\x1b]0;title\x07".to_owned();
    assert_drawn(
        &transaction,
        80,
        "
task · ␛]0;title␇                            48.2 ms  ok  trace 3f0c2a9b  1 span
                                  0              24.1 ms        48.2 ms
└─ ␛[31mop  a b␇ 日本語日本語日…  █████████████████████████████████████  48.2 ms
        ",
    );
}

#[test]
fn every_bar_is_on_the_axis() {
    // One of no length at each end, and some beyond the transaction.
    let transaction = transaction(vec![
        span(2, 1, ("first", ""), 0, 0),
        span(3, 1, ("last", ""), 96_400, 96_400),
        span(4, 1, ("late", ""), 40_000, 96_400),
    ]);
    assert_drawn(
        &transaction,
        60,
        "
task · checkout         48.2 ms  ok  trace 3f0c2a9b  3 spans
          0                48.2 ms          96.4 ms
├─ first  ▌                                             0 µs
├─ late                    ████████████████████████  56.4 ms
└─ last                                           ▐     0 µs
        ",
    );
    let mut instant = transaction;
    instant.end = instant.start;
    instant.spans.truncate(1);
    assert_drawn(
        &instant,
        60,
        "
task · checkout             0 µs  ok  trace 3f0c2a9b  1 span
          0                 0 µs               0 µs
└─ first  ▌                                             0 µs
        ",
    );
}

#[test]
fn long_names_leave_room_for_the_facts() {
    let mut transaction = transaction(Vec::new());
    transaction.name = "a name of many words ".repeat(10);
    transaction.status = Some(SpanStatus::ResourceExhausted);
    assert_drawn(
        &transaction,
        60,
        "
task · a name of many words a…   48.2 ms  resource_exhausted
        ",
    );
}

proptest! {
    #[test]
    fn any_tree_is_drawn_whole_and_within_the_width(
        spans in proptest::collection::vec(
            (1..12_u64, 0..12_u64, "\\PC{0,40}", "\\PC{0,60}", 0..60_000_u64, 0..90_000_u64),
            1..30,
        ),
        columns in prop_oneof![0..200_usize, Just(usize::MAX)],
    ) {
        let count = spans.len();
        let spans = spans.into_iter().map(|(id, parent, op, description, from, length)| {
            span(id, parent, (&op, &description), from, from + length)
        });
        let drawn = Waterfall::new(&transaction(spans.collect())).width(columns).to_string();
        prop_assert_eq!(drawn.lines().count(), count + 2);
        for line in drawn.lines() {
            prop_assert!(super::width(line) <= columns.max(MIN_WIDTH), "{}", line);
        }
    }
}
