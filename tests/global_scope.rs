//! The scope below all others. It is one for the process, so there is one test.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::panic::{catch_unwind, resume_unwind};
use std::thread;

use serde_json::json;
use taskspan::{Instrument, Level, Options, User};

#[tokio::test]
async fn the_scope_of_a_task_wins_over_the_global_one_and_a_span_over_both() {
    let long = "g".repeat(201);
    taskspan::configure_global_scope(|scope| {
        scope.set_tag("global", "global");
        scope.set_tag("task", "global");
        scope.set_tag("root", "global");
        scope.set_tag("long", &long);
        scope.set_level(Level::Debug);
        scope.set_context("shared", json!({"from": "global", "more": 1}));
        scope.set_context("trace", json!({"op": "global"}));
        scope.set_user(User {
            id: Some("global".into()),
            ..User::default()
        });
    });
    // A panic leaves it as it was.
    catch_unwind(|| {
        taskspan::configure_global_scope(|scope| {
            scope.clear();
            resume_unwind(Box::new("on purpose"));
        });
    })
    .unwrap_err();

    let (client, sent) = taskspan::test::client(Options::disabled().traces_sample_rate(1.0));
    let run = async {
        taskspan::set_tag("task", "task");
        taskspan::set_tag("root", "task");
        taskspan::set_level(Level::Error);
        taskspan::set_context("shared", json!({"from": "task"}));
        let root = taskspan::current_transaction().unwrap();
        root.set_tag("root", "root");
        root.set_tag("long", "short");
        taskspan::span("a", "b").in_scope(|span| span.set_tag("own", "span"));
        // It holds for what ends from now on.
        thread::spawn(|| taskspan::configure_global_scope(|scope| scope.set_tag("late", 1)))
            .join()
            .unwrap();
    };
    run.in_transaction("task", "t").with_client(&client).await;
    std::future::ready(())
        .in_transaction("task", "plain")
        .with_client(&client)
        .await;

    let sent = sent.transactions();
    let payloads: Vec<_> = sent
        .iter()
        .map(|transaction| serde_json::to_value(transaction).unwrap())
        .collect();
    let [first, plain] = &payloads[..] else {
        panic!("not two")
    };
    let expected =
        json!({"global": "global", "task": "task", "root": "root", "long": "short", "late": "1"});
    assert_eq!(first["tags"], expected);
    // The long value of another scope once stayed here.
    assert_eq!(first["contexts"]["trace"].get("data"), None);
    assert_eq!(first["level"], "error");
    assert_eq!(first["contexts"]["shared"], json!({"from": "task"}));
    assert_eq!(first["contexts"]["trace"]["op"], "task");
    assert_eq!(first["user"], json!({"id": "global"}));
    assert_eq!(first["spans"][0]["tags"], json!({"own": "span"}));

    let expected = json!({
        "global": "global", "task": "global", "root": "global", "long": long[..200], "late": "1",
    });
    assert_eq!(plain["tags"], expected);
    assert_eq!(plain["contexts"]["trace"]["data"], json!({"long": long}));
    assert_eq!(plain["level"], "debug");

    // Threads that change it at the same time once undid each other's changes.
    let threads = (0..8).map(|thread| {
        thread::spawn(move || {
            for n in 0..50 {
                let key = format!("{thread}.{n}");
                taskspan::configure_global_scope(|scope| {
                    thread::yield_now();
                    scope.set_tag(key, n);
                });
            }
        })
    });
    for thread in threads.collect::<Vec<_>>() {
        thread.join().unwrap();
    }
    taskspan::configure_global_scope(|scope| {
        scope.set_tag("outer", 1);
        taskspan::configure_global_scope(|scope| scope.remove_tag("late"));
    });
    let work = std::future::ready(()).in_transaction("task", "last");
    let (client, sent) = taskspan::test::client(Options::disabled().traces_sample_rate(1.0));
    work.with_client(&client).await;
    let tags = &sent.transactions()[0].tags;
    assert_eq!(
        tags.len(),
        8 * 50 + plain["tags"].as_object().unwrap().len()
    );
    assert!(tags.contains_key("outer") && !tags.contains_key("late"));
}
