//! Isolation and current scopes, and what happened under them.
//!
//! The global one has a test of its own (`global_scope`), as it is one for the process.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::time::{Duration, SystemTime};

use futures_util::FutureExt;
use futures_util::future::join;
use serde_json::json;
use taskspan::protocol::Breadcrumb;
use taskspan::test::Sent;
use taskspan::{
    Client, Instrument, Level, Options, add_breadcrumb, configure_scope, set_tag, transaction,
    with_isolation_scope, with_scope,
};
use tokio::task::yield_now;

fn client() -> (Client, Sent) {
    taskspan::test::client(options())
}

fn options() -> Options {
    Options::disabled().traces_sample_rate(1.0)
}

/// Runs something in a transaction.
fn run(options: Options, work: impl FnOnce()) -> Sent {
    let (client, sent) = taskspan::test::client(options);
    let work = async { transaction("task", "t").in_scope(|_| work()) };
    work.with_client(&client).now_or_never().unwrap();
    sent
}

fn tag(sent: &Sent, name: &str, key: &str) -> Option<String> {
    let transactions = sent.transactions();
    let transaction = transactions.iter().find(|t| t.name == name).unwrap();
    transaction.tags.get(key).cloned()
}

fn messages(sent: &Sent) -> Vec<String> {
    let transaction = &sent.transactions()[0];
    let messages = transaction.breadcrumbs.iter();
    messages.map(|crumb| crumb.message.to_string()).collect()
}

fn crumb(message: impl Into<String>, age: u64) -> Breadcrumb {
    let mut crumb = Breadcrumb::new("test", message.into());
    crumb.timestamp = (SystemTime::now() - Duration::from_secs(age)).into();
    crumb
}

#[test]
fn the_narrower_scope_wins() {
    let (client, sent) = client();
    let work = async {
        with_isolation_scope(
            |scope| {
                for key in ["isolation", "current", "span"] {
                    scope.set_tag(key, "isolation");
                }
            },
            || {
                with_scope(
                    |scope| {
                        scope.set_tag("current", "current");
                        scope.set_tag("span", "current");
                        scope.set_level(Level::Error);
                    },
                    || {
                        transaction("task", "t").in_scope(|t| {
                            set_tag("current", "isolation, later");
                            t.set_tag("span", "span");
                        });
                    },
                );
            },
        );
    };
    work.with_client(&client).now_or_never().unwrap();
    for key in ["isolation", "current", "span"] {
        assert_eq!(tag(&sent, "t", key).as_deref(), Some(key));
    }
    assert_eq!(sent.transactions()[0].level, Some(Level::Error));
}

#[test]
fn a_fork_is_a_copy_that_ends_with_the_work() {
    let (client, sent) = client();
    let work = async {
        transaction("task", "around").in_scope(|_| {
            set_tag("before", 1);
            with_scope(
                |scope| scope.set_tag("fork", 1),
                || {
                    set_tag("inside", 1);
                    transaction("task", "in scope").in_scope(|_| ());
                },
            );
            with_isolation_scope(
                |scope| scope.remove_tag("before"),
                || {
                    set_tag("isolated", 1);
                    configure_scope(|scope| scope.set_tag("configured", 1));
                    transaction("task", "isolated").in_scope(|_| ());
                },
            );
            transaction("task", "after").in_scope(|_| ());
        });
    };
    work.with_client(&client).now_or_never().unwrap();
    let keys = |name| {
        let transactions = sent.transactions();
        let of_name = transactions.into_iter().find(|t| t.name == name).unwrap();
        of_name.tags.into_keys().collect::<Vec<_>>()
    };
    assert_eq!(keys("in scope"), ["before", "fork", "inside"]);
    assert_eq!(keys("isolated"), ["configured", "inside", "isolated"]);
    assert_eq!(keys("after"), ["before", "inside"]);
    assert_eq!(keys("around"), ["before", "inside"]);
}

#[tokio::test]
async fn futures_keep_their_scopes_apart_and_their_spans_together() {
    let (client, sent) = client();
    let part = |number: u32| {
        async move {
            for step in 0..3 {
                yield_now().await;
                set_tag("step", step * 10 + number);
                let spawned = taskspan::spawn(async move {
                    transaction("task", format!("{number}.{step}")).in_scope(|_| ());
                });
                async { spawned.await.unwrap() }
                    .in_span("part", "step")
                    .await;
            }
        }
        .with_scope(move |scope| scope.set_tag("part", number))
        .with_isolation_scope(move |scope| scope.set_tag("isolated", number))
    };
    async {
        set_tag("around", 1);
        join(part(1), part(2)).await;
    }
    .in_transaction("task", "around")
    .with_client(&client)
    .await;
    for number in [1_u32, 2] {
        for step in 0..3 {
            let name = format!("{number}.{step}");
            for (key, value) in [
                ("part", number),
                ("isolated", number),
                ("around", 1),
                ("step", step * 10 + number),
            ] {
                assert_eq!(
                    tag(&sent, &name, key),
                    Some(value.to_string()),
                    "{name} {key}"
                );
            }
        }
    }
    assert_eq!(tag(&sent, "around", "part"), None);
    assert_eq!(tag(&sent, "around", "step"), None);
    let transactions = sent.transactions();
    let around = transactions.iter().find(|t| t.name == "around").unwrap();
    // They are the same task's still.
    assert_eq!(around.spans.len(), 6);
}

#[tokio::test]
async fn a_dropped_or_panicking_future_leaves_the_scope_as_it_was() {
    struct TagOnDrop;
    impl Drop for TagOnDrop {
        fn drop(&mut self) {
            set_tag("dropped", "inside");
        }
    }
    let (client, sent) = client();
    async {
        set_tag("a", 1);
        let pending = async {
            let _guard = TagOnDrop;
            set_tag("a", 2);
            std::future::pending::<()>().await;
        };
        let forked = pending.with_isolation_scope(|_| ());
        let _ = tokio::time::timeout(Duration::from_millis(1), forked).await;
        let panicking = async {
            set_tag("a", 3);
            panic!("on purpose");
        };
        let forked = panicking.with_isolation_scope(|_| ());
        let caught = std::panic::AssertUnwindSafe(forked).catch_unwind().await;
        caught.unwrap_err();
        taskspan::span("a", "b").in_scope(|_| ());
    }
    .in_transaction("task", "t")
    .with_client(&client)
    .await;
    assert_eq!(tag(&sent, "t", "a").as_deref(), Some("1"));
    assert_eq!(tag(&sent, "t", "dropped"), None);
    assert_eq!(sent.transactions()[0].spans.len(), 1);
}

#[tokio::test]
async fn scopes_exist_outside_of_transactions() {
    let (client, sent) = client();
    async {
        set_tag("request", 7);
        async {}.in_transaction("task", "first").await;
        async {}.in_transaction("task", "second").await;
    }
    .with_isolation_scope(|_| ())
    .with_client(&client)
    .await;
    for name in ["first", "second"] {
        assert_eq!(tag(&sent, name, "request").as_deref(), Some("7"));
    }
    // Also where there is no client at all.
    async { set_tag("request", 8) }
        .with_isolation_scope(|_| ())
        .await;
    with_scope(|_| (), || set_tag("request", 9));
}

#[test]
fn the_newest_breadcrumbs_of_all_scopes_are_kept_in_order() {
    let sent = run(options(), || {
        for number in 0..150 {
            add_breadcrumb(crumb(number.to_string(), 1_000 - number));
        }
        configure_scope(|scope| {
            // Both of them stay.
            add_breadcrumb(crumb("inside", 2));
            scope.add_breadcrumb(crumb("configured", 1));
        });
    });
    let messages = messages(&sent);
    assert_eq!(messages.len(), 100);
    assert_eq!((&*messages[0], &*messages[97]), ("52", "149"));
    assert_eq!(messages[98..], ["inside", "configured"]);

    let (client, sent) = client();
    let work = async {
        let inside = || {
            add_breadcrumb(crumb("isolation", 20));
            transaction("task", "t").in_scope(|_| add_breadcrumb(crumb("late", 0)));
        };
        with_scope(
            |scope| {
                scope.add_breadcrumb(crumb("oldest", 30));
                scope.add_breadcrumb(crumb("current", 10));
            },
            inside,
        );
    };
    work.with_isolation_scope(|_| ())
        .with_client(&client)
        .now_or_never()
        .unwrap();
    assert_eq!(
        self::messages(&sent),
        ["oldest", "isolation", "current", "late"]
    );
}

#[test]
fn breadcrumbs_are_limited_changed_and_written_as_servers_read_them() {
    for (limit, expected) in [(0, 0), (3, 3), (100, 100), (1_000, 100)] {
        let sent = run(options().max_breadcrumbs(limit), || {
            (0..200).for_each(|number| add_breadcrumb(crumb(number.to_string(), 200 - number)));
        });
        let messages = messages(&sent);
        assert_eq!(messages.len(), expected);
        assert!(messages.last().is_none_or(|last| last == "199"));
    }
    let options = options().before_breadcrumb(|mut crumb| match &*crumb.message {
        "panic" => panic!("on purpose"),
        "drop" => None,
        _ => {
            crumb.level = Level::Warning;
            crumb.data.insert("more".into(), json!([1]));
            Some(crumb)
        }
    });
    let sent = run(options, || {
        for message in ["drop", "panic", "keep"] {
            add_breadcrumb(crumb(message, 0));
        }
    });
    let payload = serde_json::to_value(&sent.transactions()[0]).unwrap();
    let values = payload["breadcrumbs"]["values"].as_array().unwrap();
    let [value] = &values[..] else {
        panic!("{values:?}")
    };
    let timestamp = value["timestamp"].as_str().unwrap();
    assert!(
        timestamp.ends_with('Z') && timestamp.len() == 27,
        "{timestamp}"
    );
    let expected = json!({
        "timestamp": timestamp,
        "type": "default",
        "category": "test",
        "message": "keep",
        "level": "warning",
        "data": {"more": [1]},
    });
    assert_eq!(*value, expected);
    // Without any there is no list.
    let sent = run(self::options(), || ());
    let payload = serde_json::to_value(&sent.transactions()[0]).unwrap();
    assert_eq!(payload.get("breadcrumbs"), None);
}
