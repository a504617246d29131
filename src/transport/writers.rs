//! Threads for what would keep the worker's own waiting.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::job::Job;
use crate::own_work::hidden_work;

/// Does work on threads that may block, a few at a time: the application needs the processor more.
#[derive(Clone)]
pub(super) struct Writers(Arc<Semaphore>);

impl Writers {
    /// Does something with a job. `None`: the job is settled, or has gone back by itself.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        job: Job,
        work: impl FnOnce(Job) -> Option<T> + Send + 'static,
    ) -> Option<T> {
        // Never closed; an error would only mean that nobody waits in line.
        let permit = Arc::clone(&self.0).acquire_owned().await;
        let work = move || {
            let _permit = permit;
            let home = Arc::clone(job.home());
            let done = work(job);
            if done.is_none() {
                // Somebody may wait for it with another worker, if this one's runtime has ended.
                home.ring();
            }
            done
        };
        // Should the thread never come to it, the job goes back.
        spawn_blocking(hidden_work(work)).await.ok().flatten()
    }
}

impl Default for Writers {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_WRITERS)))
    }
}

const MAX_WRITERS: usize = 2;
