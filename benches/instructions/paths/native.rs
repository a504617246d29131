//! What programs call themselves.

use std::future::{Future, poll_fn, ready};
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use taskspan::{Client, Instrument, Options};
use tokio::runtime::Builder;

use super::{Path, measured, poll_once, warm_up, within_transaction};

pub(crate) const PATHS: &[Path] = &[
    in_transaction("sync child span, sampled", true, sync_spans),
    in_transaction("sync child span, unsampled", false, sync_spans),
    in_transaction("3 attributes, sampled", true, attributes),
    in_transaction("async child span, sampled", true, async_spans),
    in_transaction("async child span, unsampled", false, async_spans),
    in_transaction("one further poll, sampled", true, further_polls),
    in_transaction("one further poll, unsampled", false, further_polls),
    outside("empty transaction, sampled", true, transactions),
    outside("empty transaction, unsampled", false, transactions),
];

const fn in_transaction(name: &'static str, sampled: bool, run: fn(u32)) -> Path {
    let within = within_transaction;
    Path {
        name,
        sampled,
        within,
        run,
    }
}

const fn outside(name: &'static str, sampled: bool, run: fn(u32)) -> Path {
    let within = within_client;
    Path {
        name,
        sampled,
        within,
        run,
    }
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

fn transactions(times: u32) {
    for n in 0..times {
        poll_once(ready(n).in_transaction("op", "name"));
    }
}
