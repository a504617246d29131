//! What recording costs, operation by operation, with taskspan and with what else there is.
//!
//! `./bench` at the root runs this with everything else. All crates take turns at each operation
//! in each of many short rounds, so that a machine which slows down for a while slows down all of
//! them alike. Each crate sends to nowhere, and waits after its turn for its own threads.
//!
//! The floor is two readings of the clock that spans use: the least that a span can cost which
//! has a start and an end. With the feature `allocations` those are counted instead, since each
//! takes longer where it is counted.

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

use crate::report::{Allocations, Times};
use crate::scenario::{Peer, SPANS, Scenario, State};

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
    if cfg!(feature = "allocations") {
        allocations(&peers).print();
        return;
    }
    let times = times(&peers, if arguments.test { 1 } else { 200 });
    times.print();
    if let Some(directory) = &arguments.charts {
        times.draw(directory).expect("charts can be written");
    }
}

/// How long everything takes.
fn times(peers: &[Box<dyn Peer>], rounds: u32) -> Times {
    let mut times = Times {
        peers: names(peers),
        floor: Samples::default(),
        rows: scenario::recording().map(Row::new).collect(),
        serialised: scenario::serialising().map(Row::new).collect(),
    };
    for round in 0..WARM_UP + rounds {
        let warm = round >= WARM_UP;
        if warm {
            times.floor.push(two_readings());
        }
        for row in times.rows.iter_mut().chain(&mut times.serialised) {
            take_turns(peers, row, Meter::Time, warm);
        }
    }
    times
}

/// What everything allocates, which is the same each time.
fn allocations(peers: &[Box<dyn Peer>]) -> Allocations {
    let mut allocations = Allocations {
        peers: names(peers),
        rows: scenario::recording().map(Row::new).collect(),
        open: Row::new((Scenario::RetainedPerSpan, State::Sampled)),
        polls: Row::new((Scenario::RetainedPerPoll, State::Sampled)),
    };
    // What the threads of a runtime allocate is not counted.
    let rows = &mut allocations.rows;
    rows.retain(|row| row.scenario != Scenario::EightTasks);
    for round in 0..=WARM_UP {
        for row in &mut *rows {
            take_turns(peers, row, Meter::Allocations, round == WARM_UP);
        }
    }
    take_turns(peers, &mut allocations.open, Meter::Allocations, true);
    allocations.polls.samples = (0..peers.len()).map(retained_by_polls).collect();
    allocations
}

fn take_turns(peers: &[Box<dyn Peer>], row: &mut Row, meter: Meter, warm: bool) {
    row.samples.resize_with(peers.len(), Option::default);
    for (peer, samples) in peers.iter().zip(&mut row.samples) {
        let cost = peer.measure(row.scenario, row.state, meter);
        peer.settle();
        if let Some(cost) = cost
            && warm
        {
            samples.get_or_insert_default().push(cost);
        }
    }
}

/// What polls leave behind is somewhere in the process, which therefore has to be a fresh one.
fn retained_by_polls(peer: usize) -> Option<Samples> {
    let process = Process::start(&["polls", &peer.to_string()]).expect("it is this program");
    let ended = process
        .wait(Duration::from_secs(20))
        .expect("it prints text");
    let mut samples = Samples::default();
    samples.last.retained = ended.text.trim().parse().unwrap_or(f64::NAN);
    Some(samples)
}

fn print_retained_by_polls(peer: usize) {
    let cost = PEERS[peer]().measure(Scenario::RetainedPerPoll, State::Sampled, Meter::Time);
    println!("{}", cost.map_or(f64::NAN, |cost| cost.retained));
}

fn names(peers: &[Box<dyn Peer>]) -> Vec<&'static str> {
    peers.iter().map(|peer| peer.name()).collect()
}

impl Row {
    fn new((scenario, state): (Scenario, State)) -> Self {
        Self {
            scenario,
            state,
            samples: Vec::new(),
        }
    }
}

/// In so many rounds buffers are made that are used again from then on.
const WARM_UP: u32 = 2;

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
