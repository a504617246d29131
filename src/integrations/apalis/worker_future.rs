//! The future of a task, as a transaction.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use apalis_core::error::{AbortError, BoxDynError, DeferredError, RetryAfterError};
use pin_project::{pin_project, pinned_drop};

use crate::poll::poll_and_drop;
use crate::protocol::SpanStatus;
use crate::span::OpenScope;

/// The future of a task in [`Worker`](super::Worker).
#[pin_project(PinnedDrop)]
#[must_use = "nothing runs, or is measured, until this future is polled"]
pub struct WorkerFuture<F> {
    scope: OpenScope,
    #[pin]
    inner: Option<F>,
}

impl<F> WorkerFuture<F> {
    pub(super) fn new(scope: OpenScope, inner: F) -> Self {
        Self {
            scope,
            inner: Some(inner),
        }
    }
}

impl<F, T, E> Future for WorkerFuture<F>
where
    F: Future<Output = Result<T, E>>,
    E: 'static,
{
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let polled = this.scope.run(|| poll_and_drop(this.inner.as_mut(), cx));
        if let Poll::Ready(result) = &polled {
            let status = result
                .as_ref()
                .map_or_else(|error| failure(error), |_| SpanStatus::Ok);
            this.scope.end_as(status);
        }
        polled
    }
}

#[pinned_drop]
impl<F> PinnedDrop for WorkerFuture<F> {
    fn drop(self: Pin<&mut Self>) {
        let mut this = self.project();
        if this.inner.is_some() {
            this.scope.cancel(|| this.inner.set(None));
        }
    }
}

impl<F> fmt::Debug for WorkerFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerFuture").finish_non_exhaustive()
    }
}

/// What an error says about the end of its task. Of those below it only timeouts count.
fn failure(error: &dyn Any) -> SpanStatus {
    let Some(error) = error.downcast_ref::<BoxDynError>() else {
        return SpanStatus::InternalError;
    };
    let mut cause: Option<&(dyn Error + 'static)> = Some(&**error);
    while let Some(error) = cause {
        if error.is::<tower::timeout::error::Elapsed>() || error.is::<tokio::time::error::Elapsed>()
        {
            return SpanStatus::DeadlineExceeded;
        }
        cause = error.source();
    }
    if error.is::<AbortError>() {
        SpanStatus::Aborted
    } else if error.is::<RetryAfterError>() || error.is::<DeferredError>() {
        SpanStatus::Unavailable
    } else {
        SpanStatus::InternalError
    }
}
