//! The layer of workers and its service.

use std::task::{Context, Poll};

use apalis_core::task::Task;
use apalis_core::worker::context::WorkerContext;
use tower::Layer;
use tower_service::Service;

use super::worker_future::WorkerFuture;
use crate::client::Client;
use crate::span::OpenScope;
use crate::task::slot;

/// Makes a transaction of each run of a task.
///
/// See the [module](crate::apalis) for an example, and for its place among other layers.
#[derive(Clone, Debug)]
pub struct WorkerLayer {
    client: Option<Client>,
}

impl WorkerLayer {
    /// A layer whose transactions belong to the installed client, or to that of the future that
    /// runs the worker.
    #[expect(clippy::new_without_default, reason = "layers are made in one way")]
    pub fn new() -> Self {
        Self { client: None }
    }

    /// Makes the transactions those of a client that is not installed.
    pub fn with_client(mut self, client: &Client) -> Self {
        self.client = Some(client.clone());
        self
    }

    /// Starts the transaction of a task.
    fn begin<Args>(&self, task: &Task<Args>) -> OpenScope {
        if self.client.is_none() && slot::current_client().is_none() {
            return OpenScope::default();
        }
        let id = task.task_id().map(ToString::to_string);
        let mut message = super::message::<Args>().retry_count(task.attempt());
        if let Some(id) = &id {
            message = message.id(id);
        }
        if let Some(time) = super::ready_at(task) {
            message = message.published_at(time);
        }
        let mut processing = message.process(task.metadata().as_map());
        if let Some(worker) = task.data().get::<WorkerContext>() {
            processing = processing.data("apalis.worker", worker.name());
        }
        if let Some(queue) = task.queue() {
            processing = processing.data("apalis.queue", queue.as_ref());
        }
        processing.open_under(self.client.as_ref())
    }
}

impl<S> Layer<S> for WorkerLayer {
    type Service = Worker<S>;

    fn layer(&self, inner: S) -> Worker<S> {
        Worker {
            layer: self.clone(),
            inner,
        }
    }
}

/// The service made by [`WorkerLayer`].
#[derive(Clone, Debug)]
pub struct Worker<S> {
    layer: WorkerLayer,
    inner: S,
}

impl<S, Args> Service<Task<Args>> for Worker<S>
where
    S: Service<Task<Args>>,
    S::Error: 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = WorkerFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, task: Task<Args>) -> Self::Future {
        let mut scope = self.layer.begin(&task);
        // What makes the future is part of the work already.
        let processing = scope.run(|| self.inner.call(task));
        WorkerFuture::new(scope, processing)
    }
}
