//! The futures that are measured, and how they are polled.

use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// A future that is never ready.
pub(super) fn never() -> impl Future<Output = ()> {
    poll_fn(|_| black_box(Poll::Pending))
}

/// A future that is ready at its 11th poll.
pub(super) fn ready_at_last() -> impl Future<Output = u32> {
    let mut polls = 0;
    poll_fn(move |_| {
        polls += 1;
        match polls {
            11 => Poll::Ready(polls),
            _ => Poll::Pending,
        }
    })
}

pub(super) fn poll_to_end(future: impl Future) {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    while black_box(future.as_mut().poll(&mut context)).is_pending() {}
}
