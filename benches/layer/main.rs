//! What the layer for `tracing` costs beside the registry that it needs, and beside its peers.
//!
//! `./bench` at the root runs this with everything else. As in `span/`, all take turns in many
//! short rounds, and with the feature `allocations` those are counted instead. The registry alone
//! has no layer at all: it keeps spans and never looks at them. What `tracing` itself adds for
//! any layer is what the empty one costs. No subscriber has a filter.

#![allow(clippy::print_stdout, reason = "a program that prints tables")]

mod peers;

use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use support::arguments::Arguments;
use support::meter::{Cost, Meter, Samples};
use support::table::{Table, number};
use tracing::{Instrument, info_span};

use crate::peers::{PEERS, Peer};

/// What a program does with spans.
#[derive(Clone, Copy, PartialEq)]
enum Operation {
    /// A span around synchronous work: made, entered, left and closed.
    Span,
    /// The same with one string and two integers.
    Fields,
    /// One more poll of a future with a span.
    FurtherPoll,
    /// The same where the span has nothing above it.
    FurtherPollOfRoot,
}

fn main() {
    let arguments = Arguments::read();
    let counts = cfg!(feature = "allocations");
    let meter = match counts {
        true => Meter::Allocations,
        false => Meter::Time,
    };
    let rounds = if arguments.test || counts { 1 } else { 200 };
    let peers: Vec<Peer> = PEERS.iter().map(|new| new()).collect();
    let mut rows = Vec::new();
    for sampled in [true, false] {
        for operation in OPERATIONS {
            rows.push((operation, sampled, vec![Samples::default(); peers.len()]));
        }
    }
    for round in 0..WARM_UP + rounds {
        for (operation, sampled, samples) in &mut rows {
            for (peer, samples) in peers.iter().zip(samples) {
                let cost = peer.measure(*operation, *sampled, meter);
                if round >= WARM_UP {
                    samples.push(cost);
                }
            }
        }
    }
    println!("## The layer for tracing\n");
    let names: Vec<_> = peers.iter().map(|peer| peer.name).collect();
    let mut table = Table::with_columns(["operation", "state"], &names);
    for (operation, sampled, samples) in &rows {
        let state = if *sampled { "sampled" } else { "unsampled" };
        let alone = samples[0].median();
        let cells = samples.iter().map(|samples| match counts {
            true => number(samples.last.allocations),
            false => {
                let time = samples.median();
                format!("{} ({:.2}×)", number(time), time / alone)
            }
        });
        let head = [operation.name(), state].map(str::to_owned);
        table.row(head.into_iter().chain(cells));
    }
    match counts {
        true => println!("Allocations for one operation.\n"),
        false => println!("Nanoseconds, medians, and how many times that of the registry alone.\n"),
    }
    table.print();
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Self::Span => "span",
            Self::Fields => "span with 3 fields",
            Self::FurtherPoll => "one further poll",
            Self::FurtherPollOfRoot => "one further poll of a root",
        }
    }

    /// Measures it in what is current.
    fn measure(self, meter: Meter) -> Cost {
        match self {
            Self::Span => meter.repeat(SPANS, |n| {
                info_span!("op").in_scope(|| {
                    black_box(n);
                });
            }),
            Self::Fields => meter.repeat(SPANS, |n| {
                let span = info_span!(
                    "op",
                    db.system.name = black_box("postgresql"),
                    server.port = black_box(5432),
                    rows = black_box(n),
                );
                span.in_scope(|| {
                    black_box(n);
                });
            }),
            Self::FurtherPoll | Self::FurtherPollOfRoot => {
                let never = poll_fn(|_| black_box(Poll::<()>::Pending));
                let mut future = pin!(never.instrument(info_span!("op")));
                let mut context = Context::from_waker(Waker::noop());
                let _ = future.as_mut().poll(&mut context);
                meter.repeat(SPANS, |_| {
                    let _ = black_box(future.as_mut().poll(&mut context));
                })
            }
        }
    }
}

/// In so many rounds buffers are made that are used again from then on.
const WARM_UP: u32 = 2;

/// How many spans there are in a transaction, and how often anything else is repeated.
const SPANS: u32 = 100;

const OPERATIONS: [Operation; 4] = [
    Operation::Span,
    Operation::Fields,
    Operation::FurtherPoll,
    Operation::FurtherPollOfRoot,
];
