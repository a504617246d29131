//! What is recorded, seen through a client that keeps it in memory.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::future::{pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, SystemTime};

use futures_util::FutureExt;
use futures_util::future::{join, join_all};
use taskspan::test::Sent;
use taskspan::{
    Client, DiscardReason, DropReason, Instrument, JoinSetExt, Options, SpanStatus,
    TransactionSource,
};
use tokio::sync::oneshot;
use tokio::task::{self, JoinSet, LocalSet};

fn client() -> (Client, Sent) {
    taskspan::test::client(Options::default().traces_sample_rate(1.0))
}

/// Runs a future as a transaction, and draws what became of it.
async fn tree_of<F: Future>(future: F) -> String {
    let (client, sent) = client();
    future
        .in_transaction("task", "t")
        .with_client(&client)
        .await;
    sent.tree()
}

fn yield_once() -> impl Future<Output = ()> {
    let mut yielded = false;
    poll_fn(move |cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
}

#[tokio::test]
async fn spans_nest_across_awaits() {
    let tree = tree_of(async {
        async {
            yield_once().await;
            async { yield_once().await }.in_span("c", "inner").await;
            taskspan::span("d", "sync")
                .in_scope(|_| taskspan::span("e", "deeper").in_scope(|_| ()));
        }
        .in_span("b", "outer")
        .await;
        ready(()).in_span("f", "after").await;
    });
    assert_eq!(
        tree.await,
        "task t (ok)\n  b outer (ok)\n    c inner (ok)\n    d sync (ok)\n      e deeper (ok)\n  f after (ok)\n"
    );
}

#[tokio::test]
async fn interleaved_futures_of_one_task_keep_to_their_own_parents() {
    let branch = |name: &'static str| {
        async {
            yield_once().await;
            yield_once().in_span("child", "").await;
        }
        .in_span("branch", name)
    };
    let tree = tree_of(join(branch("1"), branch("2"))).await;
    assert_eq!(
        tree,
        "task t (ok)\n  branch 1 (ok)\n    child  (ok)\n  branch 2 (ok)\n    child  (ok)\n"
    );
}

#[tokio::test]
async fn without_a_transaction_every_call_works_and_does_nothing() {
    assert!(taskspan::current_span().is_none());
    assert!(taskspan::current_transaction().is_none());
    taskspan::set_tag("a", "b");
    let seen = async {
        taskspan::span("a", "b").in_scope(|span| {
            span.set_tag("a", 1);
            span.set_data("a", 1);
            assert!(!span.is_recorded());
            assert_eq!((span.trace_id(), span.span_id()), (None, None));
        });
        let open = taskspan::span("a", "b").start();
        open.start_child("c", "d").finish();
        open.finish_at(SystemTime::now());
        taskspan::current_span().is_some()
    };
    assert!(!seen.in_span("a", "b").await);
    assert!(
        !async { taskspan::current_span().is_some() }
            .in_transaction("a", "b")
            .await
    );
    taskspan::transaction("a", "b").start().finish();
}

#[tokio::test]
async fn a_disabled_client_records_nothing() {
    let client = Client::new(Options::default().traces_sample_rate(1.0)).unwrap();
    assert!(!client.is_enabled());
    async { assert!(taskspan::current_span().is_none()) }
        .in_transaction("a", "b")
        .with_client(&client)
        .await;
    assert_eq!(client.close(Duration::ZERO).await.transactions.sampled, 0);
}

#[tokio::test]
async fn an_unsampled_transaction_is_counted_and_sends_nothing() {
    let (client, sent) = taskspan::test::client(Options::default().traces_sample_rate(0.0));
    async {
        let span = taskspan::current_transaction().unwrap();
        assert!(!span.is_recorded());
        assert!(span.span_id().is_some());
        ready(()).in_span("a", "b").await;
        taskspan::spawn(ready(()).in_span("a", "b")).await.unwrap();
        tokio::spawn(async { assert!(taskspan::current_span().is_some()) }.in_span("a", "b"))
            .await
            .unwrap();
        taskspan::span("a", "b").in_scope(|span| span.set_data("a", 1));
        span.start_child("a", "b").finish();
    }
    .in_transaction("task", "t")
    .with_client(&client)
    .await;
    async { taskspan::transaction("x", "y").start().finish() }
        .with_client(&client)
        .await;
    assert_eq!(sent.tree(), "");
    assert_eq!(client.stats().unsampled, 2);
    assert_eq!(client.stats().transactions.sampled, 0);
}

#[tokio::test]
async fn an_explicit_decision_wins_over_the_rate() {
    let (client, sent) = taskspan::test::client(Options::default());
    async {
        taskspan::transaction("a", "yes")
            .sampled(true)
            .in_scope(|_| ());
        taskspan::transaction("a", "no").in_scope(|_| ());
    }
    .with_client(&client)
    .await;
    assert_eq!(sent.tree(), "a yes (ok)\n");
    // Tracing is not switched on, so nothing was sampled out.
    assert_eq!(client.stats().unsampled, 0);
}

#[tokio::test]
async fn an_explicit_decision_wins_over_that_of_the_transaction_around() {
    let (client, sent) = client();
    async {
        taskspan::transaction("a", "no")
            .sampled(false)
            .in_scope(|_| {
                taskspan::transaction("b", "not either").in_scope(|_| ());
                taskspan::transaction("c", "yes")
                    .sampled(true)
                    .in_scope(|_| ());
            });
    }
    .in_transaction("task", "t")
    .with_client(&client)
    .await;
    assert_eq!(sent.tree(), "c yes (ok)\ntask t (ok)\n");
    assert_eq!(client.stats().unsampled, 2);
    let traces: Vec<_> = sent
        .take()
        .iter()
        .map(|sent| sent.contexts.trace.trace_id)
        .collect();
    assert_eq!(traces[0], traces[1]);
}

#[tokio::test]
async fn spawned_tasks_stay_in_the_transaction() {
    let tree = tree_of(async {
        async {
            taskspan::spawn(async { ready(()).in_span("in", "task").await })
                .await
                .unwrap();
            taskspan::spawn_blocking(|| taskspan::span("in", "blocking").in_scope(|_| ()))
                .await
                .unwrap();
            tokio::spawn(ready(()).in_span("in", "plain spawn"))
                .await
                .unwrap();
            let work =
                taskspan::in_current_scope(|| taskspan::span("in", "thread").in_scope(|_| ()));
            thread::spawn(work).join().unwrap();
            let mut set = JoinSet::new();
            set.spawn_in_current_scope(ready(()).in_span("in", "join set"));
            set.join_next().await.unwrap().unwrap();
            set.spawn_blocking_in_current_scope(|| {
                taskspan::span("in", "blocking set").in_scope(|_| ());
            });
            set.join_next().await.unwrap().unwrap();
        }
        .in_span("a", "parent")
        .await;
    })
    .await;
    let names = [
        "task",
        "blocking",
        "plain spawn",
        "thread",
        "join set",
        "blocking set",
    ];
    let children: String = names.map(|name| format!("    in {name} (ok)\n")).concat();
    assert_eq!(tree, format!("task t (ok)\n  a parent (ok)\n{children}"));
}

#[tokio::test]
async fn a_dropped_future_ends_its_spans_as_cancelled() {
    let tree = tree_of(async {
        let mut future = Box::pin(
            async {
                let _held = taskspan::span("c", "held").start();
                pending::<()>().in_span("b", "inner").await;
            }
            .in_span("a", "outer"),
        );
        let mut context = Context::from_waker(Waker::noop());
        assert!(future.as_mut().poll(&mut context).is_pending());
        drop(future);
        // Not polled, so it never started.
        drop(ready(()).in_span("never", "polled"));
        taskspan::span("a", "after").start().finish();
    })
    .await;
    assert_eq!(
        tree,
        "task t (ok)\n  a outer (cancelled)\n    c held (cancelled)\n    b inner (cancelled)\n  a after (ok)\n"
    );
}

#[tokio::test(start_paused = true)]
async fn select_timeout_and_abort_cancel() {
    let tree = tree_of(async {
        tokio::select! {
            () = pending::<()>().in_span("select", "loses") => {}
            () = yield_once() => {}
        }
        let slow = tokio::time::sleep(Duration::from_secs(9)).in_span("timeout", "elapses");
        tokio::time::timeout(Duration::from_secs(1), slow)
            .await
            .unwrap_err();
        let (started, waiting) = oneshot::channel();
        let task = taskspan::spawn(
            async {
                started.send(()).unwrap();
                pending::<()>().await;
            }
            .in_span("abort", "stopped"),
        );
        waiting.await.unwrap();
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    })
    .await;
    assert_eq!(
        tree,
        "task t (ok)\n  select loses (cancelled)\n  timeout elapses (cancelled)\n  abort stopped (cancelled)\n"
    );
}

#[tokio::test]
async fn a_dropped_transaction_is_cancelled() {
    let (client, sent) = client();
    let work = pending::<()>()
        .in_span("a", "b")
        .in_transaction("task", "t")
        .with_client(&client);
    assert!(work.now_or_never().is_none());
    assert_eq!(sent.tree(), "task t (cancelled)\n  a b (cancelled)\n");
}

#[tokio::test]
async fn a_panic_ends_span_and_transaction_as_internal_error_and_goes_on() {
    let (client, sent) = client();
    let work = async {
        let _held = taskspan::span("c", "held").start();
        async { panic!("on purpose") }.in_span("a", "b").await
    };
    let caught = AssertUnwindSafe(work.in_transaction("task", "t").with_client(&client))
        .catch_unwind()
        .await;
    let message = *caught.unwrap_err().downcast::<&str>().unwrap();
    assert_eq!(message, "on purpose");
    assert_eq!(
        sent.tree(),
        "task t (internal_error)\n  c held (internal_error)\n  a b (internal_error)\n"
    );
}

#[tokio::test]
async fn a_panic_in_a_closure_or_a_task_ends_its_span() {
    let tree = tree_of(async {
        let closure = || taskspan::span("sync", "b").in_scope(|_| panic!("on purpose"));
        catch_unwind(closure).unwrap_err();
        taskspan::spawn(async { panic!("on purpose") }.in_span("task", "c"))
            .await
            .unwrap_err();
        taskspan::span("a", "after").in_scope(|_| ());
    })
    .await;
    assert_eq!(
        tree,
        "task t (ok)\n  sync b (internal_error)\n  task c (internal_error)\n  a after (ok)\n"
    );
    let (client, sent) = client();
    let work = async { taskspan::transaction("sync", "t").in_scope(|_| panic!("on purpose")) };
    AssertUnwindSafe(work.with_client(&client))
        .catch_unwind()
        .await
        .unwrap_err();
    assert_eq!(sent.tree(), "sync t (internal_error)\n");
}

#[tokio::test]
async fn an_err_is_recorded_with_one_word() {
    let tree = tree_of(async {
        let failed = ready(Err::<(), _>("no"))
            .record_err()
            .in_span("a", "fails")
            .await;
        assert_eq!(failed, Err("no"));
        ready(Ok::<_, ()>(1))
            .record_err()
            .in_span("a", "works")
            .await
            .unwrap();
    })
    .await;
    assert_eq!(
        tree,
        "task t (ok)\n  a fails (internal_error)\n  a works (ok)\n"
    );
    let (client, sent) = client();
    async {
        let failed = ready(Err::<(), _>("no"))
            .in_span("a", "fails")
            .record_err()
            .await;
        assert_eq!(failed, Err("no"));
        let fails = ready(Err::<(), _>("no")).in_transaction("b", "fails too");
        fails.record_err().await.unwrap_err();
    }
    .in_transaction("task", "t")
    .with_client(&client)
    .await;
    assert_eq!(
        sent.tree(),
        "b fails too (internal_error)\ntask t (ok)\n  a fails (internal_error)\n"
    );
}

#[tokio::test]
async fn handles_work_from_anywhere() {
    let (client, sent) = client();
    async {
        let span = taskspan::span("a", "before").start();
        span.set_data("n", 1);
        let (handle, parent) = (span.clone(), taskspan::current_span().unwrap());
        thread::spawn(move || {
            handle.set_name("after");
            handle.set_op("b");
            handle.set_data("n", 2);
            handle.set_tag("thread", true);
            span.finish();
            let child = parent.start_child("c", "in thread");
            child.in_scope(|| taskspan::span("d", "below").in_scope(|span| span.set_data("m", 3)));
            child.set_status(SpanStatus::NotFound);
        })
        .join()
        .unwrap();
    }
    .in_transaction("task", "t")
    .with_client(&client)
    .await;
    assert_eq!(
        sent.tree(),
        "task t (ok)\n  b after (ok)\n  c in thread (not_found)\n    d below (ok)\n"
    );
    let spans = &sent.transactions()[0].spans;
    assert_eq!(spans[0].data.get("n").cloned(), Some(2.into()));
    assert_eq!(spans[0].tags["thread"], "true");
    assert_eq!(spans[2].data.get("m").cloned(), Some(3.into()));
}

#[tokio::test]
async fn the_last_write_wins_also_after_one_from_elsewhere() {
    let (client, sent) = client();
    async {
        let span = taskspan::span("a", "1").start();
        let handle = span.clone();
        thread::spawn(move || {
            handle.set_name("2");
            handle.set_data("key", "2");
        })
        .join()
        .unwrap();
        span.set_name("3");
        span.set_data("key", "3");
    }
    .in_transaction("task", "t")
    .with_client(&client)
    .await;
    let span = &sent.transactions()[0].spans[0];
    assert_eq!(span.description, "3");
    assert_eq!(span.data.get("key").cloned(), Some("3".into()));
}

#[tokio::test]
async fn an_owned_transaction_runs_futures_and_children() {
    let (client, sent) = client();
    async {
        let root = taskspan::transaction("http.server", "GET /")
            .source(TransactionSource::Url)
            .start();
        assert!(taskspan::current_span().is_none());
        async {
            assert_eq!(
                taskspan::current_transaction().unwrap().span_id(),
                root.span_id()
            );
            taskspan::set_tag("set", "inside");
            ready(()).in_span("a", "in handler").await;
        }
        .in_scope_of(&root)
        .await;
        let body = root.start_child("b", "body");
        thread::spawn(move || body.finish()).join().unwrap();
        root.set_name("GET /{id}");
        root.set_status(SpanStatus::NotFound);
        root.finish();
    }
    .with_client(&client)
    .await;
    assert_eq!(
        sent.tree(),
        "http.server GET /{id} (not_found)\n  a in handler (ok)\n  b body (ok)\n"
    );
    let transaction = &sent.transactions()[0];
    assert_eq!(transaction.tags["set"], "inside");
    assert_eq!(transaction.info.source, TransactionSource::Custom);
}

#[tokio::test]
async fn tasks_that_outlive_their_transaction_become_transactions_of_the_same_trace() {
    let (client, sent) = client();
    let (go, gate) = oneshot::channel::<()>();
    let (go_two, gate_two) = oneshot::channel::<()>();
    let tasks = async {
        async {
            taskspan::set_tag("tenant", "acme");
            let one = taskspan::spawn(async { gate.await.unwrap() }.in_span("late", "one span"));
            let two = taskspan::spawn(async {
                ready(()).in_span("late", "early").await;
                gate_two.await.unwrap();
                ready(()).in_span("late", "second").await;
            });
            let nothing = taskspan::spawn(pending::<()>());
            task::yield_now().await;
            [one, two, nothing]
        }
        .in_span("a", "spawner")
        .await
    };
    let [one, two, nothing] = tasks.in_transaction("task", "t").with_client(&client).await;
    assert_eq!(sent.tree(), "task t (ok)\n  a spawner (ok)\n");
    go.send(()).unwrap();
    one.await.unwrap();
    go_two.send(()).unwrap();
    two.await.unwrap();
    nothing.abort();
    nothing.await.unwrap_err();

    let sent = sent.transactions();
    let trees: Vec<_> = sent.iter().map(taskspan::test::tree).collect();
    assert_eq!(trees[1], "late one span (ok)\n");
    assert_eq!(
        trees[2],
        "task t (ok)\n  late early (ok)\n  late second (ok)\n"
    );
    assert_eq!(sent.len(), 3);
    for late in &sent[1..] {
        assert_eq!(
            late.contexts.trace.trace_id,
            sent[0].contexts.trace.trace_id
        );
        assert_eq!(
            late.contexts.trace.parent_span_id,
            Some(sent[0].spans[0].span_id)
        );
        assert_eq!(late.tags["tenant"], "acme");
    }
}

#[tokio::test]
async fn a_handle_that_outlives_the_root_is_sent_as_unfinished() {
    let (client, sent) = client();
    let (open, child) = async {
        let open = taskspan::span("a", "open").start();
        let away = taskspan::current_span().unwrap();
        let child = thread::spawn(move || away.start_child("a", "away"))
            .join()
            .unwrap();
        (open, child)
    }
    .in_transaction("task", "t")
    .with_client(&client)
    .await;
    open.set_name("too late");
    child.start_child("b", "too late").finish();
    child.finish();
    drop(open);
    assert_eq!(
        sent.tree(),
        "task t (ok)\n  a open (deadline_exceeded)\n  a away (deadline_exceeded)\n"
    );
}

#[tokio::test]
async fn a_transaction_in_a_transaction_is_its_own_under_the_current_span() {
    let (client, sent) = client();
    async {
        taskspan::set_tag("outer", 1);
        async {
            taskspan::set_tag("inner", 2);
        }
        .in_transaction("task", "inner")
        .in_span("a", "b")
        .await;
        ready(()).in_span("c", "d").await;
    }
    .in_transaction("task", "outer")
    .with_client(&client)
    .await;
    assert_eq!(
        sent.tree(),
        "task inner (ok)\ntask outer (ok)\n  a b (ok)\n  c d (ok)\n"
    );
    let [inner, outer] = &sent.transactions()[..] else {
        panic!("not two")
    };
    assert_eq!(inner.contexts.trace.trace_id, outer.contexts.trace.trace_id);
    assert_eq!(
        inner.contexts.trace.parent_span_id,
        Some(outer.spans[0].span_id)
    );
    assert_eq!(inner.tags.len(), 2);
    assert_eq!(outer.tags.len(), 1);
}

#[tokio::test]
async fn a_span_polled_elsewhere_keeps_to_its_own_trace() {
    let (client, sent) = client();
    let (moved, taken) = oneshot::channel();
    let first = async {
        let mut span = Box::pin(
            async {
                yield_once().await;
                ready(()).in_span("b", "below").await;
            }
            .in_span("a", "moved"),
        );
        let mut context = Context::from_waker(Waker::noop());
        assert!(span.as_mut().poll(&mut context).is_pending());
        moved.send(span).unwrap_or_else(|_| panic!("not sent"));
        // The transaction goes on until the span has ended elsewhere.
        while taskspan::current_span().is_none_or(|_| sent.transactions().is_empty()) {
            task::yield_now().await;
        }
    };
    let second = async {
        let span = taken.await.unwrap();
        span.await;
        ready(()).in_span("c", "own").await;
    };
    join(
        first.in_transaction("task", "first").with_client(&client),
        second.in_transaction("task", "second").with_client(&client),
    )
    .await;
    assert_eq!(
        sent.tree(),
        "task second (ok)\n  c own (ok)\ntask first (ok)\n  a moved (ok)\n    b below (ok)\n"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_transaction_may_move_between_threads_at_every_await() {
    let (client, sent) = client();
    let works = (0..50).map(|_| {
        let work = async {
            for _ in 0..20 {
                async {
                    task::yield_now().await;
                    task::yield_now().in_span("b", "").await;
                }
                .in_span("a", "")
                .await;
            }
        };
        tokio::spawn(work.in_transaction("task", "t").with_client(&client))
    });
    for result in join_all(works).await {
        result.unwrap();
    }
    let expected = format!("task t (ok)\n{}", "  a  (ok)\n    b  (ok)\n".repeat(20));
    for transaction in sent.transactions() {
        assert_eq!(taskspan::test::tree(&transaction), expected);
    }
    assert_eq!(sent.transactions().len(), 50);
}

#[tokio::test]
async fn a_local_set_works() {
    let (client, sent) = client();
    let local = LocalSet::new();
    let work = async {
        let value = std::rc::Rc::new(1);
        task::spawn_local(
            async move { *value }
                .in_span("a", "local")
                .in_current_scope(),
        )
        .await
        .unwrap();
    };
    local
        .run_until(work.in_transaction("task", "t").with_client(&client))
        .await;
    assert_eq!(sent.tree(), "task t (ok)\n  a local (ok)\n");
}

#[tokio::test]
async fn a_thousand_spans_are_kept_and_the_rest_counted() {
    let (client, sent) = client();
    async {
        for _ in 0..10_000 {
            taskspan::span("a", "b").in_scope(|span| {
                span.set_data("on its own span", true);
                taskspan::span("c", "d").in_scope(|_| ());
            });
        }
        assert!(!taskspan::span("a", "b").start().is_recorded());
        ready(()).in_span("a", "b").await;
    }
    .in_transaction("task", "t")
    .with_client(&client)
    .await;
    let transaction = &sent.transactions()[0];
    assert_eq!(transaction.spans.len(), 1_000);
    assert!(transaction.contexts.trace.data.is_empty());
    let report = client.stats();
    assert_eq!(report.spans.accepted, 1_001);
    assert_eq!(
        report
            .spans
            .dropped_because(DropReason::Discarded(DiscardReason::BufferOverflow)),
        19_002
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_limit_holds_over_all_tasks() {
    let (client, sent) =
        taskspan::test::client(Options::default().traces_sample_rate(1.0).max_spans(100));
    async {
        let tasks = (0..64).map(|_| {
            taskspan::spawn(async {
                for _ in 0..3 {
                    async { ready(()).in_span("c", "").await }
                        .in_span("a", "")
                        .await;
                    task::yield_now().await;
                }
            })
        });
        for result in join_all(tasks).await {
            result.unwrap();
        }
    }
    .in_transaction("task", "t")
    .with_client(&client)
    .await;
    let transaction = &sent.transactions()[0];
    assert_eq!(transaction.spans.len(), 100);
    let root = transaction.contexts.trace.span_id;
    for span in &transaction.spans {
        let known = |other: &taskspan::protocol::Span| other.span_id == span.parent_span_id;
        assert!(span.parent_span_id == root || transaction.spans.iter().any(known));
    }
    assert_eq!(client.stats().spans.sampled, 1 + 64 * 6);
}

#[tokio::test]
async fn nesting_may_be_deep() {
    fn nested(depth: usize) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
        if depth == 0 {
            return Box::pin(ready(()));
        }
        Box::pin(nested(depth - 1).in_span("a", "b"))
    }
    let (client, sent) =
        taskspan::test::client(Options::default().traces_sample_rate(1.0).max_spans(5_000));
    // Two thousand futures in each other need more than a test's stack.
    let deep = move || {
        nested(2_000)
            .in_transaction("task", "t")
            .with_client(&client)
            .now_or_never()
            .unwrap();
    };
    thread::Builder::new()
        .stack_size(64 << 20)
        .spawn(deep)
        .unwrap()
        .join()
        .unwrap();
    let spans = &sent.transactions()[0].spans;
    assert_eq!(spans.len(), 2_000);
    for pair in spans.windows(2) {
        assert_eq!(pair[1].parent_span_id, pair[0].span_id);
    }
}

#[tokio::test]
async fn times_can_be_given() {
    let (client, sent) = client();
    let hour = Duration::from_secs(3_600);
    let now = SystemTime::now();
    async {
        let root = taskspan::transaction("queue.process", "job")
            .start_time(now - hour)
            .start();
        root.start_child("a", "given").finish_at(now + hour);
        let before = taskspan::span("b", "starts early")
            .child_of(&root)
            .start_time(now - 2 * hour)
            .start();
        before.finish_at(now - hour);
        root.start_child("c", "ends before it starts")
            .finish_at(now - hour);
        root.finish_at(now);
    }
    .with_client(&client)
    .await;
    let transaction = &sent.transactions()[0];
    let close = |given: SystemTime, sent: taskspan::protocol::Timestamp| {
        let sent = sent.as_system_time();
        let apart = sent
            .duration_since(given)
            .unwrap_or_else(|early| early.duration());
        assert!(apart < Duration::from_millis(1), "{apart:?}");
    };
    close(now - hour, transaction.start_timestamp);
    close(now, transaction.timestamp);
    let [early, given, clamped] = &transaction.spans[..] else {
        panic!("not three")
    };
    close(now - 2 * hour, early.start_timestamp);
    close(now - hour, early.timestamp);
    close(now + hour, given.timestamp);
    assert_eq!(clamped.start_timestamp, clamped.timestamp);
}

#[tokio::test]
async fn clients_bound_to_futures_do_not_mix() {
    let clients: Vec<_> = (0..20).map(|_| client()).collect();
    let works = clients.iter().enumerate().map(|(n, (client, _))| {
        let name = format!("t{n}");
        async {
            task::yield_now().await;
            taskspan::spawn(ready(()).in_span("a", "b")).await.unwrap();
        }
        .in_transaction("task", name)
        .with_client(client)
    });
    join_all(works).await;
    for (n, (_, sent)) in clients.iter().enumerate() {
        assert_eq!(sent.tree(), format!("task t{n} (ok)\n  a b (ok)\n"));
    }
}

fn limited_client() -> (Client, Sent) {
    taskspan::test::client(Options::default().traces_sample_rate(1.0).max_spans(2))
}

/// The end of a span that is not recorded once was the end of the root above it.
#[tokio::test]
async fn a_child_over_the_limit_does_not_end_an_owned_root() {
    let (client, sent) = limited_client();
    async {
        let root = taskspan::transaction("task", "t").start();
        for _ in 0..4 {
            root.start_child("a", "b").finish();
        }
        root.set_name("renamed");
        assert_eq!(sent.tree(), "");
        root.finish();
    }
    .with_client(&client)
    .await;
    assert_eq!(sent.tree(), "task renamed (ok)\n  a b (ok)\n  a b (ok)\n");
    assert_eq!(client.stats().spans.dropped(), 2);
}

#[tokio::test]
async fn children_of_an_unsampled_owned_root_are_not_counted_as_transactions() {
    let (client, _) = taskspan::test::client(Options::default().traces_sample_rate(0.0));
    async {
        let root = taskspan::transaction("task", "t").start();
        root.start_child("a", "b").finish();
        root.start_child("a", "b").finish();
        root.finish();
    }
    .with_client(&client)
    .await;
    assert_eq!(client.stats().unsampled, 1);
}

#[tokio::test]
async fn a_wrapped_future_is_a_child_of_the_span_that_was_given() {
    let (client, sent) = limited_client();
    async {
        let parent = taskspan::span("a", "parent").start();
        let child = taskspan::span("b", "child").child_of(&parent);
        child.instrument(ready(())).await;
    }
    .in_transaction("task", "t")
    .with_client(&client)
    .await;
    assert_eq!(
        sent.tree(),
        "task t (ok)\n  a parent (ok)\n    b child (ok)\n"
    );
}

#[tokio::test]
async fn a_late_task_has_the_name_that_its_transaction_was_given_on_another_thread() {
    let (client, sent) = limited_client();
    let (go, gate) = oneshot::channel::<()>();
    let [late] = async {
        let root = taskspan::current_transaction().unwrap();
        thread::spawn(move || root.set_name("new")).join().unwrap();
        let late = taskspan::spawn(async {
            gate.await.unwrap();
            ready(()).in_span("a", "1").await;
            ready(()).in_span("a", "2").await;
        });
        task::yield_now().await;
        [late]
    }
    .in_transaction("task", "old")
    .with_client(&client)
    .await;
    go.send(()).unwrap();
    late.await.unwrap();
    let names: Vec<_> = sent.take().into_iter().map(|sent| sent.name).collect();
    assert_eq!(names, ["new", "new"]);
}
