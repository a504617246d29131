//! Jobs of apalis, kept by Redis and by SQLite.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![allow(dead_code, reason = "not all that is shared is used here")]

#[path = "support/server_process.rs"]
mod server_process;

use std::any::type_name;
use std::collections::HashMap;
use std::future::pending;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use apalis::prelude::*;
use apalis_redis::RedisStorage;
use apalis_sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteStorage};
use futures_util::FutureExt;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use taskspan::apalis::{TaskSinkExt, WorkerLayer};
use taskspan::protocol::Transaction;
use taskspan::test::Sent;
use taskspan::{Instrument, Options, SpanStatus};
use tokio::sync::Notify;
use tokio::time::timeout;
use tower::{Layer, Service};

use crate::server_process::{ServerProcess, free_address};

/// What a job does.
#[derive(Clone, Debug, Deserialize, Serialize)]
enum Job {
    Succeed,
    Fail,
    /// Fails so often before it succeeds.
    FailFirst(usize),
    Abort,
    Retry,
    Defer,
    Panic,
    Hang,
    GiveUpWaiting,
    SayItself,
    /// Notes its number.
    Number(usize),
}

async fn work(job: Job, attempt: Attempt) -> Result<(), BoxDynError> {
    match job {
        Job::Succeed => {
            async {}.in_span("db.query", "SELECT 1").await;
            Ok(())
        }
        Job::FailFirst(times) if attempt.current() > times => Ok(()),
        Job::Fail | Job::FailFirst(_) => Err("no such file".into()),
        Job::Abort => Err(AbortError::new("no such user").into()),
        Job::Retry => Err(RetryAfterError::new("busy", Duration::from_secs(1)).into()),
        Job::Defer => Err(DeferredError::new("not yet").into()),
        Job::Panic => panic!("out of memory"),
        Job::Hang => pending().await,
        Job::GiveUpWaiting => {
            timeout(Duration::from_millis(1), pending::<()>()).await?;
            Ok(())
        }
        Job::SayItself => {
            let root = taskspan::current_transaction().unwrap();
            root.set_status(SpanStatus::NotFound);
            Ok(())
        }
        Job::Number(number) => {
            for _ in 0..3 {
                tokio::task::yield_now().await;
                taskspan::span("number", number.to_string()).in_scope(|_| ());
            }
            Ok(())
        }
    }
}

/// No test waits longer than this for anything.
const SOON: Duration = Duration::from_secs(30);

/// Runs a worker until it ends, and has it look for jobs all the time: storages sleep for half a
/// minute once they have found none.
async fn run(worker: impl Future<Output = Result<(), WorkerError>>) {
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    let running = async {
        tokio::pin!(worker);
        loop {
            tokio::select! {
                ended = &mut worker => break ended.unwrap(),
                _ = ticks.tick() => {}
            }
        }
    };
    timeout(SOON, running).await.expect("no more jobs");
}

struct Redis {
    server: ServerProcess,
    jobs: RedisStorage<Job>,
}

impl Redis {
    async fn start() -> Self {
        let address = free_address();
        let server = ServerProcess::start(address, |folder, address| {
            let mut command = Command::new("redis-server");
            command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
            command.arg("--port").arg(address.port().to_string());
            command.arg("--dir").arg(folder);
            command
        });
        let connection = apalis_redis::connect(format!("redis://{address}")).await;
        Self {
            server,
            jobs: RedisStorage::new(connection.unwrap()),
        }
    }
}

struct Sqlite {
    jobs: SqliteStorage<Job>,
    folder: PathBuf,
}

impl Sqlite {
    async fn start() -> Self {
        static DATABASES: AtomicUsize = AtomicUsize::new(0);
        let number = DATABASES.fetch_add(1, Ordering::SeqCst);
        let name = format!("{}-sqlite-{number}", std::process::id());
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let file = SqliteConnectOptions::new().filename(folder.join("jobs"));
        let options = SqlitePoolOptions::new().max_connections(1);
        let pool = options.connect_with(file.create_if_missing(true)).await;
        let pool = pool.unwrap();
        SqliteStorage::setup(&pool).await.unwrap();
        let jobs = SqliteStorage::new(&pool);
        Self { jobs, folder }
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

trait OfQueue {
    /// The same storage with another queue.
    fn of_queue(&self, name: &str) -> Self;
}

impl OfQueue for RedisStorage<Job> {
    fn of_queue(&self, name: &str) -> Self {
        let config = apalis_redis::Config::default().queue(name);
        self.clone().with_config(config)
    }
}

impl OfQueue for SqliteStorage<Job> {
    fn of_queue(&self, name: &str) -> Self {
        let config = apalis_sqlite::Config::default().queue(name);
        self.clone().with_config(config)
    }
}

/// Tests that are the same for both storages.
macro_rules! on_both {
    ($($(#[$how:meta])* async fn $name:ident($jobs:ident) $body:block)*) => {
        mod redis {
            use super::*;
            $(
                $(#[$how])*
                async fn $name() {
                    let redis = Redis::start().await;
                    #[allow(unused_mut, reason = "some are only read")]
                    let mut $jobs = redis.jobs.of_queue("jobs");
                    $body
                }
            )*
        }
        mod sqlite {
            use super::*;
            $(
                $(#[$how])*
                async fn $name() {
                    let sqlite = Sqlite::start().await;
                    #[allow(unused_mut, reason = "some are only read")]
                    let mut $jobs = sqlite.jobs.of_queue("jobs");
                    $body
                }
            )*
        }
    };
}

/// A worker for the jobs of a storage, with the layers that are given, until it has done so many.
macro_rules! run {
    ($client:expr, $jobs:expr, $count:expr, |$builder:ident| $layers:expr) => {{
        // Storages refuse workers of the same name one after the other.
        static WORKERS: AtomicUsize = AtomicUsize::new(0);
        let name = format!(
            "worker-{}-{}",
            line!(),
            WORKERS.fetch_add(1, Ordering::SeqCst)
        );
        let $builder = WorkerBuilder::new(name.as_str())
            .backend($jobs.clone())
            .on_event(stop_after($count));
        run($layers.build(work).run().with_client(&$client)).await;
    }};
}

fn stop_after(jobs: usize) -> impl Fn(&WorkerContext, &Event) + Send + Sync {
    let done = AtomicUsize::new(0);
    move |worker, event| {
        let is_done = matches!(event, Event::Success(_) | Event::Error(_));
        if is_done && done.fetch_add(1, Ordering::SeqCst) + 1 == jobs {
            worker.stop().unwrap();
        }
    }
}

fn client() -> (taskspan::Client, Sent) {
    client_with(Options::disabled().traces_sample_rate(1.0))
}

fn client_with(options: Options) -> (taskspan::Client, Sent) {
    taskspan::test::client(options)
}

fn status(transaction: &Transaction) -> SpanStatus {
    transaction.contexts.trace.status.unwrap()
}

fn data(transaction: &Transaction, key: &str) -> Option<Value> {
    transaction.contexts.trace.data.get(key).cloned()
}

/// Checks that a job failed twice before it succeeded.
fn assert_tries(sent: &[Transaction]) {
    let statuses: Vec<_> = sent[1..].iter().map(status).collect();
    let failed = SpanStatus::InternalError;
    assert_eq!(statuses, [failed, failed, SpanStatus::Ok]);
    let mut ids = Vec::new();
    for (tries, processed) in sent[1..].iter().enumerate() {
        let root = &processed.contexts.trace;
        assert_eq!(root.trace_id, sent[0].contexts.trace.trace_id);
        assert_eq!(root.parent_span_id, Some(sent[0].spans[0].span_id));
        assert_eq!(
            data(processed, "messaging.message.retry.count"),
            Some(tries.into())
        );
        ids.push(data(processed, "messaging.message.id").unwrap());
    }
    assert!(ids[0] == ids[1] && ids[1] == ids[2], "{ids:?}");
}

on_both! {
    #[tokio::test]
    async fn a_job_runs_in_the_trace_that_pushed_it(jobs) {
        let (client, sent) = client();
        let pushing = async { jobs.push_traced(Job::Succeed).await.unwrap() };
        pushing.in_transaction("http.server", "POST /users").with_client(&client).await;
        run!(client, jobs, 1, |builder| builder.layer(WorkerLayer::new()));

        let job = type_name::<Job>();
        let tree = format!(
            "http.server POST /users (ok)\n  queue.publish {job} (ok)\n\
             queue.process {job} (ok)\n  db.query SELECT 1 (ok)\n"
        );
        assert_eq!(sent.tree(), tree);
        let sent = sent.take();
        let (published, processed) = (&sent[0].spans[0], &sent[1]);
        let root = &processed.contexts.trace;
        assert_eq!(root.trace_id, sent[0].contexts.trace.trace_id);
        assert_eq!(root.parent_span_id, Some(published.span_id));
        assert_eq!(root.origin, "auto.queue.apalis");
        assert_eq!(published.origin, "auto.queue.apalis");
        let both = [
            ("messaging.system", "apalis"),
            ("messaging.destination.name", job),
        ];
        for (key, expected) in both {
            assert_eq!(published.data.get(key).cloned(), Some(expected.into()), "{key}");
            assert_eq!(data(processed, key), Some(expected.into()), "{key}");
        }
        let kind = "messaging.operation.type";
        assert_eq!(published.data.get(kind).cloned(), Some("publish".into()));
        assert_eq!(data(processed, kind), Some("process".into()));
        assert_eq!(data(processed, "messaging.message.retry.count"), Some(0.into()));
        let worker = data(processed, "apalis.worker").unwrap();
        assert!(worker.as_str().unwrap().starts_with("worker-"), "{worker}");
        let id = data(processed, "messaging.message.id").unwrap();
        assert_eq!(id.as_str().unwrap().len(), 26, "an ULID: {id}");
        let latency = data(processed, "messaging.message.receive.latency").unwrap();
        let latency = u128::from(latency.as_u64().unwrap());
        assert!(latency < SOON.as_millis(), "{latency} ms");
    }

    #[tokio::test]
    async fn jobs_end_as_what_they_are(jobs) {
        let (client, sent) = client();
        let table = [
            (Job::Succeed, SpanStatus::Ok),
            (Job::Fail, SpanStatus::InternalError),
            (Job::Abort, SpanStatus::Aborted),
            (Job::Retry, SpanStatus::Unavailable),
            (Job::Defer, SpanStatus::Unavailable),
            (Job::Panic, SpanStatus::InternalError),
            (Job::Hang, SpanStatus::DeadlineExceeded),
            (Job::GiveUpWaiting, SpanStatus::DeadlineExceeded),
            (Job::SayItself, SpanStatus::NotFound),
        ];
        for (case, (job, expected)) in table.into_iter().enumerate() {
            // Whatever fails is tried again, but not from another queue.
            let mut jobs = jobs.of_queue(&case.to_string());
            jobs.push_traced(job.clone()).await.unwrap();
            let limit = match job {
                Job::Hang => Duration::from_millis(1),
                _ => SOON,
            };
            run!(client, jobs, 1, |builder| builder
                .catch_panic()
                .layer(WorkerLayer::new())
                .timeout(limit));
            let sent = sent.take();
            assert_eq!(sent.len(), 1, "{job:?}");
            assert_eq!(status(&sent[0]), expected, "{job:?}");
        }
    }

    #[tokio::test]
    async fn a_job_that_was_not_due_did_not_wait(jobs) {
        let (client, sent) = client();
        let hour = Duration::from_secs(3_600);
        for is_due in [true, false] {
            let pushed = SystemTime::now();
            // Storages keep whole seconds, so that is a second to wait at least.
            let (run_at, waited_until_due) = match is_due {
                true => (pushed - hour, 0.0),
                false => (pushed + Duration::from_secs(2), 999.0),
            };
            let task = TaskBuilder::new(Job::Succeed).run_at_time(run_at).build();
            let pushing = async { jobs.push_traced(task).await.unwrap() };
            pushing.with_client(&client).await;
            run!(client, jobs, 1, |builder| builder.layer(WorkerLayer::new()));
            let passed = pushed.elapsed().unwrap().as_secs_f64() * 1e3;
            let processed = sent.take().remove(0);
            let latency = data(&processed, "messaging.message.receive.latency").unwrap();
            let latency = latency.as_f64().unwrap();
            assert!(latency + waited_until_due < passed, "{latency} ms of {passed} ms");
        }
    }

    #[tokio::test]
    async fn each_try_is_a_transaction(jobs) {
        let (client, sent) = client();
        let pushing = async { jobs.push_traced(Job::FailFirst(2)).await.unwrap() };
        pushing.in_transaction("task", "enqueue").with_client(&client).await;
        run!(client, jobs, 1, |builder| builder
            .retry(RetryPolicy::retries(5))
            .layer(WorkerLayer::new()));
        assert_tries(&sent.take());
    }

    #[tokio::test]
    async fn tries_that_the_storage_makes_are_in_the_same_trace(jobs) {
        let (client, sent) = client();
        let pushing = async { jobs.push_traced(Job::FailFirst(2)).await.unwrap() };
        pushing.in_transaction("task", "enqueue").with_client(&client).await;
        run!(client, jobs, 3, |builder| builder.layer(WorkerLayer::new()));
        assert_tries(&sent.take());
    }

    #[tokio::test]
    async fn decisions_are_carried(jobs) {
        // the publisher, whether a worker with a rate records it
        let table = [
            (Options::disabled().traces_sample_rate(1.0), true),
            (Options::disabled().traces_sample_rate(0.0), false),
            (Options::disabled(), true),
        ];
        for (options, recorded) in table {
            let (publisher, published) = client_with(options);
            let pushing = async {
                jobs.push_traced(Job::Succeed).await.unwrap();
                taskspan::current_transaction().unwrap().trace_id().unwrap()
            };
            let pushing = pushing.in_transaction("task", "enqueue").with_client(&publisher);
            let trace_id = pushing.await;
            let (consumer, processed) = client();
            run!(consumer, jobs, 1, |builder| builder.layer(WorkerLayer::new()));
            let processed = processed.take();
            assert_eq!(processed.len(), usize::from(recorded), "{:?}", published.take());
            for processed in processed {
                assert_eq!(processed.contexts.trace.trace_id, trace_id);
            }
        }
    }

    #[tokio::test]
    async fn a_job_that_carries_nothing_begins_a_trace(jobs) {
        let (client, sent) = client();
        // There is nothing to carry without a client.
        jobs.push_traced(Job::Succeed).await.unwrap();
        let pushing = async { jobs.push(Job::Succeed).await.unwrap() };
        pushing.in_transaction("task", "enqueue").with_client(&client).await;
        let around = async {
            run!(client, jobs, 2, |builder| builder.layer(WorkerLayer::new()));
        };
        around.in_transaction("task", "worker").with_client(&client).await;
        let all = sent.take();
        let mut traces: Vec<_> = all.iter().map(|one| one.contexts.trace.trace_id).collect();
        traces.sort();
        traces.dedup();
        assert_eq!((traces.len(), all.len()), (4, 4), "{all:#?}");
        assert!(all.iter().all(|one| one.contexts.trace.parent_span_id.is_none()));

        // Under a client there is always a trace: one of its own for each push.
        let pushing = async {
            jobs.push_traced(Job::Succeed).await.unwrap();
            jobs.push_traced(Job::Succeed).await.unwrap();
        };
        pushing.with_client(&client).await;
        run!(client, jobs, 2, |builder| builder.layer(WorkerLayer::new()));
        let [first, second] = &sent.take()[..] else {
            panic!("one for each job");
        };
        let (first, second) = (&first.contexts.trace, &second.contexts.trace);
        assert_ne!(first.trace_id, second.trace_id);
        assert!(first.parent_span_id.is_some() && second.parent_span_id.is_some());
    }

    #[tokio::test]
    async fn metadata_of_others_stays_and_garbage_is_ignored(jobs) {
        let (client, sent) = client();
        let tenant = [("tenant", "3"), ("baggage", "vendor=1"), ("sentry-trace", "old")];
        let task = TaskBuilder::new(Job::Succeed).with_metadata(MetadataStore::from_iter(tenant));
        let pushing = async { jobs.push_traced(task.build()).await.unwrap() };
        pushing.in_transaction("task", "enqueue").with_client(&client).await;
        for time in ["NaN", "-1", "1e300", "yesterday", ""] {
            let garbage = [
                ("sentry-trace", "00000000000000000000000000000000-0000000000000000-1"),
                ("baggage", "=,;%%%"),
                ("sentry-task-enqueued-time", time),
            ];
            let metadata = MetadataStore::from_iter(garbage);
            let task = TaskBuilder::new(Job::Succeed).with_metadata(metadata);
            jobs.push_task(task.build()).await.unwrap();
        }
        let seen = Seen::default();
        let worker = WorkerBuilder::new("worker")
            .backend(jobs.clone())
            .on_event(stop_after(6))
            .layer(WorkerLayer::new().with_client(&client))
            .data(Arc::clone(&seen))
            .build(async |_: Job, metadata: MetadataStore, seen: Data<Seen>| {
                seen.lock().unwrap().push(metadata);
            });
        run(worker.run()).await;

        let sent = sent.take();
        let trace_id = sent[0].contexts.trace.trace_id;
        let seen = seen.lock().unwrap();
        let traced = seen.iter().find(|one| one.get("tenant") == Some("3")).unwrap();
        assert!(traced["sentry-trace"].starts_with(&trace_id.to_string()), "{traced:?}");
        assert!(traced["baggage"].starts_with("vendor=1,sentry-"), "{traced:?}");
        let (continued, alone): (Vec<_>, Vec<_>) =
            sent[1..].iter().partition(|one| one.contexts.trace.trace_id == trace_id);
        assert_eq!((continued.len(), alone.len()), (1, 5));
        assert!(alone.iter().all(|one| one.contexts.trace.parent_span_id.is_none()));
        assert!(alone.iter().all(|one| status(one) == SpanStatus::Ok));
    }

    #[tokio::test]
    async fn many_are_pushed_at_once(jobs) {
        let (client, sent) = client();
        let pushing = async {
            let tasks = [
                TaskBuilder::new(Job::Succeed).build(),
                TaskBuilder::new(Job::Succeed).priority(3).build(),
                Job::Succeed.into(),
            ];
            jobs.push_all_traced(tasks).await.unwrap();
            jobs.push_all_traced::<Job>([]).await.unwrap();
        };
        pushing.in_transaction("task", "enqueue").with_client(&client).await;
        run!(client, jobs, 3, |builder| builder.layer(WorkerLayer::new()));
        let sent = sent.take();
        let published = &sent[0].spans[0];
        let count = |index: usize| sent[0].spans[index].data.get("messaging.batch.message_count").cloned();
        assert_eq!([count(0), count(1)], [Some(3.into()), Some(0.into())]);
        assert_eq!(sent.len(), 4);
        for processed in &sent[1..] {
            let root = &processed.contexts.trace;
            assert_eq!(root.parent_span_id, Some(published.span_id));
        }
    }

    #[tokio::test]
    async fn a_worker_that_goes_away_ends_its_jobs(jobs) {
        let (client, sent) = client();
        jobs.push_traced(Job::Hang).await.unwrap();
        let begun = Arc::new(Notify::new());
        let has_begun = Arc::clone(&begun);
        let worker = WorkerBuilder::new("worker")
            .backend(jobs.clone())
            .layer(WorkerLayer::new().with_client(&client))
            .data(begun)
            .build(async |_: Job, begun: Data<Arc<Notify>>| {
                begun.notify_one();
                pending::<()>().in_span("db.query", "SELECT 1").await;
            });
        tokio::select! {
            () = run(worker.run()) => unreachable!("it hangs"),
            begun = timeout(SOON, has_begun.notified()) => begun.unwrap(),
        }
        let job = type_name::<Job>();
        let tree = format!("queue.process {job} (cancelled)\n  db.query SELECT 1 (cancelled)\n");
        assert_eq!(sent.tree(), tree);
    }

    #[tokio::test]
    async fn a_worker_that_is_stopped_finishes_its_jobs(jobs) {
        let (client, sent) = client();
        jobs.push_traced(Job::Succeed).await.unwrap();
        let worker = WorkerBuilder::new("worker")
            .backend(jobs.clone())
            .layer(WorkerLayer::new().with_client(&client))
            .build(async |_: Job, worker: WorkerContext| {
                worker.stop().unwrap();
                tokio::task::yield_now().await;
                async {}.in_span("db.query", "SELECT 1").await;
            });
        run(worker.run()).await;
        let job = type_name::<Job>();
        let tree = format!("queue.process {job} (ok)\n  db.query SELECT 1 (ok)\n");
        assert_eq!(sent.tree(), tree);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn two_hundred_jobs_do_not_mix(jobs) {
        let (client, sent) = client();
        let pushing = (0..200).map(|number| {
            let mut jobs = jobs.clone();
            let pushing = async move { jobs.push_traced(Job::Number(number)).await.unwrap() };
            let transaction = pushing.in_transaction("task", number.to_string());
            transaction.with_client(&client)
        });
        join_all(pushing).await;
        run!(client, jobs, 200, |builder| builder
            .parallelize(tokio::spawn)
            .concurrency(20)
            .layer(WorkerLayer::new()));

        let sent = sent.take();
        let (published, processed): (Vec<_>, Vec<_>) =
            sent.iter().partition(|one| one.contexts.trace.op == "task");
        assert_eq!((published.len(), processed.len()), (200, 200));
        let published: HashMap<_, _> = published.iter().map(|one| (&*one.name, one)).collect();
        for processed in processed {
            let spans = &processed.spans;
            assert_eq!(spans.len(), 3);
            assert!(spans.iter().all(|span| span.description == spans[0].description));
            let root = &processed.contexts.trace;
            let publisher = published[&*spans[0].description];
            assert_eq!(root.trace_id, publisher.contexts.trace.trace_id);
            assert_eq!(root.parent_span_id, Some(publisher.spans[0].span_id));
        }
    }
}

#[tokio::test]
async fn the_place_of_the_layer_matters() {
    let (client, sent) = client();
    let sqlite = Sqlite::start().await;
    let layer = WorkerLayer::new;
    let soon = Duration::from_millis(20);
    let mut outcomes = Vec::new();
    let mut case = 0;
    macro_rules! check {
        ($job:expr, |$builder:ident| $layers:expr) => {
            case += 1;
            let mut jobs = sqlite.jobs.of_queue(&case.to_string());
            jobs.push_traced($job).await.unwrap();
            run!(client, jobs, 1, |$builder| $layers);
            let tree = sent.tree().replace(type_name::<Job>(), "Job");
            outcomes.push(tree);
            sent.take();
        };
    }
    // As the documentation says not to do it.
    check!(Job::Hang, |builder| builder.timeout(soon).layer(layer()));
    check!(Job::FailFirst(2), |builder| {
        builder.layer(layer()).retry(RetryPolicy::retries(5))
    });
    check!(Job::Panic, |builder| builder.layer(layer()).catch_panic());
    check!(Job::Succeed, |builder| {
        builder.layer(layer()).parallelize(tokio::spawn)
    });
    // And as it says to do it.
    check!(Job::Hang, |builder| builder.layer(layer()).timeout(soon));
    check!(Job::Panic, |builder| builder.catch_panic().layer(layer()));
    check!(Job::Succeed, |builder| {
        builder.layer(layer()).parallelize(taskspan::spawn)
    });
    check!(Job::Succeed, |builder| {
        builder.parallelize(tokio::spawn).layer(layer())
    });
    assert_eq!(
        outcomes,
        [
            "queue.process Job (cancelled)\n",
            "queue.process Job (ok)\n",
            "queue.process Job (aborted)\n",
            "queue.process Job (ok)\n",
            "queue.process Job (deadline_exceeded)\n",
            "queue.process Job (internal_error)\n",
            "queue.process Job (ok)\n  db.query SELECT 1 (ok)\n",
            "queue.process Job (ok)\n  db.query SELECT 1 (ok)\n",
        ]
    );
}

#[tokio::test]
async fn what_is_not_pushed_ends_as_what_it_is() {
    let (client, sent) = client();
    let closed = Sqlite::start().await;
    closed.jobs.pool().close().await;
    let mut redis = Redis::start().await;
    let busy = Sqlite::start().await;
    let work = async {
        let mut closed = closed.jobs.clone();
        let plain = closed.push(Job::Succeed).await.unwrap_err();
        let traced = closed.push_traced(Job::Succeed).await.unwrap_err();
        assert_eq!(traced.to_string(), plain.to_string());
        let traced = closed.push_all_traced([Job::Succeed]).await.unwrap_err();
        assert_eq!(traced.to_string(), plain.to_string());

        redis.server.kill();
        let failed = timeout(SOON, redis.jobs.push_traced(Job::Succeed)).await;
        failed.expect("it gives up").unwrap_err();

        // The only connection is taken.
        let taken = busy.jobs.pool().acquire().await.unwrap();
        let mut jobs = busy.jobs.clone();
        assert!(jobs.push_traced(Job::Succeed).now_or_never().is_none());
        drop(taken);
    };
    work.in_transaction("task", "enqueue")
        .with_client(&client)
        .await;
    let job = type_name::<Job>();
    let failed = format!("  queue.publish {job} (internal_error)\n").repeat(3);
    let cancelled = format!("  queue.publish {job} (cancelled)\n");
    assert_eq!(
        sent.tree(),
        format!("task enqueue (ok)\n{failed}{cancelled}")
    );
}

/// What handlers found in the metadata of their tasks.
type Seen = Arc<Mutex<Vec<MetadataStore>>>;

/// What [`TaskSinkExt::push_traced`] puts into the metadata, by hand.
struct ByHand;

impl Metadata for ByHand {
    type Error = ();

    fn extract(_: &MetadataStore) -> Result<Self, ()> {
        Ok(Self)
    }

    fn inject(&self, metadata: &mut MetadataStore) -> Result<(), ()> {
        taskspan::outgoing_trace()
            .unwrap()
            .inject(metadata.as_mut());
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap();
        let seconds = format!("{:.6}", now.as_secs_f64());
        metadata.replace("sentry-task-enqueued-time", seconds);
        Ok(())
    }
}

#[test]
fn an_unsampled_job_costs_its_metadata_only() {
    let (client, _) = client_with(Options::disabled().traces_sample_rate(0.0));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let measure = |work: &mut dyn FnMut()| allocation_counter::measure(work).count_total;
    let push = |traced: bool, carried: bool| {
        let mut jobs = MemoryStorage::new();
        measure(&mut || {
            let mut task: Task<Job> = Job::Succeed.into();
            if carried && !traced {
                task.inject_metadata(&ByHand).unwrap();
            }
            let pushed = match traced {
                true => jobs.push_traced(task).now_or_never(),
                false => jobs.push_task(task).now_or_never(),
            };
            pushed.unwrap().unwrap();
        })
    };
    push(true, false); // What happens once.
    assert_eq!(push(true, false), push(false, false));
    let work = async {
        taskspan::outgoing_trace().unwrap();
        (push(true, true), push(false, true))
    };
    let work = work.in_transaction("task", "enqueue").with_client(&client);
    let (traced, by_hand) = runtime.block_on(work);
    assert_eq!(traced, by_hand);

    // The bare handler allocates nothing.
    let run = |carried: bool| {
        let mut task: Task<Job> = Job::Succeed.into();
        if carried {
            task.inject_metadata(&ByHand).unwrap();
        }
        let handler = tower::service_fn(async |_: Task<Job>| Ok::<_, BoxDynError>(()));
        let mut worker = WorkerLayer::new().layer(handler);
        let mut task = Some(task);
        measure(&mut || {
            let running = worker.call(task.take().unwrap());
            running.now_or_never().unwrap().unwrap();
        })
    };
    assert_eq!(run(false), 0, "without a client");
    let unsampled = async { (run(false), run(true)) };
    let (alone, continued) = runtime.block_on(unsampled.with_client(&client));
    // What a sampler is told before it decides.
    assert!(alone <= 10 && continued <= 14, "{alone} {continued}");
}
