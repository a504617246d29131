//! A call of a neighbour's, as a span: a query, a command, a message that is sent.
//!
//! What is asked of a neighbour is described only where it is recorded, so a call
//! costs nothing where it is not: see [`begin`].

#[cfg(feature = "sqlx")]
mod stream;

use std::borrow::Cow;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project::{pin_project, pinned_drop};

#[cfg(feature = "sqlx")]
pub(super) use self::stream::{ReadItems, StreamInCall};
use crate::poll::poll_and_drop;
use crate::protocol::SpanStatus;
use crate::span::{PolledSpan, Span, is_recording, span};

/// Starts the span of a call below the current one, if anything is recorded there.
///
/// `describe` is not called, and nothing allocated, unless there is.
pub(super) fn begin(
    op: &'static str,
    origin: &'static str,
    describe: impl FnOnce() -> Cow<'static, str>,
) -> Option<PolledSpan> {
    if !is_recording() {
        return None;
    }
    let started = span(op, describe()).origin(origin).start();
    // Not if the transaction has no room for it.
    started.is_recorded().then(|| PolledSpan::new(started))
}

/// Does all of a call at once: inside of its span, if it has one.
///
/// The span ends with the status that `end` tells by the output, and as `internal_error` if the
/// work panics.
#[cfg(any(feature = "process", feature = "redis"))]
pub(super) fn in_call<R>(
    span: Option<PolledSpan>,
    work: impl FnOnce() -> R,
    end: impl FnOnce(&Span, &R) -> SpanStatus,
) -> R {
    let Some(mut span) = span else {
        return work();
    };
    let output = span.run(work);
    let status = end(&span, &output);
    span.finish_as(status);
    output
}

/// A future that runs inside of the span of its call.
///
/// The span ends when the future is ready, with the status that `end` tells by
/// the output; as `internal_error` if it panics, and as `cancelled` if it is
/// dropped before.
#[pin_project(PinnedDrop)]
pub(super) struct InCall<F, E> {
    #[pin]
    inner: Option<F>,
    /// `None` once the call has ended.
    call: Option<(PolledSpan, E)>,
}

impl<F, E> InCall<F, E>
where
    F: Future,
    E: FnOnce(&Span, &F::Output) -> SpanStatus,
{
    pub(super) fn new(span: PolledSpan, inner: F, end: E) -> Self {
        Self {
            inner: Some(inner),
            call: Some((span, end)),
        }
    }
}

impl<F, E> Future for InCall<F, E>
where
    F: Future,
    E: FnOnce(&Span, &F::Output) -> SpanStatus,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        // Away from here while it is polled: a panic drops it, and that ends it as what it is.
        let Some((mut span, end)) = this.call.take() else {
            return poll_and_drop(this.inner, cx);
        };
        let polled = span.run(|| poll_and_drop(this.inner.as_mut(), cx));
        match &polled {
            Poll::Pending => *this.call = Some((span, end)),
            Poll::Ready(output) => {
                let status = end(&span, output);
                span.finish_as(status);
            }
        }
        polled
    }
}

#[pinned_drop]
impl<F, E> PinnedDrop for InCall<F, E> {
    fn drop(self: Pin<&mut Self>) {
        let mut this = self.project();
        if let Some((mut span, _)) = this.call.take() {
            span.cancel(|| this.inner.set(None));
            span.finish_as(SpanStatus::Cancelled);
        }
    }
}
