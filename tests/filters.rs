//! What the filters of a client leave out and change, by what a server gets and is told.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[path = "support/losses.rs"]
mod losses;

use std::collections::BTreeMap;
use std::future::ready;
use std::time::{Duration, SystemTime};

use regex::Regex;
use taskspan::{
    DiscardReason, DropReason, Instrument, Options, Pattern, Span, SpanRule, SpanStatus,
};

use crate::losses::{ALL, SOON, assert_lost, connected, one, whole};

#[tokio::test]
async fn without_filters_nothing_is_lost() {
    assert_eq!(one(|options| options, &[]).await, ALL);
}

#[tokio::test]
async fn event_processors_change_and_drop() {
    let change = |options: Options| {
        options.event_processor(|mut transaction| {
            transaction.name = "changed".into();
            transaction.spans.retain(|span| span.op != "db.query");
            Some(transaction)
        })
    };
    let left = one(change, &[("event_processor", "span", 1)]).await;
    assert_eq!(left, ["outer", "inner"]);
    let drop = |options: Options| options.event_processor(|_| None);
    assert!(one(drop, &whole("event_processor")).await.is_empty());
}

/// Servers used to remove them, and to report each transaction.
#[tokio::test]
async fn what_servers_would_remove_of_a_callback_is_put_right() {
    let options = Options::default()
        .traces_sample_rate(1.0)
        .release("shop@2.3.1")
        .environment("staging")
        .dist("build-7")
        .server_name("web-1")
        .before_send_transaction(|mut transaction| {
            let (release, environment) = match &*transaction.name {
                "bad" => ("latest", "a\\b"),
                _ => ("shop@2.3.2", "canary"),
            };
            transaction.release = Some(release.into());
            transaction.environment = environment.into();
            if transaction.name == "bad" {
                transaction.dist = Some("a b".into());
                transaction.server_name = Some("a\0".into());
            } else {
                transaction.dist = None;
                transaction.server_name = Some("web-2".into());
            }
            ready(Some(transaction))
        });
    let (client, sent) = taskspan::test::client(options);
    for name in ["bad", "good"] {
        ready(())
            .in_transaction("task", name)
            .with_client(&client)
            .await;
    }
    let [bad, good] = &sent.transactions()[..] else {
        panic!("two transactions were sent")
    };
    assert_eq!(bad.release.as_deref(), Some("shop@2.3.1"));
    assert_eq!(&*bad.environment, "staging");
    assert_eq!(bad.dist.as_deref(), Some("build-7"));
    assert_eq!(bad.server_name.as_deref(), Some("web-1"));
    assert_eq!(good.release.as_deref(), Some("shop@2.3.2"));
    assert_eq!(&*good.environment, "canary");
    assert_eq!(good.dist.as_deref(), None);
    assert_eq!(good.server_name.as_deref(), Some("web-2"));
}

#[tokio::test]
async fn before_send_transaction_changes_and_drops() {
    // A test vector of the protocol: two of three are removed.
    let change = |options: Options| {
        options.before_send_transaction(|mut transaction| {
            transaction.spans.truncate(1);
            ready(Some(transaction))
        })
    };
    let left = one(change, &[("before_send", "span", 2)]).await;
    assert_eq!(left, ["SELECT 1"]);
    let drop = |options: Options| options.before_send_transaction(|_| ready(None));
    assert!(one(drop, &whole("before_send")).await.is_empty());
}

#[tokio::test]
async fn before_send_span_changes_every_span_below_the_root() {
    let change =
        |options: Options| options.before_send_span(|span| span.description.to_mut().push('!'));
    assert_eq!(one(change, &[]).await, ["SELECT 1!", "outer!", "inner!"]);
}

#[tokio::test]
async fn transactions_are_ignored_by_their_names() {
    let table: [(Vec<Pattern>, bool); 8] = [
        (vec!["t".into()], true),
        (vec!["T".into()], false),
        (vec!["".into()], false),
        (vec![Pattern::contains("t")], true),
        (vec![Pattern::contains("tt")], false),
        (vec!["x".into(), Regex::new("^t$").unwrap().into()], true),
        (vec![Regex::new("^tt").unwrap().into()], false),
        (vec![], false),
    ];
    for (patterns, ignored) in table {
        let shown = format!("{patterns:?}");
        let lost = whole("event_processor");
        let lost = if ignored { &lost[..] } else { &[] };
        let left = one(|options| options.ignore_transactions(patterns), lost).await;
        assert_eq!(left.is_empty(), ignored, "{shown}");
    }
}

/// `GET /health` used to drop `GET /healthcare/patients` as well.
#[tokio::test]
async fn a_text_is_the_whole_name_in_every_filter() {
    let options = Options::default()
        .traces_sample_rate(1.0)
        .ignore_transactions(["GET /health"])
        .ignore_spans([
            SpanRule::from("PING"),
            SpanRule::new().op("cache"),
            SpanRule::new().attribute("system", "post"),
        ]);
    let (client, sent) = taskspan::test::client(options);
    for name in ["GET /health", "GET /healthcare/patients"] {
        async {
            taskspan::span("db.query", "PING").in_scope(|_| ());
            taskspan::span("db.query", "SHOPPING").in_scope(|_| ());
            taskspan::span("cache.get", "k").in_scope(|_| ());
            taskspan::span("db.query", "q").in_scope(|span| span.set_data("system", "postgresql"));
        }
        .in_transaction("http.server", name)
        .with_client(&client)
        .await;
    }
    let tree = "http.server GET /healthcare/patients (ok)\n  db.query SHOPPING (ok)\n  cache.get k (ok)\n  db.query q (ok)\n";
    assert_eq!(sent.tree(), tree);
}

#[tokio::test]
async fn a_name_is_ignored_as_the_event_processors_left_it() {
    let filters = |options: Options| {
        let options = options.event_processor(|mut transaction| {
            transaction.name = "changed".into();
            Some(transaction)
        });
        options.ignore_transactions(["changed"])
    };
    assert!(one(filters, &whole("event_processor")).await.is_empty());
}

#[tokio::test]
async fn status_codes_are_ignored_by_the_data_of_the_root() {
    let (receiver, client) =
        connected(|options| options.trace_ignore_status_codes([301..=303, 404..=404])).await;
    let codes = [200, 300, 301, 303, 304, 404, 405];
    for code in codes {
        async {
            let root = taskspan::current_transaction().unwrap();
            root.set_data("http.response.status_code", code);
            let span = taskspan::span("http.client", "GET");
            // Those of other spans do not matter.
            span.in_scope(|span| span.set_data("http.response.status_code", 404));
        }
        .in_transaction("http.server", code.to_string())
        .with_client(&client)
        .await;
    }
    let report = client.close(SOON).await;
    let lost = [
        ("event_processor", "span", 6),
        ("event_processor", "transaction", 3),
    ];
    assert_lost(&receiver, &report, &lost);
    let names: Vec<_> = receiver
        .transactions()
        .iter()
        .map(|it| it.name.clone())
        .collect();
    assert_eq!(names, ["200", "300", "304", "405"]);
}

#[tokio::test]
async fn spans_are_ignored_by_rules() {
    let regex = |text| Regex::new(text).unwrap();
    let new = SpanRule::new;
    let table: [(Vec<SpanRule>, &[&str]); 14] = [
        (vec!["SELECT 1".into()], &["outer", "inner"]),
        (vec!["SELECT".into()], &ALL),
        (vec!["select 1".into()], &ALL),
        (vec![regex("^(outer|inner)$").into()], &["SELECT 1"]),
        (vec![Pattern::contains("e").into()], &["SELECT 1"]),
        (
            vec!["SELECT 1".into(), "inner".to_owned().into()],
            &["outer"],
        ),
        (vec![new().op("cache.get")], &["SELECT 1", "outer"]),
        (vec![new().op("cache")], &ALL),
        (vec![new().op("cache.get").name("outer")], &ALL),
        (
            vec![new().attribute("system", Pattern::contains("post"))],
            &["outer", "inner"],
        ),
        (
            vec![new().attribute("tenant", "acme")],
            &["SELECT 1", "outer"],
        ),
        (vec![new().attribute_eq("rows", 3)], &["outer", "inner"]),
        (
            vec![new().attribute_eq("ids", vec![1, 2])],
            &["outer", "inner"],
        ),
        (vec![new(), new().attribute_eq("rows", "3")], &ALL),
    ];
    for (rules, left) in table {
        let shown = format!("{rules:?}");
        let (client, sent) = taskspan::test::client(
            Options::default()
                .traces_sample_rate(1.0)
                .ignore_spans(rules),
        );
        async {
            taskspan::span("db.query", "SELECT 1").in_scope(|span| {
                span.set_data("system", "postgresql");
                span.set_data("rows", 3);
                span.set_data("ids", [1, 2]);
            });
            taskspan::span("function", "outer").in_scope(|_| {
                let inner = taskspan::span("cache.get", "inner");
                inner.in_scope(|span| span.set_tag("tenant", "acme"));
            });
        }
        .in_transaction("task", "t")
        .with_client(&client)
        .await;
        let transaction = &sent.transactions()[0];
        let names: Vec<_> = transaction
            .spans
            .iter()
            .map(|span| &*span.description)
            .collect();
        assert_eq!(names, left, "{shown}");
        let lost = client.stats().spans;
        let ignored = DropReason::Discarded(DiscardReason::Ignored);
        assert_eq!(lost.dropped_because(ignored), 3 - left.len() as u64);
    }
}

#[tokio::test]
async fn what_was_below_an_ignored_span_moves_up() {
    let options = Options::default().traces_sample_rate(1.0);
    let (client, sent) = taskspan::test::client(options.ignore_spans([Pattern::contains("-")]));
    let span = |name: &'static str| taskspan::span("op", name);
    async {
        span("a").in_scope(|_| {
            span("-b").in_scope(|_| {
                span("-c").in_scope(|_| {
                    span("d").in_scope(|_| span("e").in_scope(|_| ()));
                    span("-f").in_scope(|_| ());
                });
                span("g").in_scope(|_| ());
            });
        });
        span("-h").in_scope(|_| span("i").in_scope(|_| ()));
    }
    .in_transaction("task", "t")
    .with_client(&client)
    .await;
    let tree =
        "task t (ok)\n  op a (ok)\n    op d (ok)\n      op e (ok)\n    op g (ok)\n  op i (ok)\n";
    assert_eq!(sent.tree(), tree);
    assert_eq!(client.stats().spans.dropped(), 4);
}

#[tokio::test]
async fn an_ignored_root_takes_everything_with_it() {
    for rule in [SpanRule::from("t"), SpanRule::new().op("task")] {
        let filters = |options: Options| options.ignore_spans([rule, "inner".into()]);
        assert!(one(filters, &whole("ignored")).await.is_empty());
    }
}

#[tokio::test]
async fn several_filters_count_what_each_of_them_took() {
    let filters = |options: Options| {
        let options = options.ignore_spans(["inner"]).event_processor(|mut it| {
            it.spans.retain(|span| span.description != "SELECT 1");
            Some(it)
        });
        options.before_send_transaction(|_| ready(None))
    };
    let lost = [
        ("before_send", "span", 2),
        ("before_send", "transaction", 1),
        ("event_processor", "span", 1),
        ("ignored", "span", 1),
    ];
    assert!(one(filters, &lost).await.is_empty());
}

#[tokio::test]
async fn short_spans_do_not_take_the_place_of_others() {
    let options = |options: Options| {
        let min = Duration::from_millis(5);
        options.min_span_duration(min).max_spans(4)
    };
    let (receiver, client) = connected(options).await;
    let root = async { taskspan::transaction("task", "t").start() };
    let root = root.with_client(&client).await;
    let begin = SystemTime::now();
    let at = |millis| begin + Duration::from_millis(millis);
    // Parent, name, milliseconds, status.
    let table = [
        (None, "long enough", 6, None),
        (None, "a", 1, None),
        (Some("a"), "b", 1, None),
        (Some("b"), "long below short", 9, None),
        (None, "c", 1, None),
        (Some("c"), "d", 1, None),
        (Some("d"), "short all the way up", 1, None),
        (None, "failed", 1, Some(SpanStatus::NotFound)),
    ];
    let mut open = BTreeMap::new();
    for _ in 0..20 {
        let span = taskspan::span("noise", "short").child_of(&root);
        span.start_time(at(0)).start().finish_at(at(4));
    }
    for (place, (parent, name, millis, status)) in table.into_iter().enumerate() {
        let parent = parent.map_or(&root as &Span, |parent| &open[parent] as &Span);
        let span = taskspan::span("op", name).child_of(parent);
        let span = span.start_time(at(place as u64)).start();
        if let Some(status) = status {
            span.set_status(status);
        }
        span.set_data("millis", millis);
        open.insert(name, span);
    }
    for (place, (_, name, millis, _)) in table.into_iter().enumerate() {
        open.remove(name)
            .unwrap()
            .finish_at(at(place as u64 + millis));
    }
    root.finish_at(at(50));
    let report = client.close(SOON).await;
    let lost = [("buffer_overflow", "span", 1), ("ignored", "span", 23)];
    assert_lost(&receiver, &report, &lost);
    let transaction = &receiver.transactions()[0];
    let spans: Vec<_> = transaction
        .spans
        .iter()
        .map(|it| &*it.description)
        .collect();
    assert_eq!(spans, ["long enough", "a", "b", "long below short"]);
}

#[tokio::test]
async fn a_short_span_that_failed_stays() {
    let options = Options::default().traces_sample_rate(1.0);
    let min = Duration::from_secs(60);
    let (client, sent) = taskspan::test::client(options.min_span_duration(min));
    async {
        ready(()).in_span("op", "ok").await;
        let failed = ready(Err::<(), ()>(()))
            .record_err()
            .in_span("op", "failed");
        failed.await.unwrap_err();
        taskspan::span("op", "above").in_scope(|_| {
            let cancelled = taskspan::span("op", "cancelled").start();
            cancelled.set_status(SpanStatus::Cancelled);
        });
    }
    .in_transaction("task", "t")
    .with_client(&client)
    .await;
    let tree = "task t (ok)\n  op failed (internal_error)\n  op above (ok)\n    op cancelled (cancelled)\n";
    assert_eq!(sent.tree(), tree);
}
