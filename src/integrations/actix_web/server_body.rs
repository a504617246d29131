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
/// middleware around takes all of it at once.
#[pin_project(PinnedDrop)]
pub struct ServerBody<B> {
    #[pin]
    inner: Option<B>,
    /// `None` once the transaction has ended.
    exchange: Option<Exchange>,
}

impl<B> ServerBody<B> {
    pub(super) fn new(inner: B, exchange: Exchange) -> Self {
        Self {
            inner: Some(inner),
            exchange: Some(exchange),
        }
    }

    /// A body after the transaction.
    pub(super) fn ended(inner: B) -> Self {
        Self {
            inner: Some(inner),
            exchange: None,
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
impl<B> PinnedDrop for ServerBody<B> {
    fn drop(self: Pin<&mut Self>) {
        let mut this = self.project();
        if let Some(exchange) = this.exchange {
            exchange.cancel(|| this.inner.set(None));
        }
    }
}

impl<B> fmt::Debug for ServerBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerBody").finish_non_exhaustive()
    }
}
