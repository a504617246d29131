//! The guarded paths, and what surrounds them while they run.

#[cfg(not(feature = "tracing"))]
mod fastrace;
#[cfg(feature = "tracing")]
mod layer;
#[cfg(not(feature = "tracing"))]
mod native;
#[cfg(not(feature = "tracing"))]
mod rows;
#[cfg(not(feature = "tracing"))]
mod work;

use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Waker};

use taskspan::{Instrument, Options};

#[cfg(feature = "tracing")]
pub(crate) use self::layer::PATHS;
#[cfg(not(feature = "tracing"))]
pub(crate) use self::rows::PATHS;

/// A row of the table.
pub(crate) struct Path {
    pub(crate) name: &'static str,
    /// The number of instructions to get down to.
    pub(crate) budget: Option<f64>,
    /// How often it is taken: with no more spans than a transaction may have.
    pub(crate) times: u32,
    sampled: bool,
    taskspan: Work,
    fastrace: Option<Work>,
}

/// What one crate does for a row.
struct Work {
    /// Runs a function in a client, a transaction, or whatever else the path needs around it.
    within: fn(sampled: bool, Repeat),
    /// Takes the path so many times.
    run: fn(u32),
}

/// Whose instructions are counted.
#[derive(Clone, Copy)]
pub(crate) enum Crate {
    Taskspan,
    Fastrace,
}

/// Takes a path `times` times.
#[derive(Clone, Copy)]
struct Repeat {
    run: fn(u32),
    times: u32,
}

/// How often most paths are taken.
const TIMES: u32 = 500;

impl Path {
    fn work(&self, of: Crate) -> Option<&Work> {
        match of {
            Crate::Taskspan => Some(&self.taskspan),
            Crate::Fastrace => self.fastrace.as_ref(),
        }
    }

    pub(crate) fn is_in(&self, of: Crate) -> bool {
        self.work(of).is_some()
    }
}

impl Crate {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Taskspan => "taskspan",
            Self::Fastrace => "fastrace",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        let mut all = [Self::Taskspan, Self::Fastrace].into_iter();
        all.find(|of| of.name() == name)
    }
}

/// Takes a path as a warm service does: once before it counts, and then measured.
pub(crate) fn run(of: &str, name: &str) {
    let path = PATHS.iter().find(|path| path.name == name);
    let path = path.expect("the name comes from the list");
    let work = Crate::from_name(of).and_then(|of| path.work(of));
    let work = work.expect("only what a crate has is counted");
    let repeat = Repeat {
        run: work.run,
        times: path.times,
    };
    (work.within)(path.sampled, repeat);
}

fn within_transaction(sampled: bool, path: Repeat) {
    let (client, sent) = taskspan::test::client(options(sampled));
    for take in [warm_up, measured] {
        let work = async { take(path) };
        poll_once(work.in_transaction("bench", "bench").with_client(&client));
        drop(sent.take());
    }
}

fn options(sampled: bool) -> Options {
    // No server listens there.
    let options = Options::new("http://key@127.0.0.1:9/1").expect("it is valid");
    options.traces_sample_rate(if sampled { 1.0 } else { 0.0 })
}

fn warm_up(path: Repeat) {
    (path.run)(path.times);
}

/// The function in which instructions are counted, by its name.
#[inline(never)]
fn measured(path: Repeat) {
    (path.run)(path.times);
}

fn poll_once(future: impl Future) {
    let _ = black_box(pin!(future).poll(&mut Context::from_waker(Waker::noop())));
}
