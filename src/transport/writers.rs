//! Threads for work that would block the worker's own thread.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::job::Job;
use crate::own_work::hidden_work;

/// Runs slow work on blocking threads, few at a time: the application needs the processor more.
#[derive(Clone)]
pub(super) struct Writers(Arc<Semaphore>);

impl Writers {
    /// Runs something with a job. `None`: the job was settled or returned.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        job: Job,
        work: impl FnOnce(Job) -> Option<T> + Send + 'static,
    ) -> Option<T> {
        // Never closed; on an error the work would run at once.
        let permit = Arc::clone(&self.0).acquire_owned().await;
        let work = move || {
            let _permit = permit;
            let home = Arc::clone(job.home());
            let done = work(job);
            if done.is_none() {
                // If this runtime has ended, another worker may be waiting for the job to settle.
                home.ring();
            }
            done
        };
        // If the work never runs, the job returns by itself.
        spawn_blocking(hidden_work(work)).await.ok().flatten()
    }
}

impl Default for Writers {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_WRITERS)))
    }
}

const MAX_WRITERS: usize = 2;
