//! The paths that are guarded.

use std::future::{Future, poll_fn, ready};
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use taskspan::{Instrument, Options};

pub(crate) struct Path {
    pub(crate) name: &'static str,
    sampled: bool,
    /// Takes the path so many times.
    run: fn(u32),
}

pub(crate) const PATHS: &[Path] = &[
    path("sync child span, sampled", true, sync_spans),
    path("sync child span, unsampled", false, sync_spans),
    path("async child span, sampled", true, async_spans),
    path("async child span, unsampled", false, async_spans),
    path("one further poll, sampled", true, further_polls),
    path("one further poll, unsampled", false, further_polls),
];

/// How often a path is taken, within what a transaction may have.
pub(crate) const TIMES: u32 = 500;

const fn path(name: &'static str, sampled: bool, run: fn(u32)) -> Path {
    Path { name, sampled, run }
}

/// Takes a path, so that what is counted is a warm service: once before, and then measured.
pub(crate) fn run(name: &str) {
    let path = PATHS.iter().find(|path| path.name == name);
    let path = path.expect("the name comes from the list");
    let rate = if path.sampled { 1.0 } else { 0.0 };
    let (client, sent) = taskspan::test::client(Options::default().traces_sample_rate(rate));
    let in_transaction = |take: fn(fn(u32))| {
        let work = async { take(path.run) };
        poll_once(work.in_transaction("bench", "bench").with_client(&client));
        drop(sent.take());
    };
    in_transaction(|run| run(TIMES));
    in_transaction(measured);
}

/// The function in which instructions are counted, by its name.
#[inline(never)]
fn measured(run: fn(u32)) {
    run(TIMES);
}

fn sync_spans(times: u32) {
    for n in 0..times {
        taskspan::span("op", "description").in_scope(|_| black_box(n));
    }
}

fn async_spans(times: u32) {
    for n in 0..times {
        poll_once(ready(n).in_span("op", "description"));
    }
}

fn further_polls(times: u32) {
    let mut context = Context::from_waker(Waker::noop());
    let mut future = pin!(poll_fn(|_| black_box(Poll::<()>::Pending)).in_span("op", "description"));
    for _ in 0..times {
        let _ = black_box(future.as_mut().poll(&mut context));
    }
}

fn poll_once(future: impl Future) {
    let _ = black_box(pin!(future).poll(&mut Context::from_waker(Waker::noop())));
}
