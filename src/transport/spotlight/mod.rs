//! Copies for Spotlight, which shows a developer what a program sends.
//!
//! ```text
//! copy ─► queue, bounded ─► worker task ─► write ─► upload, one at a time
//! ```
//!
//! This is a way of its own, beside the one to the server and never in its way:
//! nothing here is counted, tried again or waited for by anybody but a flush.
//! While Spotlight does not answer, everything is dropped.

mod backoff;
mod copied;
mod worker;

use crate::transport::payload::Payload;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::Uri;
use tokio::runtime::{self, Handle};
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time;

use self::copied::Copied;
use self::worker::Worker;
use crate::http::HttpConfig;
use crate::own_work::hidden;
use crate::protocol::ClientReport;

/// The way to Spotlight's sidecar, the process that takes envelopes.
///
/// Dropping it never blocks: what is queued is sent as long as the worker's
/// runtime lives.
pub(crate) struct Sidecar {
    config: HttpConfig,
    /// A permit for each kibibyte that may wait.
    room: Arc<Semaphore>,
    state: Mutex<State>,
}

struct State {
    /// Whether anything is admitted.
    open: bool,
    /// `None` once the worker is to end.
    queue: Option<UnboundedSender<Message>>,
    /// Where the last worker was started.
    runtime: runtime::Id,
}

enum Message {
    /// Something to send, and the room that it takes until that is done.
    Copy(Content, OwnedSemaphorePermit),
    /// Somebody waits until all that came before is sent or dropped.
    Flush(oneshot::Sender<()>),
}

enum Content {
    Payload(Box<dyn Payload>),
    Report(ClientReport),
}

impl Sidecar {
    /// Starts the worker on a runtime, which needs its timer and its I/O enabled.
    pub(crate) fn new(endpoint: Uri, runtime: &Handle) -> Self {
        let config = HttpConfig::straight(endpoint, REQUEST_TIMEOUT);
        let state = State {
            open: true,
            queue: Some(start_worker(&config, runtime)),
            runtime: runtime.id(),
        };
        Self {
            config,
            room: Arc::new(Semaphore::new(ROOM)),
            state: Mutex::new(state),
        }
    }

    /// Queues something, and drops it if there is no room. Never blocks.
    pub(crate) fn submit(&self, payload: Box<dyn Payload>) {
        let size = payload.size();
        self.push(Content::Payload(payload), size);
    }

    /// Queues a copy of something that goes to the server, and returns what to send there.
    pub(crate) fn copy(&self, payload: Box<dyn Payload>) -> Box<dyn Payload> {
        let copied = Copied::new(payload);
        self.submit(Box::new(copied.clone()));
        Box::new(copied)
    }

    /// Queues a copy of a client report.
    pub(super) fn copy_report(&self, report: ClientReport) {
        let size = size_of_val(report.discarded_events.as_slice());
        self.push(Content::Report(report), size);
    }

    /// Waits until everything queued so far is sent or dropped, or until the deadline.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the waiting, not the sending.
    pub(crate) async fn flush(&self, deadline: Duration) {
        if Handle::try_current().is_err() {
            return;
        }
        let (done, waiting) = oneshot::channel();
        self.tell(Message::Flush(done));
        // A worker that is gone has dropped the other end.
        let _ = time::timeout(deadline, waiting).await;
    }

    /// Stops to admit anything, then does what [`flush`](Self::flush) does, and ends the worker.
    pub(crate) async fn close(&self, deadline: Duration) {
        self.state().open = false;
        self.flush(deadline).await;
        self.state().queue = None;
    }

    fn push(&self, content: Content, size: usize) {
        if !self.state().open {
            return;
        }
        let permits = u32::try_from(size / 1_024 + 1).unwrap_or(u32::MAX);
        if let Ok(room) = Arc::clone(&self.room).try_acquire_many_owned(permits) {
            self.tell(Message::Copy(content, room));
        }
    }

    /// Gives something to the worker. Where there is none any more, it is dropped.
    fn tell(&self, message: Message) {
        let mut state = self.state();
        let Some(queue) = &state.queue else { return };
        if queue.is_closed() {
            // Its runtime has ended, unless it panicked for want of a timer, as it would again.
            let current = Handle::try_current().ok();
            let Some(runtime) = current.filter(|current| current.id() != state.runtime) else {
                return;
            };
            state.runtime = runtime.id();
            state.queue = Some(start_worker(&self.config, &runtime));
        }
        let queue = state.queue.clone();
        drop(state);
        // What can't be sent is freed here, without the lock.
        let _ = queue.map(|queue| queue.send(message));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts a worker, which ends with its queue.
fn start_worker(config: &HttpConfig, runtime: &Handle) -> UnboundedSender<Message> {
    let (sender, queue) = mpsc::unbounded_channel();
    drop(runtime.spawn(hidden(Worker::new(config.clone()).run(queue))));
    sender
}

/// How many kibibytes may wait, as payloads measure themselves.
const ROOM: usize = 8 * 1_024;

/// Spotlight runs on the same machine: what takes longer does not work.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);
