//! What recording costs, operation by operation, with taskspan and with what else there is.
//!
//! `./bench` at the root runs this with everything else. All crates take turns at each operation
//! in each of many short rounds, so that a machine which slows down for a while slows down all of
//! them alike. Each crate sends to nowhere, and waits after its turn for its own threads.
//!
//! The floor is two readings of the clock that spans use: the least that a span can cost which
//! has a start and an end. Allocations are counted apart from the time, but the allocator that
//! counts is there all the time, so that each allocation takes a nanosecond longer than it would.

#![allow(clippy::print_stdout, reason = "a program that prints tables")]

mod fastrace;
mod official;
mod report;
mod scenario;
mod taskspan;
mod tracing;
mod work;

use std::hint::black_box;
use std::time::Duration;

use support::arguments::Arguments;
use support::meter::{Cost, Meter, Samples};
use support::process::Process;

use crate::scenario::{Peer, SERIALISED, SPANS, Scenario, State};

/// An operation in a state, and what it costs with each of the peers.
pub(crate) struct Row {
    scenario: Scenario,
    state: State,
    samples: Vec<Option<Samples>>,
}

fn main() {
    let arguments = Arguments::read();
    if let [role, peer] = &arguments.others[..]
        && role == "polls"
    {
        return print_retained_by_polls(peer.parse().expect("it comes from below"));
    }
    let peers: Vec<Box<dyn Peer>> = PEERS.iter().map(|new| new()).collect();
    let rounds = if arguments.test { 1 } else { 200 };
    let timed = scenario::timed();
    let serialised = SERIALISED.map(|scenario| (scenario, State::Sampled));
    let row = |&(scenario, state): &(Scenario, State)| Row {
        scenario,
        state,
        samples: Vec::new(),
    };
    let mut rows: Vec<Row> = timed.iter().chain(&serialised).map(row).collect();
    let mut floor = Samples::default();
    // What happens in the first two makes buffers that are used again from then on.
    for round in 0..rounds + 2 {
        let warm = round >= 2;
        if warm {
            floor.push(two_readings());
        }
        for row in &mut rows {
            take_turns(&peers, row, warm);
        }
    }
    let mut retained = vec![row(&(Scenario::RetainedPerSpan, State::Sampled))];
    for row in rows.iter_mut().chain(&mut retained) {
        count_allocations(&peers, row);
    }
    let polls = (0..peers.len()).map(|peer| Some(retained_by_polls(peer)));
    retained.push(Row {
        samples: polls.collect(),
        ..row(&(Scenario::RetainedPerPoll, State::Sampled))
    });
    let report = report::Report {
        peers: peers.iter().map(|peer| peer.name()).collect(),
        floor,
        rows,
        retained,
    };
    report.print();
    if let Some(directory) = &arguments.charts {
        report.draw(directory).expect("charts can be written");
    }
}

fn take_turns(peers: &[Box<dyn Peer>], row: &mut Row, warm: bool) {
    row.samples.resize_with(peers.len(), Option::default);
    for (peer, samples) in peers.iter().zip(&mut row.samples) {
        let cost = peer.measure(row.scenario, row.state, Meter::Time);
        peer.settle();
        if let Some(cost) = cost
            && warm
        {
            samples.get_or_insert_default().push(cost);
        }
    }
}

fn count_allocations(peers: &[Box<dyn Peer>], row: &mut Row) {
    row.samples.resize_with(peers.len(), Option::default);
    for (peer, samples) in peers.iter().zip(&mut row.samples) {
        if let Some(cost) = peer.measure(row.scenario, row.state, Meter::Allocations) {
            samples.get_or_insert_default().allocated = cost;
        }
        peer.settle();
    }
}

/// What polls leave behind is somewhere in the process, which therefore has to be a fresh one.
fn retained_by_polls(peer: usize) -> Samples {
    let process = Process::start(&["polls", &peer.to_string()]).expect("it is this program");
    let ended = process
        .wait(Duration::from_secs(20))
        .expect("it prints text");
    let mut samples = Samples::default();
    samples.allocated.retained = ended.text.trim().parse().unwrap_or(f64::NAN);
    samples
}

fn print_retained_by_polls(peer: usize) {
    let cost = PEERS[peer]().measure(
        Scenario::RetainedPerPoll,
        State::Sampled,
        Meter::Allocations,
    );
    println!("{}", cost.map_or(f64::NAN, |cost| cost.retained));
}

/// taskspan first.
const PEERS: [fn() -> Box<dyn Peer>; 5] = [
    || Box::new(taskspan::Taskspan::new()),
    || Box::new(official::Official::new()),
    || Box::new(tracing::Tracing::sentry()),
    || Box::new(fastrace::Fastrace::new()),
    || Box::new(tracing::Tracing::opentelemetry()),
];

/// The least that a span costs.
fn two_readings() -> Cost {
    let clock = quanta::Clock::new();
    Meter::Time.repeat(SPANS, |_| {
        black_box(clock.raw());
        black_box(clock.raw());
    })
}
