//! What the layer for `tracing` does, beside a registry without it.

use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use tracing::subscriber::with_default;
use tracing::{Instrument, info_span};
use tracing_subscriber::prelude::*;
use tracing_subscriber::registry;

use super::{Path, Repeat, TIMES, Work, within_transaction};

pub(crate) const PATHS: &[Path] = &[
    path("span, registry alone", true, within_registry, spans),
    path("span, sampled", true, within_layer, spans),
    path("span, unsampled", false, within_layer, spans),
    path("further poll, registry alone", true, within_registry, polls),
    path("further poll, sampled", true, within_layer, polls),
    path("further poll, unsampled", false, within_layer, polls),
];

const fn path(name: &'static str, sampled: bool, within: fn(bool, Repeat), run: fn(u32)) -> Path {
    Path {
        name,
        budget: None,
        times: TIMES,
        sampled,
        taskspan: Work { within, run },
        fastrace: None,
    }
}

fn within_registry(sampled: bool, path: Repeat) {
    with_default(registry(), || within_transaction(sampled, path));
}

fn within_layer(sampled: bool, path: Repeat) {
    let subscriber = registry().with(taskspan::tracing::layer());
    with_default(subscriber, || within_transaction(sampled, path));
}

fn spans(times: u32) {
    let _root = info_span!("root").entered();
    for n in 0..times {
        info_span!("op").in_scope(|| black_box(n));
    }
}

fn polls(times: u32) {
    let mut context = Context::from_waker(Waker::noop());
    let never = poll_fn(|_| black_box(Poll::<()>::Pending));
    let mut future = pin!(never.instrument(info_span!("op")));
    for _ in 0..times {
        let _ = black_box(future.as_mut().poll(&mut context));
    }
}
