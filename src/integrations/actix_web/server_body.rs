//! The body of a response, with which its transaction ends.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use bytes::Bytes;
use pin_project::{pin_project, pinned_drop};

use crate::integrations::server::Exchange;

/// The body of a response of a [`Server`](super::Server).
///
/// It runs inside of the transaction, which ends when the body does, fails or is dropped, or when a
/// middleware around takes all of it at once. Dropping it ends the transaction as `cancelled`,
/// unless nothing is given up by that: all announced bytes have left, or its size is known and it
/// was never read.
#[pin_project(PinnedDrop)]
pub struct ServerBody<B: MessageBody> {
    #[pin]
    inner: Option<B>,
    /// `None` once the transaction has ended.
    exchange: Option<Exchange>,
    /// Whether anybody has begun to read it.
    is_read: bool,
}

impl<B: MessageBody> ServerBody<B> {
    pub(super) fn new(inner: B, exchange: Exchange) -> Self {
        Self {
            inner: Some(inner),
            exchange: Some(exchange),
            is_read: false,
        }
    }

    /// A body after the transaction.
    pub(super) fn ended(inner: B) -> Self {
        Self {
            inner: Some(inner),
            exchange: None,
            is_read: false,
        }
    }
}

impl<B: MessageBody> MessageBody for ServerBody<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.inner.as_ref().map_or(BodySize::None, B::size)
    }

    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, B::Error>>> {
        let this = self.project();
        let Some(inner) = this.inner.as_pin_mut() else {
            return Poll::Ready(None);
        };
        let Some(exchange) = this.exchange else {
            return inner.poll_next(cx);
        };
        *this.is_read = true;
        let polled = exchange.run(|| inner.poll_next(cx));
        match &polled {
            Poll::Pending => return polled,
            Poll::Ready(Some(Ok(data))) => {
                exchange.add_body_bytes(data.len() as u64);
                return polled;
            }
            Poll::Ready(Some(Err(_))) => exchange.fail(),
            Poll::Ready(None) => exchange.finish(),
        }
        *this.exchange = None;
        polled
    }

    fn try_into_bytes(mut self) -> Result<Bytes, Self> {
        let Some(inner) = self.inner.take() else {
            return Ok(Bytes::new());
        };
        let Some(exchange) = &mut self.exchange else {
            return inner.try_into_bytes().map_err(Self::ended);
        };
        match exchange.run(|| inner.try_into_bytes()) {
            Ok(bytes) => {
                exchange.add_body_bytes(bytes.len() as u64);
                exchange.finish();
                self.exchange = None;
                Ok(bytes)
            }
            Err(inner) => {
                self.inner = Some(inner);
                Err(self)
            }
        }
    }
}

#[pinned_drop]
impl<B: MessageBody> PinnedDrop for ServerBody<B> {
    fn drop(self: Pin<&mut Self>) {
        let mut this = self.project();
        if let Some(exchange) = this.exchange {
            let size = this.inner.as_ref().as_pin_ref().map(|inner| inner.size());
            let whole = !*this.is_read && matches!(size, Some(BodySize::Sized(_)));
            exchange.drop_body(whole, || this.inner.set(None));
        }
    }
}

impl<B: MessageBody> fmt::Debug for ServerBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerBody").finish_non_exhaustive()
    }
}
