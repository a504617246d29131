//! A stream of a future that holds on to what the items come from.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, StreamExt};
use futures_util::{Stream, TryStreamExt};
use sqlx_core::error::Error;

/// The items that `work` hands on, and its error if it fails.
pub(super) fn relay<'e, T, F>(work: impl FnOnce(Items<T>) -> F) -> BoxStream<'e, Result<T, Error>>
where
    T: Send + 'e,
    F: Future<Output = Result<(), Error>> + Send + 'e,
{
    let items = Items {
        next: Arc::default(),
    };
    let work: BoxFuture<'e, _> = Box::pin(work(items.clone()));
    let relay = Relay {
        items,
        work: Some(work),
    };
    relay.boxed()
}

/// The place where an item waits to be taken.
pub(super) struct Items<T> {
    next: Arc<Mutex<Option<T>>>,
}

struct Relay<'e, T> {
    items: Items<T>,
    /// `None` once it has ended.
    work: Option<BoxFuture<'e, Result<(), Error>>>,
}

impl<T> Items<T> {
    /// Hands on all items of a stream, each as soon as the one before was taken.
    pub(super) async fn all_of(
        &self,
        mut stream: BoxStream<'_, Result<T, Error>>,
    ) -> Result<(), Error> {
        while let Some(item) = stream.try_next().await? {
            *self.lock() = Some(item);
            // Nobody is woken: who takes the item polls again for the next one.
            poll_fn(|_| match self.lock().is_some() {
                true => Poll::Pending,
                false => Poll::Ready(()),
            })
            .await;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Option<T>> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Clone for Items<T> {
    fn clone(&self) -> Self {
        Self {
            next: Arc::clone(&self.next),
        }
    }
}

impl<T> Stream for Relay<'_, T> {
    type Item = Result<T, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(work) = &mut self.work else {
            return Poll::Ready(None);
        };
        match work.as_mut().poll(cx) {
            Poll::Pending => match self.items.lock().take() {
                Some(item) => Poll::Ready(Some(Ok(item))),
                None => Poll::Pending,
            },
            Poll::Ready(result) => {
                self.work = None;
                Poll::Ready(result.err().map(Err))
            }
        }
    }
}
