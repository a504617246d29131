//! Pushing tasks that carry the trace.

use std::time::Duration;

use apalis_core::backend::{TaskSink, TaskSinkError};
use apalis_core::task::Task;
use apalis_core::task::metadata::{Metadata, MetadataStore};
use futures_util::stream;

use crate::propagation::OutgoingTrace;
use crate::span::is_recording;

/// Pushes tasks that carry the trace, to any storage.
pub trait TaskSinkExt<Args, Kind>: TaskSink<Args, Kind> {
    /// Pushes a job, or a task that was built with more than that, as `push` and `push_task` do.
    ///
    /// That is a span `queue.publish`, named by the type of the job, which starts now and ends when
    /// the task is stored. The trace and the current time go along in the task's metadata, also
    /// where nothing is recorded, as long as there is a client that is
    /// [enabled](crate::Client::is_enabled).
    ///
    /// # Errors
    ///
    /// Those of `push_task`, untouched. The span ends as `internal_error` then.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the span as `cancelled`. Whether the task is stored then is up to
    /// the storage.
    fn push_traced(
        &mut self,
        task: impl Into<Task<Args>>,
    ) -> impl Future<Output = Result<(), TaskSinkError<Self::Error>>> + Send
    where
        Args: Send,
    {
        let mut task = task.into();
        // Most often the storage gives it one.
        let id = task.task_id().filter(|_| is_recording());
        let id = id.map(ToString::to_string);
        let mut message = super::message::<Args>();
        if let Some(id) = &id {
            message = message.id(id);
        }
        message.publish_in(|trace| {
            take_along(&mut task, trace.as_ref());
            self.push_task(task)
        })
    }

    /// Pushes many jobs or tasks at once, as `push_bulk` and `push_all` do: one span for all of them.
    ///
    /// All else is as with [`push_traced`](Self::push_traced).
    ///
    /// # Errors
    ///
    /// Those of `push_all`, untouched.
    fn push_all_traced<T: Into<Task<Args>>>(
        &mut self,
        tasks: impl IntoIterator<Item = T>,
    ) -> impl Future<Output = Result<(), TaskSinkError<Self::Error>>> + Send
    where
        Args: Send,
    {
        let mut tasks: Vec<Task<Args>> = tasks.into_iter().map(Into::into).collect();
        let message = super::message::<Args>().batch_count(tasks.len());
        message.publish_in(|trace| {
            for task in &mut tasks {
                take_along(task, trace.as_ref());
            }
            self.push_all(stream::iter(tasks))
        })
    }
}

impl<S, Args, Kind> TaskSinkExt<Args, Kind> for S where S: TaskSink<Args, Kind> {}

/// Puts the trace into the metadata of a task, in the place of what was there.
fn take_along<Args>(task: &mut Task<Args>, trace: Option<&OutgoingTrace>) {
    if let Some(trace) = trace {
        // It has no errors but for those who read.
        let run_at = super::run_at(task);
        let _ = task.inject_metadata(&Carried { trace, run_at });
    }
}

/// What a task that is pushed takes along.
struct Carried<'a> {
    trace: &'a OutgoingTrace,
    run_at: Option<Duration>,
}

impl Metadata for Carried<'_> {
    type Error = ();

    /// It only goes out: what comes in is read as the headers of any message.
    fn extract(_: &MetadataStore) -> Result<Self, ()> {
        Err(())
    }

    fn inject(&self, metadata: &mut MetadataStore) -> Result<(), ()> {
        self.trace.inject(metadata.as_mut());
        super::note_ready_at(metadata, self.run_at);
        Ok(())
    }
}
