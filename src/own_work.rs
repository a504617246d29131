//! The work of this crate itself, and of the program's callbacks, which is not to be recorded.
//!
//! What it calls may tell `tracing` what it does, as hyper does, or start a transaction. Recorded,
//! that would be sent, which is more of the same work, without end.

use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project::{pin_project, pinned_drop};

use crate::poll::poll_and_drop;

/// Whether what runs here is the work of this crate itself.
#[inline]
pub(crate) fn is_current() -> bool {
    CURRENT.get()
}

/// Marks what a closure does.
#[inline]
pub(crate) fn during<R>(work: impl FnOnce() -> R) -> R {
    let _mark = Mark::set();
    work()
}

/// Marks what a closure does that runs later or elsewhere.
pub(crate) fn hidden_work<R>(work: impl FnOnce() -> R) -> impl FnOnce() -> R {
    || during(work)
}

/// Marks what a future does.
pub(crate) fn hidden<F: Future>(future: F) -> Hidden<F> {
    Hidden {
        inner: Some(future),
    }
}

/// Spawns marked tasks, as hyper needs them for connections.
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

/// A future whose polls and drop are marked.
#[pin_project(PinnedDrop)]
pub(crate) struct Hidden<F> {
    /// `None` once it is dropped.
    #[pin]
    inner: Option<F>,
}

impl<F: Future> Future for Hidden<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let _mark = Mark::set();
        poll_and_drop(self.project().inner, cx)
    }
}

#[pinned_drop]
impl<F> PinnedDrop for Hidden<F> {
    fn drop(self: Pin<&mut Self>) {
        let _mark = Mark::set();
        self.project().inner.set(None);
    }
}

/// Holds the mark until it is dropped, also when unwinding.
struct Mark {
    before: bool,
}

impl Mark {
    #[inline]
    fn set() -> Self {
        Self {
            before: CURRENT.replace(true),
        }
    }
}

impl Drop for Mark {
    #[inline]
    fn drop(&mut self) {
        CURRENT.set(self.before);
    }
}

thread_local! {
    static CURRENT: Cell<bool> = const { Cell::new(false) };
}
