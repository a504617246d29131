//! The future of a response.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project::{pin_project, pinned_drop};

use super::Call;
use crate::poll::poll_and_drop;

/// A future that runs inside of the span of its call, which goes on to its output.
///
/// The span ends as `internal_error` if there is an error, and as `cancelled`
/// if this is dropped before.
#[pin_project(PinnedDrop)]
pub(in crate::integrations) struct Responding<F> {
    #[pin]
    inner: Option<F>,
    /// `None` once it has gone over to the response.
    call: Option<Call>,
}

impl<F> Responding<F> {
    /// What makes the future is part of the call already.
    pub(in crate::integrations) fn new(mut call: Call, send: impl FnOnce() -> F) -> Self {
        let inner = call.run(send);
        Self {
            inner: Some(inner),
            call: Some(call),
        }
    }

    /// The call, until there is a response.
    #[cfg(feature = "reqwest")]
    pub(in crate::integrations) fn call(self: Pin<&mut Self>) -> Option<&mut Call> {
        self.project().call.as_mut()
    }
}

impl<F, R, E> Future for Responding<F>
where
    F: Future<Output = Result<R, E>>,
{
    type Output = Result<(R, Call), E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let call = this.call.as_mut();
        let call = call.expect("a future is not polled after it was ready");
        let polled = call.run(|| poll_and_drop(this.inner.as_mut(), cx));
        let result = ready!(polled);
        let Some(mut call) = this.call.take() else {
            unreachable!("it was there before the poll");
        };
        Poll::Ready(match result {
            Ok(response) => Ok((response, call)),
            Err(error) => {
                call.fail();
                Err(error)
            }
        })
    }
}

#[pinned_drop]
impl<F> PinnedDrop for Responding<F> {
    fn drop(self: Pin<&mut Self>) {
        let mut this = self.project();
        if let Some(call) = this.call {
            call.cancel(|| this.inner.set(None));
        }
    }
}
