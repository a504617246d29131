//! What programs call themselves.

use std::future::{Future, ready};
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Waker};

use taskspan::{Client, Instrument};
use tokio::runtime::Builder;

use super::work::{never, poll_to_end, ready_at_last};
use super::{Repeat, measured, options, poll_once, warm_up};

/// The transactions wait in the queue, as their runtime does nothing meanwhile.
pub(super) fn within_client(sampled: bool, path: Repeat) {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("it is a plain one");
    let _entered = runtime.enter();
    let client = Client::new(options(sampled)).expect("nothing is wrong with the options");
    for take in [warm_up, measured] {
        poll_once(async { take(path) }.with_client(&client));
    }
}

pub(super) fn without_client(_sampled: bool, path: Repeat) {
    for take in [warm_up, measured] {
        take(path);
    }
}

pub(super) fn sync_spans(times: u32) {
    for n in 0..times {
        taskspan::span("op", "description").in_scope(|_| black_box(n));
    }
}

pub(super) fn spans_with_attributes(times: u32) {
    for n in 0..times {
        taskspan::span("op", "description").in_scope(|span| {
            span.set_data("table", black_box("items"));
            span.set_data("rows", black_box(u64::from(n)));
            span.set_data("bytes", black_box(4096_i64));
        });
    }
}

pub(super) fn attributes(times: u32) {
    taskspan::span("op", "description").in_scope(|span| {
        for n in 0..times {
            span.set_data("db.system.name", black_box("postgresql"));
            span.set_data("server.port", black_box(5432));
            span.set_data("rows", black_box(n));
        }
    });
}

pub(super) fn async_spans(times: u32) {
    for n in 0..times {
        poll_once(ready(n).in_span("op", "description"));
    }
}

pub(super) fn async_spans_polled(times: u32) {
    for _ in 0..times {
        poll_to_end(ready_at_last().in_span("op", "description"));
    }
}

pub(super) fn further_polls(times: u32) {
    let mut context = Context::from_waker(Waker::noop());
    let mut future = pin!(never().in_span("op", "description"));
    for _ in 0..times {
        let _ = black_box(future.as_mut().poll(&mut context));
    }
}

pub(super) fn held_spans(times: u32) {
    for _ in 0..times {
        drop(black_box(taskspan::span("op", "description").start()));
    }
}

pub(super) fn transactions(times: u32) {
    for n in 0..times {
        poll_once(ready(n).in_transaction("op", "name"));
    }
}

pub(super) fn transactions_with_spans(times: u32) {
    for _ in 0..times {
        let work = async {
            for n in 0..10 {
                black_box(ready(n).in_span("op", "description").await);
            }
        };
        poll_once(work.in_transaction("op", "name"));
    }
}
