//! The work of this crate itself, which is not to be recorded.
//!
//! What it calls may tell `tracing` what it does, as hyper does. Recorded, that would be sent,
//! which is more of the same work, without end.

#[cfg(feature = "tracing")]
pub(crate) use self::with_tracing::{hidden, hidden_work};
#[cfg(not(feature = "tracing"))]
pub(crate) use self::without_tracing::{hidden, hidden_work};

/// Spawns hidden tasks, as hyper needs them for connections.
#[derive(Clone)]
pub(crate) struct HiddenExecutor;

impl<F> hyper::rt::Executor<F> for HiddenExecutor
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, future: F) {
        drop(tokio::spawn(hidden(future)));
    }
}

#[cfg(feature = "tracing")]
mod with_tracing {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use pin_project::{pin_project, pinned_drop};

    use crate::poll::poll_and_drop;

    use crate::task::TaskScope;
    use crate::task::slot;

    /// Hides what a future does.
    pub(crate) fn hidden<F: Future>(future: F) -> Hidden<F> {
        Hidden {
            scope: Some(slot::hidden()),
            inner: Some(future),
        }
    }

    /// Hides what a closure does.
    pub(crate) fn hidden_work<R>(work: impl FnOnce() -> R) -> impl FnOnce() -> R {
        || {
            let mut scope = Some(slot::hidden());
            let _entered = slot::enter(&mut scope);
            work()
        }
    }

    #[pin_project(PinnedDrop)]
    pub(crate) struct Hidden<F> {
        scope: Option<Box<TaskScope>>,
        /// `None` once it is dropped.
        #[pin]
        inner: Option<F>,
    }

    impl<F: Future> Future for Hidden<F> {
        type Output = F::Output;

        fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
            let this = self.project();
            let _entered = slot::enter(this.scope);
            poll_and_drop(this.inner, cx)
        }
    }

    #[pinned_drop]
    impl<F> PinnedDrop for Hidden<F> {
        fn drop(self: Pin<&mut Self>) {
            let mut this = self.project();
            let _entered = slot::enter(this.scope);
            this.inner.set(None);
        }
    }
}

#[cfg(not(feature = "tracing"))]
mod without_tracing {
    /// Nobody records anything of it.
    pub(crate) fn hidden<F: Future>(future: F) -> F {
        future
    }

    /// Nobody records anything of it.
    pub(crate) fn hidden_work<R>(work: impl FnOnce() -> R) -> impl FnOnce() -> R {
        work
    }
}
