//! The body of a response, with which its transaction ends.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use pin_project::{pin_project, pinned_drop};

use super::dialect::{Dialect, NoteStatus};
use crate::integrations::server::Exchange;

/// The body of a response of a [`Server`](super::Server).
///
/// It runs inside of the transaction, which ends when the body does, fails or is dropped. Dropping
/// it ends the transaction as `cancelled`, unless nothing is given up by that: all bytes of its
/// `content-length` have left, or it was whole in memory and was never read.
#[pin_project(PinnedDrop)]
pub struct ServerBody<B: Body> {
    #[pin]
    inner: Option<B>,
    /// `None` once the transaction has ended.
    exchange: Option<Exchange>,
    note_status: NoteStatus,
    /// Whether anybody has begun to read it.
    is_read: bool,
}

impl<B: Body> ServerBody<B> {
    pub(super) fn new(inner: B, exchange: Exchange, dialect: &Dialect) -> Self {
        Self {
            inner: Some(inner),
            exchange: Some(exchange),
            note_status: dialect.note_status,
            is_read: false,
        }
    }

    /// A body after the transaction.
    pub(super) fn ended(inner: B) -> Self {
        Self {
            inner: Some(inner),
            exchange: None,
            note_status: |_, _| None,
            is_read: false,
        }
    }

    fn get(&self) -> Option<&B> {
        self.inner.as_ref()
    }
}

impl<B: Body> Body for ServerBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let Some(inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        let Some(exchange) = this.exchange else {
            return inner.poll_frame(cx);
        };
        *this.is_read = true;
        let polled = exchange.run(|| inner.poll_frame(cx));
        match &polled {
            Poll::Pending => return polled,
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    exchange.add_body_bytes(data.remaining() as u64);
                }
                if let Some(trailers) = frame.trailers_ref() {
                    exchange.note_status(|root| (this.note_status)(root, trailers));
                }
                // Nobody asks a body for more that says it has no more.
                if !this
                    .inner
                    .as_ref()
                    .as_pin_ref()
                    .is_some_and(|inner| inner.is_end_stream())
                {
                    return polled;
                }
                exchange.finish();
            }
            Poll::Ready(Some(Err(_))) => exchange.fail(),
            Poll::Ready(None) => exchange.finish(),
        }
        *this.exchange = None;
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
impl<B: Body> PinnedDrop for ServerBody<B> {
    fn drop(self: Pin<&mut Self>) {
        let mut this = self.project();
        if let Some(exchange) = this.exchange {
            // The length of a body that is yet to be made is not known.
            let length = this.inner.as_ref().as_pin_ref();
            let length = length.and_then(|inner| inner.size_hint().exact());
            let whole = !*this.is_read && length.is_some();
            exchange.drop_body(whole, || this.inner.set(None));
        }
    }
}

impl<B: Body> fmt::Debug for ServerBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerBody").finish_non_exhaustive()
    }
}
