//! Polling a future that is dropped as soon as it is ready.

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

/// Polls a future and drops it once it is ready: what it holds ends before what is around it does.
#[inline]
pub(crate) fn poll_and_drop<F: Future>(
    mut future: Pin<&mut Option<F>>,
    cx: &mut TaskContext<'_>,
) -> Poll<F::Output> {
    let polled = future
        .as_mut()
        .as_pin_mut()
        .expect("a future is not polled after it was ready");
    let output = ready!(polled.poll(cx));
    future.set(None);
    Poll::Ready(output)
}
