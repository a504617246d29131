//! The layer of [apalis](https://docs.rs/apalis): jobs as transactions.
//!
//! Who enqueues a job pushes it with [`push_traced`](TaskSinkExt::push_traced): a span
//! `queue.publish`, and the trace as `sentry-trace` and `baggage` in the task's metadata.
//! [`WorkerLayer`] makes a transaction `queue.process` of each run of it, in that trace and below
//! that span.
//!
#![cfg_attr(not(doctest), doc = include_str!("../examples/apalis.md"))]
//!
//! Transactions are named by the type of the job, which is also what storages call their queues
//! unless they are told otherwise. They know the id of the task, the worker, the queue if the storage
//! says it, how often the task was tried before, and how long it has waited since it was pushed or,
//! if that was later, first due.
//!
//! # The place of the layer
//!
//! Layers of a worker wrap those that are added after them.
//!
//! | Add it | Because |
//! |---|---|
//! | after `retry` | each try is a transaction then, in the same trace |
//! | after `catch_panic` | a panic ends it as `internal_error`, and not as the error it is turned into |
//! | after `parallelize` | spans of a spawned handler would not be part of it; or spawn with [`taskspan::spawn`](crate::spawn) |
//! | before `timeout` | what takes too long ends as `deadline_exceeded`, and not as `cancelled` |
//!
//! # How jobs end
//!
//! | The handler | Status |
//! |---|---|
//! | returns `Ok` | `ok` |
//! | returns an error | `internal_error` |
//! | returns an `AbortError` | `aborted` |
//! | returns a `RetryAfterError` or `DeferredError` | `unavailable` |
//! | takes longer than the layer `timeout` or a timeout of Tokio's allows | `deadline_exceeded` |
//! | panics | `internal_error` |
//! | is dropped, as by a runtime that shuts down | `cancelled` |
//!
//! What the handler sets by itself goes before that: [`Span::set_status`](crate::Span::set_status)
//! of the [`current_transaction`](crate::current_transaction).
//!
//! # What is not seen
//!
//! * What is pushed in other ways, with `push` or by apalis itself, takes no trace along: its job
//!   begins one of its own.
//! * Metadata stays with a task where the backend stores it, as those for Redis and SQLite do. A
//!   backend that drops it drops the trace as well.

mod layer;
mod sink;
mod worker_future;

pub use self::layer::{Worker, WorkerLayer};
pub use self::sink::TaskSinkExt;
pub use self::worker_future::WorkerFuture;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use apalis_core::task::ExecutionContext;
use apalis_core::task::metadata::MetadataStore;

use super::messaging::Message;

/// What is known of every task of a type.
fn message<'a, Args>() -> Message<'a> {
    Message::new("apalis", std::any::type_name::<Args>()).origin("auto.queue.apalis")
}

/// Where the time is kept from which on a task waited: seconds since 1970, as SDKs for other
/// languages have it.
const READY_AT: &str = "sentry-task-enqueued-time";

/// Notes from when on a task waits that is pushed now: at once, or when it is due.
fn note_ready_at(metadata: &mut MetadataStore, run_at: Option<Duration>) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let ready_at = now.unwrap_or_default().max(run_at.unwrap_or_default());
    metadata.replace(READY_AT, format!("{:.6}", ready_at.as_secs_f64()));
}

/// From when on a task waited, if it is known: from what was noted, or what the storage says if it
/// has put the task off since.
fn ready_at(task: &ExecutionContext) -> Option<SystemTime> {
    let noted = task.metadata().get(READY_AT);
    let noted = noted.and_then(|text| Duration::try_from_secs_f64(text.parse().ok()?).ok());
    UNIX_EPOCH.checked_add(noted.max(run_at(task))?)
}

fn run_at(task: &ExecutionContext) -> Option<Duration> {
    task.run_at().map(Duration::from_secs)
}
