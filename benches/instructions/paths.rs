//! The paths that are guarded.

use std::future::{Future, poll_fn, ready};
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use taskspan::{Client, Instrument, Options};
use tokio::runtime::Builder;
use tracing_subscriber::prelude::*;

pub(crate) struct Path {
    pub(crate) name: &'static str,
    sampled: bool,
    /// Takes it in what it belongs into.
    within: fn(Options, fn(u32)),
    /// Takes the path so many times.
    run: fn(u32),
}

pub(crate) const PATHS: &[Path] = &[
    in_transaction("sync child span, sampled", true, sync_spans),
    in_transaction("sync child span, unsampled", false, sync_spans),
    in_transaction("3 attributes, sampled", true, attributes),
    in_transaction("async child span, sampled", true, async_spans),
    in_transaction("async child span, unsampled", false, async_spans),
    in_transaction("one further poll, sampled", true, further_polls),
    in_transaction("one further poll, unsampled", false, further_polls),
    in_registry("tracing span, registry alone", tracing_spans),
    in_layer("tracing span, sampled", true, tracing_spans),
    in_layer("tracing span, unsampled", false, tracing_spans),
    in_registry(
        "tracing further poll, registry alone",
        tracing_further_polls,
    ),
    in_layer("tracing further poll, sampled", true, tracing_further_polls),
    in_layer(
        "tracing further poll, unsampled",
        false,
        tracing_further_polls,
    ),
    outside("empty transaction, sampled", true, transactions),
    outside("empty transaction, unsampled", false, transactions),
];

/// How often a path is taken, within what a transaction may have.
pub(crate) const TIMES: u32 = 500;

const fn in_transaction(name: &'static str, sampled: bool, run: fn(u32)) -> Path {
    path(name, sampled, within_transaction, run)
}

const fn in_layer(name: &'static str, sampled: bool, run: fn(u32)) -> Path {
    path(name, sampled, within_layer, run)
}

const fn in_registry(name: &'static str, run: fn(u32)) -> Path {
    path(name, true, within_registry, run)
}

const fn outside(name: &'static str, sampled: bool, run: fn(u32)) -> Path {
    path(name, sampled, within_client, run)
}

const fn path(
    name: &'static str,
    sampled: bool,
    within: fn(Options, fn(u32)),
    run: fn(u32),
) -> Path {
    Path {
        name,
        sampled,
        within,
        run,
    }
}

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

/// A transaction, and a subscriber with the layer.
fn within_layer(options: Options, run: fn(u32)) {
    let subscriber = tracing_subscriber::registry().with(taskspan::tracing::layer());
    tracing::subscriber::with_default(subscriber, || within_transaction(options, run));
}

/// A transaction, and a subscriber without the layer.
fn within_registry(options: Options, run: fn(u32)) {
    let subscriber = tracing_subscriber::registry();
    tracing::subscriber::with_default(subscriber, || within_transaction(options, run));
}

/// The transactions wait for a runtime that does nothing meanwhile.
fn within_client(options: Options, run: fn(u32)) {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("it is a plain one");
    let _entered = runtime.enter();
    let client = Client::new(options).expect("nothing is wrong with the options");
    for take in [warm_up, measured] {
        poll_once(async { take(run) }.with_client(&client));
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

fn sync_spans(times: u32) {
    for n in 0..times {
        taskspan::span("op", "description").in_scope(|_| black_box(n));
    }
}

fn attributes(times: u32) {
    taskspan::span("op", "description").in_scope(|span| {
        for n in 0..times {
            span.set_data("db.system.name", black_box("postgresql"));
            span.set_data("server.port", black_box(5432));
            span.set_data("rows", black_box(n));
        }
    });
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

fn tracing_spans(times: u32) {
    let _root = tracing::info_span!("root").entered();
    for n in 0..times {
        tracing::info_span!("op").in_scope(|| black_box(n));
    }
}

fn tracing_further_polls(times: u32) {
    let mut context = Context::from_waker(Waker::noop());
    let never = poll_fn(|_| black_box(Poll::<()>::Pending));
    let span = tracing::info_span!("op");
    let mut future = pin!(tracing::Instrument::instrument(never, span));
    for _ in 0..times {
        let _ = black_box(future.as_mut().poll(&mut context));
    }
}

fn transactions(times: u32) {
    for n in 0..times {
        poll_once(ready(n).in_transaction("op", "name"));
    }
}

fn poll_once(future: impl Future) {
    let _ = black_box(pin!(future).poll(&mut Context::from_waker(Waker::noop())));
}
