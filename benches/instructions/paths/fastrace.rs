//! `fastrace`, used as its documentation recommends.
//!
//! Synchronous spans are local ones, and futures are wrapped with `in_span`, as its macro
//! `#[trace]` does it. Only the thread that records is counted, not the one that collects.

use std::borrow::Cow;
use std::future::{Future, ready};
use std::hint::black_box;
use std::pin::pin;
use std::sync::mpsc::{Sender, channel};
use std::task::{Context, Waker};
use std::time::Duration;

use fastrace::Span;
use fastrace::collector::{Config, Reporter, SpanContext, SpanRecord};
use fastrace::future::FutureExt;
use fastrace::local::LocalSpan;

use super::work::{never, poll_to_end, ready_at_last};
use super::{Repeat, measured, poll_once, warm_up};

/// Drops what it gets.
struct Nowhere {
    called: Sender<()>,
}

impl Reporter for Nowhere {
    fn report(&mut self, spans: Vec<SpanRecord>) {
        drop(spans);
        let _ = self.called.send(());
    }
}

/// Below a root span that is the parent of what its thread records.
pub(super) fn within_root(sampled: bool, path: Repeat) {
    take_twice(|take| {
        let root = root(sampled);
        let _parent = root.set_local_parent();
        take(path);
    });
}

/// It has one reporter for the process, so that what is missing is a root span.
pub(super) fn without_root(_sampled: bool, path: Repeat) {
    take_twice(|take| take(path));
}

/// The collector only works in between, so that every run is the same.
fn take_twice(within: impl Fn(fn(Repeat))) {
    let never = Duration::from_secs(3_600);
    let (called, calls) = channel();
    fastrace::set_reporter(Nowhere { called }, Config::default().report_interval(never));
    // Its thread reports once at its start.
    calls.recv().expect("the reporter lives as long as this");
    for take in [warm_up, measured] {
        within(take);
        fastrace::flush();
    }
}

fn root(sampled: bool) -> Span {
    Span::root("name", SpanContext::random().sampled(sampled))
}

pub(super) fn sync_spans(times: u32) {
    for n in 0..times {
        let _span = LocalSpan::enter_with_local_parent("op");
        black_box(n);
    }
}

/// Its values are text. It is written only for spans that are recorded, and not allocated for
/// one that is static.
pub(super) fn spans_with_attributes(times: u32) {
    for n in 0..times {
        let _span = LocalSpan::enter_with_local_parent("op").with_properties(|| {
            [
                ("table", Cow::Borrowed(black_box("items"))),
                ("rows", black_box(u64::from(n)).to_string().into()),
                ("bytes", black_box(4096_i64).to_string().into()),
            ]
        });
    }
}

pub(super) fn async_spans(times: u32) {
    for n in 0..times {
        poll_once(ready(n).in_span(Span::enter_with_local_parent("op")));
    }
}

pub(super) fn async_spans_polled(times: u32) {
    for _ in 0..times {
        poll_to_end(ready_at_last().in_span(Span::enter_with_local_parent("op")));
    }
}

pub(super) fn further_polls(times: u32) {
    let mut context = Context::from_waker(Waker::noop());
    let mut future = pin!(never().in_span(Span::enter_with_local_parent("op")));
    for _ in 0..times {
        let _ = black_box(future.as_mut().poll(&mut context));
    }
}

pub(super) fn held_spans(times: u32) {
    for _ in 0..times {
        drop(black_box(Span::enter_with_local_parent("op")));
    }
}

pub(super) fn transactions<const SAMPLED: bool>(times: u32) {
    for n in 0..times {
        poll_once(ready(n).in_span(root(SAMPLED)));
    }
}

pub(super) fn transactions_with_spans<const SAMPLED: bool>(times: u32) {
    for _ in 0..times {
        let work = async {
            for n in 0..10 {
                let span = Span::enter_with_local_parent("op");
                black_box(ready(n).in_span(span).await);
            }
        };
        poll_once(work.in_span(root(SAMPLED)));
    }
}
