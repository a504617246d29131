//! The body of a response, with which its span ends.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use pin_project::{pin_project, pinned_drop};

use super::Call;

/// The body of a response of a client.
///
/// It is read inside of the span, which ends when the body does, fails or is dropped.
#[pin_project(PinnedDrop)]
#[cfg_attr(
    not(feature = "tower"),
    expect(unreachable_pub, reason = "it is named by `tower` only")
)]
pub struct ClientBody<B> {
    #[pin]
    inner: Option<B>,
    /// `None` once the span has ended.
    call: Option<Call>,
}

impl<B: Body> ClientBody<B> {
    /// A body that is empty ends the call at once.
    pub(in crate::integrations) fn new(inner: B, mut call: Call) -> Self {
        let call = match inner.is_end_stream() {
            true => {
                call.finish();
                None
            }
            false => Some(call),
        };
        Self {
            inner: Some(inner),
            call,
        }
    }

    fn get(&self) -> Option<&B> {
        self.inner.as_ref()
    }
}

impl<B: Body> Body for ClientBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let Some(mut inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        let Some(call) = this.call else {
            return inner.poll_frame(cx);
        };
        let polled = call.run(|| inner.as_mut().poll_frame(cx));
        match &polled {
            Poll::Pending => return polled,
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    call.add_body_bytes(data.remaining() as u64);
                }
                if let Some(trailers) = frame.trailers_ref() {
                    call.note_status(trailers);
                } else if !inner.is_end_stream() {
                    return polled;
                }
                // Nothing comes after trailers, and nobody asks a body for more that has no more.
                call.finish();
            }
            Poll::Ready(Some(Err(_))) => call.fail(),
            Poll::Ready(None) => call.finish(),
        }
        *this.call = None;
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.get().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.get().map_or_else(SizeHint::default, Body::size_hint)
    }
}

#[pinned_drop]
impl<B> PinnedDrop for ClientBody<B> {
    fn drop(self: Pin<&mut Self>) {
        let mut this = self.project();
        if let Some(call) = this.call {
            call.cancel(|| this.inner.set(None));
        }
    }
}

impl<B> fmt::Debug for ClientBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBody").finish_non_exhaustive()
    }
}
