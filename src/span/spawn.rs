//! Tasks and threads that stay in the transaction.

use tokio::task::{AbortHandle, JoinHandle, JoinSet};

use super::future::Instrument;
use crate::protocol::SpanStatus;
use crate::task::{Context, DropAs, slot};

/// Spawns a task that stays in the current transaction, span and scope.
///
/// A task that outlives its transaction is sent as a transaction of its own, in
/// the same trace, under the span that spawned it. Aborting it ends its spans
/// as `cancelled`.
///
/// ```
/// # use taskspan::{Instrument, Options};
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # let (client, sent) = taskspan::test::client(Options::default().traces_sample_rate(1.0));
/// async {
///     let upload = taskspan::spawn(async {}.in_span("http.client", "PUT /items"));
///     upload.await.expect("it does not panic");
/// }
/// .in_transaction("task", "import")
/// # .with_client(&client)
/// .await;
/// # assert_eq!(sent.tree(), "task import (ok)\n  http.client PUT /items (ok)\n");
/// # }
/// ```
///
/// # Panics
///
/// Panics outside of a Tokio runtime, as [`tokio::spawn`] does.
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(future.in_current_scope())
}

/// Runs blocking work on another thread, in the current transaction, span and scope.
///
/// # Panics
///
/// Panics outside of a Tokio runtime, as [`tokio::task::spawn_blocking`] does.
#[track_caller]
pub fn spawn_blocking<F, R>(work: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    tokio::task::spawn_blocking(in_current_scope(work))
}

/// Keeps a closure in the transaction, span and scope that are current now, on any thread.
///
/// The closure may borrow, as with [`std::thread::scope`], and need not be `Send`. For futures, also
/// those of `tokio::task::spawn_local`, there is
/// [`Instrument::in_current_scope`](crate::Instrument::in_current_scope).
///
/// ```
/// let work = taskspan::in_current_scope(|| 1 + 1);
/// assert_eq!(std::thread::spawn(work).join().unwrap(), 2);
///
/// let numbers = [1, 2];
/// let sum = std::thread::scope(|threads| {
///     let work = taskspan::in_current_scope(|| numbers.iter().sum::<i32>());
///     threads.spawn(work).join().unwrap()
/// });
/// assert_eq!(sum, 3);
/// ```
pub fn in_current_scope<F, R>(work: F) -> impl FnOnce() -> R
where
    F: FnOnce() -> R,
{
    let context = Context::current();
    move || {
        let Some(context) = context else {
            return work();
        };
        let mut scope = Some(context.open());
        let _entered = slot::enter(&mut scope);
        let unwinding = DropAs(SpanStatus::InternalError);
        let result = work();
        std::mem::forget(unwinding);
        result
    }
}

/// Spawns tasks of a [`JoinSet`] that stay in the current transaction, span and scope.
///
/// ```
/// # use taskspan::{Instrument, Options};
/// use taskspan::JoinSetExt;
/// use tokio::task::JoinSet;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # let (client, sent) = taskspan::test::client(Options::default().traces_sample_rate(1.0));
/// async {
///     let mut parts = JoinSet::new();
///     for part in ["first", "second"] {
///         parts.spawn_in_current_scope(async {}.in_span("http.client", part));
///     }
///     parts.join_all().await;
/// }
/// .in_transaction("task", "import")
/// # .with_client(&client)
/// .await;
/// # assert_eq!(sent.transactions()[0].spans.len(), 2);
/// # }
/// ```
pub trait JoinSetExt<T> {
    /// Spawns a task as [`spawn`] does.
    ///
    /// # Panics
    ///
    /// Panics outside of a Tokio runtime.
    fn spawn_in_current_scope<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static;

    /// Runs blocking work as [`spawn_blocking`] does.
    ///
    /// # Panics
    ///
    /// Panics outside of a Tokio runtime.
    fn spawn_blocking_in_current_scope<F>(&mut self, work: F) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static;
}

impl<T: 'static> JoinSetExt<T> for JoinSet<T> {
    #[track_caller]
    fn spawn_in_current_scope<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        self.spawn(future.in_current_scope())
    }

    #[track_caller]
    fn spawn_blocking_in_current_scope<F>(&mut self, work: F) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.spawn_blocking(in_current_scope(work))
    }
}
