//! A call whose answer comes in pieces.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::Stream;
use pin_project::{pin_project, pinned_drop};

use crate::protocol::SpanStatus;
use crate::span::{PolledSpan, Span};

/// A stream that runs inside of the span of its call.
///
/// What its consumer does between two items is not inside of the span. The span ends with the
/// stream, or with an item that its reader tells a status by; as `internal_error` if it panics,
/// and as `cancelled` if it is dropped before.
#[pin_project(PinnedDrop)]
pub(in crate::integrations) struct StreamInCall<S: Stream, R: ReadItems<S::Item>> {
    #[pin]
    inner: Option<S>,
    /// `None` once the call has ended.
    call: Option<(PolledSpan, R)>,
}

/// Reads the items of a stream, and then tells of them all.
pub(in crate::integrations) trait ReadItems<T> {
    /// Reads an item, and tells the status if the call ends with it.
    fn read(&mut self, span: &Span, item: &T) -> Option<SpanStatus>;

    /// Says on the span what was read.
    fn tell(self, span: &Span);
}

impl<S: Stream, R: ReadItems<S::Item>> StreamInCall<S, R> {
    pub(in crate::integrations) fn new(span: PolledSpan, inner: S, read: R) -> Self {
        Self {
            inner: Some(inner),
            call: Some((span, read)),
        }
    }
}

impl<S: Stream, R: ReadItems<S::Item>> Stream for StreamInCall<S, R> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let mut this = self.project();
        let Some(mut inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        // Away from here while it is polled: a panic drops it, and that ends it as what it is.
        let Some((mut span, mut read)) = this.call.take() else {
            return inner.poll_next(cx);
        };
        let polled = span.run(|| inner.as_mut().poll_next(cx));
        let ended_as = match &polled {
            Poll::Pending => None,
            Poll::Ready(None) => Some(SpanStatus::Ok),
            Poll::Ready(Some(item)) => read.read(&span, item),
        };
        match ended_as {
            None => *this.call = Some((span, read)),
            Some(status) => {
                if let Poll::Ready(None) = polled {
                    // What it holds ends before the span does.
                    span.run(|| this.inner.set(None));
                }
                end(span, read, status);
            }
        }
        polled
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let inner = self.inner.as_ref();
        inner.map_or((0, Some(0)), Stream::size_hint)
    }
}

#[pinned_drop]
impl<S: Stream, R: ReadItems<S::Item>> PinnedDrop for StreamInCall<S, R> {
    fn drop(self: Pin<&mut Self>) {
        let mut this = self.project();
        if let Some((mut span, read)) = this.call.take() {
            span.cancel(|| this.inner.set(None));
            end(span, read, SpanStatus::Cancelled);
        }
    }
}

fn end<T>(span: PolledSpan, read: impl ReadItems<T>, status: SpanStatus) {
    read.tell(&span);
    span.finish_as(status);
}
