//! A future whose failure shows on the span around it.

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use pin_project::pin_project;

use crate::protocol::SpanStatus;
use crate::span::current::current_span;

/// The future returned by [`Instrument::record_err`](crate::Instrument::record_err).
#[pin_project]
#[must_use = "futures do nothing unless polled"]
pub struct RecordErr<F> {
    #[pin]
    inner: F,
}

impl<F> RecordErr<F> {
    pub(crate) fn new(inner: F) -> Self {
        Self { inner }
    }
}

impl<F, T, E> Future for RecordErr<F>
where
    F: Future<Output = Result<T, E>>,
{
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let result = ready!(self.project().inner.poll(cx));
        if result.is_err()
            && let Some(span) = current_span()
        {
            span.set_status(SpanStatus::InternalError);
        }
        Poll::Ready(result)
    }
}
