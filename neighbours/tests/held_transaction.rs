//! A transaction that is held for hours, such as a connection or a consumer: nothing stays of a
//! message that is over, whichever way its work runs below the held span.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::alloc::System;
use std::future::ready;

use cap::Cap;
use taskspan::messaging::Message;
use taskspan::{Client, Instrument, JoinSetExt, OpenSpan, Options};
use tokio::task::JoinSet;

/// Counts the bytes that are allocated and not freed, on all threads.
#[global_allocator]
static ALLOCATED: Cap<System> = Cap::new(System, usize::MAX);

/// Fewer in a debug build, which is many times slower.
const MESSAGES: usize = if cfg!(debug_assertions) {
    50_000
} else {
    1_000_000
};

/// The bytes that may be held after so many messages, beyond those after some thousands.
const HELD: usize = 128 * 1_024;

fn client() -> Client {
    let options = Options::default().traces_sample_rate(1.0);
    taskspan::test::client(options).0
}

/// Handles messages below a held transaction, and checks that nothing stays of them.
async fn handle<W: Future<Output = ()>>(message: impl Fn(&OpenSpan, usize) -> W) {
    let client = client();
    async {
        let connection = taskspan::transaction("websocket.server", "connection").start();
        // What is recorded up to the limit of spans stays, and buffers grow.
        for number in 0..20_000 {
            message(&connection, number).await;
        }
        let before = ALLOCATED.allocated();
        for number in 0..MESSAGES {
            message(&connection, number).await;
        }
        let held = ALLOCATED.allocated().saturating_sub(before);
        assert!(held < HELD, "{held} bytes of {MESSAGES} messages");
        connection.finish();
    }
    .with_client(&client)
    .await;
}

#[tokio::test]
async fn in_scope() {
    handle(|connection, _| {
        connection
            .in_scope(|| taskspan::span("message", "m").in_scope(|span| span.set_tag("a", 1)));
        ready(())
    })
    .await;
}

#[tokio::test]
async fn in_scope_of() {
    handle(|connection, _| ready(()).in_span("message", "m").in_scope_of(connection)).await;
}

#[tokio::test]
async fn in_current_scope() {
    handle(|connection, _| {
        let work = connection.in_scope(|| {
            let closure = taskspan::in_current_scope(|| taskspan::span("a", "b").start().finish());
            let future = ready(()).in_span("message", "m").in_current_scope();
            (closure, future)
        });
        work.0();
        work.1
    })
    .await;
}

#[tokio::test]
async fn spawn() {
    handle(|connection, _| {
        let task = connection.in_scope(|| taskspan::spawn(ready(()).in_span("message", "m")));
        async { task.await.unwrap() }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spawn_on_many_threads() {
    handle(|connection, _| {
        let task = connection.in_scope(|| taskspan::spawn(ready(()).in_span("message", "m")));
        async { task.await.unwrap() }
    })
    .await;
}

#[tokio::test]
async fn spawn_blocking() {
    handle(|connection, _| {
        let work = || taskspan::span("message", "m").in_scope(|_| ());
        let task = connection.in_scope(|| taskspan::spawn_blocking(work));
        async { task.await.unwrap() }
    })
    .await;
}

#[tokio::test]
async fn join_set() {
    handle(|connection, _| {
        let mut tasks = JoinSet::new();
        connection.in_scope(|| {
            tasks.spawn_in_current_scope(ready(()).in_span("message", "m"));
        });
        async move {
            tasks.join_all().await;
        }
    })
    .await;
}

#[tokio::test]
async fn with_scope() {
    handle(|connection, number| {
        ready(())
            .in_span("message", "m")
            .with_scope(move |scope| scope.set_tag("message", number))
            .in_scope_of(connection)
    })
    .await;
}

#[tokio::test]
async fn with_isolation_scope() {
    handle(|connection, number| {
        ready(())
            .in_span("message", "m")
            .with_isolation_scope(move |scope| scope.set_tag("message", number))
            .in_scope_of(connection)
    })
    .await;
}

#[tokio::test]
async fn messages() {
    handle(|connection, _| {
        let sent = |headers: Vec<(String, String)>| ready(Ok::<_, ()>(headers.len()));
        let message = Message::new("nats", "orders").publish(Vec::new(), sent);
        let message = message.in_scope_of(connection);
        async { assert!(message.await.unwrap() > 0) }
    })
    .await;
}

/// What messages set on the scope of the connection stays, and each of them costs as much.
#[tokio::test]
async fn tags_of_messages_cost_the_same_each_time() {
    let client = client();
    let time = async |messages: usize| {
        let connection = taskspan::transaction("websocket.server", "connection").start();
        let begin = std::time::Instant::now();
        for number in 0..messages {
            connection.in_scope(|| taskspan::set_tag(number.to_string(), number));
        }
        begin.elapsed()
    };
    async {
        // A loaded machine may be slow at any time, so the best of some counts.
        let mut best = [f64::MAX; 2];
        for _ in 0..5 {
            for (place, messages) in [5_000, 40_000].into_iter().enumerate() {
                best[place] = best[place].min(time(messages).await.as_secs_f64());
            }
        }
        let [few, many] = best;
        assert!(
            many < few * 8.0 * 2.5,
            "{many} s, and {few} s for an eighth"
        );
    }
    .with_client(&client)
    .await;
}
