//! Futures that run in a scope of their own without leaving their task.

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use pin_project::{pin_project, pinned_drop};

use crate::poll::poll_and_drop;
use crate::scope::Scope;
use crate::task::{Fork, Layer};

/// The future returned by [`Instrument::with_scope`](crate::Instrument::with_scope) and
/// [`Instrument::with_isolation_scope`](crate::Instrument::with_isolation_scope).
#[pin_project(PinnedDrop)]
#[must_use = "nothing runs until this future is polled"]
pub struct WithScope<F, C> {
    configure: Option<(Layer, C)>,
    fork: Option<Fork>,
    #[pin]
    inner: Option<F>,
}

impl<F, C> WithScope<F, C> {
    pub(crate) fn new(layer: Layer, configure: C, future: F) -> Self {
        Self {
            configure: Some((layer, configure)),
            fork: None,
            inner: Some(future),
        }
    }
}

impl<F: Future, C: FnOnce(&mut Scope)> Future for WithScope<F, C> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<F::Output> {
        let this = self.project();
        if let Some((layer, configure)) = this.configure.take() {
            *this.fork = Some(Fork::new(layer, configure));
        }
        let _entered = this.fork.as_mut().map(Fork::enter);
        poll_and_drop(this.inner, cx)
    }
}

#[pinned_drop]
impl<F, C> PinnedDrop for WithScope<F, C> {
    fn drop(self: Pin<&mut Self>) {
        let mut this = self.project();
        let _entered = this.fork.as_mut().map(Fork::enter);
        this.inner.set(None);
    }
}
