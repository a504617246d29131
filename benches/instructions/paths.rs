//! The paths that are guarded, and what they are taken in.

#[cfg(feature = "tracing")]
mod layer;
#[cfg(not(feature = "tracing"))]
mod native;

use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Waker};

use taskspan::{Instrument, Options};

#[cfg(feature = "tracing")]
pub(crate) use self::layer::PATHS;
#[cfg(not(feature = "tracing"))]
pub(crate) use self::native::PATHS;

pub(crate) struct Path {
    pub(crate) name: &'static str,
    sampled: bool,
    /// Takes it in what it belongs into.
    within: fn(Options, fn(u32)),
    /// Takes the path so many times.
    run: fn(u32),
}

/// How often a path is taken, within what a transaction may have.
pub(crate) const TIMES: u32 = 500;

/// Takes a path, so that what is counted is a warm service: once before, and then measured.
pub(crate) fn run(name: &str) {
    let path = PATHS.iter().find(|path| path.name == name);
    let path = path.expect("the name comes from the list");
    let rate = if path.sampled { 1.0 } else { 0.0 };
    // Where transactions are delivered to, there is nobody.
    let options = Options::new("http://key@127.0.0.1:9/1").expect("it is valid");
    (path.within)(options.traces_sample_rate(rate), path.run);
}

fn within_transaction(options: Options, run: fn(u32)) {
    let (client, sent) = taskspan::test::client(options);
    for take in [warm_up, measured] {
        let work = async { take(run) };
        poll_once(work.in_transaction("bench", "bench").with_client(&client));
        drop(sent.take());
    }
}

fn warm_up(run: fn(u32)) {
    run(TIMES);
}

/// The function in which instructions are counted, by its name.
#[inline(never)]
fn measured(run: fn(u32)) {
    run(TIMES);
}

fn poll_once(future: impl Future) {
    let _ = black_box(pin!(future).poll(&mut Context::from_waker(Waker::noop())));
}
