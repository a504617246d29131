//! Spans and events of `tracing`, as spans and breadcrumbs.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::future::{pending, poll_fn};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use serde_json::json;
use taskspan::protocol::Transaction;
use taskspan::test::Sent;
use taskspan::{Client, Instrument as _, Options, SamplingContext};
use tracing::dispatcher::{DefaultGuard, set_default};
use tracing::instrument::WithSubscriber;
use tracing::{Dispatch, Instrument, Level, Span, debug_span, error, info, info_span};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::prelude::*;

/// A client that records everything.
fn client() -> (Client, Sent) {
    taskspan::test::client(Options::disabled().traces_sample_rate(1.0))
}

/// A subscriber with nothing but the layer.
fn subscriber() -> Dispatch {
    Dispatch::new(tracing_subscriber::registry().with(taskspan::tracing::layer()))
}

fn subscribe() -> DefaultGuard {
    set_default(&subscriber())
}

/// What is sent of some work under a client.
async fn sent_of<T>(work: impl Future<Output = T>) -> (T, Sent) {
    let (client, sent) = client();
    let output = work.with_client(&client).await;
    (output, sent)
}

/// The only transaction of some work in a native transaction.
async fn recorded<T>(work: impl Future<Output = T>) -> (T, Transaction) {
    let (output, sent) = sent_of(work.in_transaction("task", "work")).await;
    (output, sent.take().remove(0))
}

async fn tree_of<T>(work: impl Future<Output = T>) -> String {
    let (_, sent) = sent_of(work).await;
    sent.tree()
}

fn poll_once<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// A future that is pending the first time.
async fn once_pending() {
    tokio::task::yield_now().await;
}

#[tokio::test]
async fn a_span_without_anything_above_is_a_transaction() {
    let _default = subscribe();
    let (_, sent) = sent_of(async {
        info_span!("outer").in_scope(|| {
            info_span!("inner").in_scope(|| {
                taskspan::span("native", "innermost").in_scope(|_| ());
            });
        });
    })
    .await;
    assert_eq!(
        sent.tree(),
        "function outer (ok)\n  function inner (ok)\n    native innermost (ok)\n"
    );
    let transaction = &sent.transactions()[0];
    assert_eq!(transaction.contexts.trace.origin, "auto.function.tracing");
    assert_eq!(json!(transaction.info)["source"], "component");
}

#[tokio::test]
async fn spans_lie_under_and_above_native_ones() {
    let _default = subscribe();
    let tree = tree_of(
        async {
            async {
                once_pending().await;
                async { once_pending().await }
                    .in_span("native", "third")
                    .await;
                info_span!("fourth").in_scope(|| ());
            }
            .instrument(info_span!("second"))
            .await;
            taskspan::span("native", "fifth").in_scope(|_| {
                info_span!("sixth").in_scope(|| ());
            });
        }
        .in_span("native", "first")
        .in_transaction("task", "work"),
    )
    .await;
    assert_eq!(
        tree,
        "task work (ok)\n  \
           native first (ok)\n    \
             function second (ok)\n      \
               native third (ok)\n      \
               function fourth (ok)\n    \
             native fifth (ok)\n      \
               function sixth (ok)\n"
    );
}

#[tokio::test]
async fn what_was_current_before_is_current_after() {
    let _default = subscribe();
    let (_, transaction) = recorded(async {
        let id = || taskspan::current_span().unwrap().span_id();
        let root = id();
        let (first, second) = (info_span!("first"), info_span!("second"));
        first.in_scope(|| {
            let in_first = id();
            assert_ne!(in_first, root);
            second.in_scope(|| {
                let in_second = id();
                assert_ne!(in_second, in_first);
                first.in_scope(|| assert_eq!(id(), in_first, "entered again"));
                assert_eq!(id(), in_second);
            });
            assert_eq!(id(), in_first);
        });
        assert_eq!(id(), root);

        // In another order than they were entered.
        let in_first = first.in_scope(id);
        let in_second = second.in_scope(id);
        let (a, b) = (first.clone().entered(), second.entered());
        drop(a);
        assert_eq!(id(), in_second);
        drop(b);
        assert_eq!(id(), root);
        let (a, b) = (first.clone().entered(), first.entered());
        drop(a);
        assert_eq!(id(), in_first);
        drop(b);
        assert_eq!(id(), root);
    })
    .await;
    assert_eq!(transaction.spans.len(), 2);
}

#[tokio::test]
async fn named_parents_count() {
    let _default = subscribe();
    let tree = tree_of(
        async {
            let parent = info_span!("parent");
            info_span!("current").in_scope(|| {
                info_span!(parent: &parent, "child").in_scope(|| {
                    info_span!("grandchild").in_scope(|| ());
                });
                info_span!(parent: None, "root").in_scope(|| {
                    info_span!("below root").in_scope(|| ());
                });
            });
        }
        .in_transaction("task", "work"),
    )
    .await;
    assert_eq!(
        tree,
        "function root (ok)\n  \
           function below root (ok)\n\
         task work (ok)\n  \
           function parent (ok)\n    \
             function child (ok)\n      \
               function grandchild (ok)\n  \
           function current (ok)\n"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_follow_their_futures_into_other_tasks() {
    let subscriber = subscriber();
    let (client, sent) = client();
    async {
        // Tokio's own function knows nothing of the transaction, but the span does.
        let plain = async {
            once_pending().await;
            async { once_pending().await }
                .in_span("native", "below plain")
                .await;
            info_span!("also below plain").in_scope(|| ());
        };
        let plain = plain
            .instrument(info_span!("plain"))
            .with_current_subscriber();
        let native = async { once_pending().await }.instrument(info_span!("native"));
        let native = native.with_current_subscriber();
        let (plain, native) = (tokio::spawn(plain), taskspan::spawn(native));
        plain.await.unwrap();
        native.await.unwrap();
    }
    .in_transaction("task", "work")
    .with_client(&client)
    .with_subscriber(subscriber)
    .await;
    assert_eq!(
        sent.tree(),
        "task work (ok)\n  \
           function plain (ok)\n    \
             native below plain (ok)\n    \
             function also below plain (ok)\n  \
           function native (ok)\n"
    );
}

#[tokio::test]
async fn futures_keep_to_their_traces() {
    let _default = subscribe();
    let (client, sent) = client();
    let of_first = async {
        let span = info_span!("of first");
        let work = async {
            once_pending().await;
            taskspan::span("native", "below first").in_scope(|_| ());
            info_span!("also below first").in_scope(|| ());
        };
        let work: Pin<Box<dyn Future<Output = ()>>> = Box::pin(work.instrument(span));
        Some(work)
    }
    .in_transaction("task", "first");
    let second = async {
        let mut of_first = of_first.await.unwrap();
        assert!(poll_once(of_first.as_mut()).is_pending());
        info_span!("of second").in_scope(|| ());
        assert!(poll_once(of_first.as_mut()).is_ready());
        info_span!("of second, too").in_scope(|| ());
    };
    second
        .in_transaction("task", "second")
        .with_client(&client)
        .await;
    let tree = sent.tree();
    assert!(
        tree.contains("  function of second (ok)\n  function of second, too (ok)\n"),
        "{tree}"
    );
    assert_eq!(tree.matches("below first").count(), 2, "{tree}");
}

#[tokio::test]
async fn a_guard_that_is_held_across_an_await_harms_nobody() {
    let _default = subscribe();
    let (client, sent) = client();
    let wrong = async {
        let _guard = info_span!("held").entered();
        once_pending().await;
        info_span!("after").in_scope(|| ());
    };
    let wrong = wrong.in_transaction("task", "wrong").with_client(&client);
    let right = async {
        info_span!("inside").in_scope(|| ());
        once_pending().await;
    };
    let right = right.in_transaction("task", "right").with_client(&client);
    tokio::join!(wrong, right);
    assert!(taskspan::current_span().is_none());
    let tree = sent.tree();
    assert!(
        tree.contains("task right (ok)\n  function inside (ok)\n"),
        "{tree}"
    );
    assert!(
        tree.contains("task wrong (ok)\n  function held (ok)\n    function after (ok)\n"),
        "{tree}"
    );
}

#[tokio::test]
async fn fields_are_data() {
    let _default = subscribe();
    let (_, transaction) = recorded(async {
        let error: Box<dyn std::error::Error> = "it broke".into();
        let span = info_span!(
            "work",
            signed = -1,
            unsigned = u64::MAX,
            float = 0.5,
            yes = true,
            text = "text",
            debug = ?[1, 2],
            display = %7,
            late = tracing::field::Empty,
            never = tracing::field::Empty,
            tags.tenant = "acme",
        );
        span.record("late", 3);
        drop(span);
        drop(info_span!("failed", error = &*error));
    })
    .await;
    let span = &transaction.spans[0];
    let data = json!(span.data);
    let expected = json!({
        "signed": -1,
        "unsigned": u64::MAX,
        "float": 0.5,
        "yes": true,
        "text": "text",
        "debug": "[1, 2]",
        "display": "7",
        "late": 3,
        "sentry.tracing.target": "tracing_layer",
        "sentry.tracing.level": "INFO",
        "code.module.name": "tracing_layer",
        "code.file.path": "neighbours/tests/tracing_layer.rs",
        "code.line.number": data["code.line.number"],
    });
    assert_eq!(data, expected);
    assert!(data["code.line.number"].as_u64().unwrap() > 100);
    assert_eq!(span.tags["tenant"], "acme");
    let failed = &transaction.spans[1];
    assert_eq!(failed.status.unwrap().as_str(), "internal_error");
    assert_eq!(failed.data.get("error").cloned(), Some("it broke".into()));
}

#[tokio::test]
async fn some_fields_say_what_a_span_is() {
    let _default = subscribe();
    let tree = tree_of(
        async {
            drop(info_span!("a", sentry.op = "cache.get", sentry.name = "items"));
            drop(info_span!("b", otel.kind = "server", otel.name = "GET /"));
            drop(info_span!("c", otel.kind = "Client", otel.status_code = "ERROR"));
            drop(info_span!("d", otel.kind = %"CLIENT", db.system = "sqlite", otel.status_code = "OK"));
            drop(info_span!("e", otel.kind = "producer", sentry.status = "not_found"));
            drop(info_span!("f", otel.kind = "internal", otel.status_message = "no"));
            drop(info_span!("g", otel.kind = "server", rpc.system = "grpc", sentry.status = "no such"));
            let late = info_span!("h", sentry.op = tracing::field::Empty, otel.name = tracing::field::Empty);
            late.record("sentry.op", "late.op");
            late.record("otel.name", "late name");
        }
        .in_transaction("task", "work"),
    )
    .await;
    assert_eq!(
        tree,
        "task work (ok)\n  \
           cache.get items (ok)\n  \
           http.server GET / (ok)\n  \
           http.client c (internal_error)\n  \
           db d (ok)\n  \
           queue.publish e (not_found)\n  \
           function f (internal_error)\n  \
           rpc g (ok)\n  \
           late.op late name (ok)\n"
    );
}

#[tokio::test]
async fn a_transaction_is_what_its_fields_say() {
    let _default = subscribe();
    let (_, sent) = sent_of(async {
        let header = "3f0c2a9be41d4f7c9a60b1d2c3e4f506-b7e4a1930c5d2f68-1";
        let span = info_span!(
            "request",
            otel.kind = "server",
            otel.name = "GET /items",
            sentry.trace = header,
            path = "/items",
        );
        span.in_scope(|| ());
    })
    .await;
    let transaction = &sent.transactions()[0];
    assert_eq!(sent.tree(), "http.server GET /items (ok)\n");
    let trace = &transaction.contexts.trace;
    assert_eq!(
        trace.trace_id.to_string(),
        "3f0c2a9be41d4f7c9a60b1d2c3e4f506"
    );
    assert_eq!(
        trace.parent_span_id.unwrap().to_string(),
        "b7e4a1930c5d2f68"
    );
    assert_eq!(trace.data.get("path").cloned(), Some("/items".into()));
    assert_eq!(
        trace.data.get("sentry.kind").cloned(),
        Some("server".into())
    );
    assert_eq!(
        trace.data.get("code.file.path").cloned(),
        Some("neighbours/tests/tracing_layer.rs".into())
    );
}

#[tokio::test]
async fn failures_are_statuses_unless_another_was_set() {
    #[tracing::instrument(err)]
    fn fails() -> Result<(), String> {
        Err("it broke".to_owned())
    }
    let _default = subscribe();
    let (_, transaction) = recorded(async {
        let _ = fails();
        info_span!("said").in_scope(|| {
            Span::current().record("nothing", 1);
            error!("bad");
        });
        let said = info_span!("said before", sentry.status = "aborted");
        said.in_scope(|| error!("bad"));
        let later = info_span!("said later", sentry.status = tracing::field::Empty);
        later.in_scope(|| error!("bad"));
        later.record("sentry.status", "ok");
        let other = info_span!("of another");
        info_span!("around").in_scope(|| error!(parent: &other, "bad"));
        let _ = catch_unwind(AssertUnwindSafe(|| {
            info_span!("panicked").in_scope(|| panic!("on purpose"));
        }));
        let caught = info_span!("caught");
        let _ = catch_unwind(AssertUnwindSafe(|| {
            caught.in_scope(|| panic!("on purpose"))
        }));
        let task = async { panic!("on purpose") }.instrument(info_span!("task"));
        let _ = taskspan::spawn(task.with_current_subscriber()).await;
    })
    .await;
    let statuses: Vec<_> = transaction
        .spans
        .iter()
        .map(|span| format!("{} {}", span.description, span.status.unwrap()))
        .collect();
    assert_eq!(
        statuses,
        [
            "fails internal_error",
            "said internal_error",
            "said before aborted",
            "said later ok",
            "of another internal_error",
            "around ok",
            "panicked internal_error",
            "caught internal_error",
            "task internal_error",
        ]
    );
    let first = &transaction.breadcrumbs[0];
    assert_eq!(json!(first)["level"], "error");
    assert_eq!(first.data["error"], "it broke");
}

#[tokio::test]
async fn what_is_dropped_with_a_cancelled_future_is_cancelled() {
    let _default = subscribe();
    let (_, transaction) = recorded(async {
        let work = pending::<()>().instrument(info_span!("inner"));
        let mut work = Box::pin(work.in_span("native", "outer"));
        assert!(poll_once(work.as_mut()).is_pending());
    })
    .await;
    let statuses = transaction
        .spans
        .iter()
        .map(|span| span.status.unwrap().as_str());
    assert_eq!(statuses.collect::<Vec<_>>(), ["cancelled", "cancelled"]);
}

#[tokio::test]
async fn causes_are_links() {
    let _default = subscribe();
    let (_, sent) = sent_of(async {
        let cause = info_span!("cause");
        let effect = async {
            let span = info_span!("effect");
            span.follows_from(&cause);
            span.follows_from(&cause);
        };
        effect.in_transaction("task", "work").await;
        let root = info_span!(parent: None, "root");
        root.follows_from(&cause);
    })
    .await;
    let transactions = sent.transactions();
    let named = |name: &str| transactions.iter().find(|it| it.name == name).unwrap();
    let cause = &named("cause").contexts.trace;
    let link = json!({
        "trace_id": cause.trace_id,
        "span_id": cause.span_id,
        "attributes": {"sentry.link.type": "follows_from"},
    });
    assert_eq!(json!(named("work").spans[0])["links"], json!([link]));
    assert_eq!(
        json!(named("root"))["contexts"]["trace"]["links"],
        json!([link])
    );
    assert_eq!(
        json!(named("cause"))["contexts"]["trace"].get("links"),
        None
    );
}

#[tokio::test]
async fn events_are_breadcrumbs() {
    let _default = subscribe();
    let (_, transaction) = recorded(async {
        info!(target: "shop::cart", items = 3, empty = false, "{} is full", "it");
        tracing::warn!("careful");
        tracing::debug!("not by default");
    })
    .await;
    let breadcrumbs = json!(transaction.breadcrumbs);
    assert_eq!(breadcrumbs.as_array().unwrap().len(), 2);
    assert_eq!(breadcrumbs[0]["category"], "shop::cart");
    assert_eq!(breadcrumbs[0]["message"], "it is full");
    assert_eq!(breadcrumbs[0]["level"], "info");
    assert_eq!(breadcrumbs[0]["data"], json!({"items": 3, "empty": false}));
    assert_eq!(breadcrumbs[1]["level"], "warning");
}

#[tokio::test]
async fn levels_are_info_and_above_unless_said() {
    let work = || async {
        debug_span!("debug").in_scope(|| info_span!("info").in_scope(|| ()));
    };
    let tree = |subscriber: Dispatch| {
        let work = work()
            .in_transaction("task", "work")
            .with_subscriber(subscriber);
        tree_of(work)
    };
    let registry = tracing_subscriber::registry;
    let by_default = "task work (ok)\n  function info (ok)\n";
    let all = "task work (ok)\n  function debug (ok)\n    function info (ok)\n";
    assert_eq!(tree(subscriber()).await, by_default);
    let layer = taskspan::tracing::layer().with_max_level(Level::DEBUG);
    assert_eq!(tree(Dispatch::new(registry().with(layer))).await, all);
    let layer = taskspan::tracing::layer().with_max_level(Level::TRACE);
    let layer = layer.with_filter(LevelFilter::INFO);
    assert_eq!(
        tree(Dispatch::new(registry().with(layer))).await,
        by_default
    );
}

#[tokio::test]
async fn without_a_client_nothing_happens() {
    let _default = subscribe();
    info_span!("outer", field = 1).in_scope(|| {
        info!("event");
        info_span!("inner").in_scope(|| assert!(taskspan::current_span().is_none()));
    });
    poll_fn(|_| Poll::Ready(()))
        .instrument(info_span!("future"))
        .await;
}

#[tokio::test]
async fn other_layers_and_filters_are_not_concerned() {
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(text);
            Ok(text.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let lines = Lines::default();
    let writer = lines.clone();
    let fmt = tracing_subscriber::fmt::layer()
        .without_time()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .with_filter(EnvFilter::new("tracing_layer=debug"));
    let layer = taskspan::tracing::layer().with_filter(EnvFilter::new("info,noisy=off"));
    let subscriber = tracing_subscriber::registry().with(fmt).with(layer);
    let _default = tracing::subscriber::set_default(subscriber);
    let (_, transaction) = recorded(async {
        let outer = info_span!("outer");
        outer.in_scope(|| {
            debug_span!("debug").in_scope(|| {
                info_span!(target: "noisy", "noisy").in_scope(|| {
                    info_span!("inner").in_scope(|| info!("event"));
                    let filtered = debug_span!("also filtered");
                    info_span!(parent: &filtered, "below filtered").in_scope(|| ());
                });
            });
        });
        tracing::debug!("for the other one");
    })
    .await;
    let names = transaction.spans.iter().map(|span| &*span.description);
    assert_eq!(
        names.collect::<Vec<_>>(),
        ["outer", "inner", "below filtered"]
    );
    let outer = transaction.spans[0].span_id;
    assert_eq!(transaction.spans[1].parent_span_id, outer);
    assert_eq!(transaction.spans[2].parent_span_id, outer);
    assert_eq!(transaction.breadcrumbs.len(), 1);
    let lines = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(
        lines.contains("outer:debug:inner: tracing_layer: event"),
        "{lines}"
    );
    assert!(lines.contains("for the other one"), "{lines}");
}

#[tokio::test]
async fn samplers_know_the_fields_of_roots() {
    let _default = subscribe();
    let options = Options::disabled().traces_sampler(|context: &SamplingContext<'_>| {
        // What a sampler does itself is not recorded.
        info_span!("sampler").in_scope(|| info!("sampling"));
        match context.attribute("path").and_then(|path| path.as_str()) {
            Some("/health") => 0.0,
            _ => 1.0,
        }
    });
    let (client, sent) = taskspan::test::client(options);
    async {
        for path in ["/health", "/items"] {
            info_span!("request", path).in_scope(|| ());
        }
    }
    .with_client(&client)
    .await;
    assert_eq!(sent.transactions().len(), 1);
    assert_eq!(
        sent.transactions()[0]
            .contexts
            .trace
            .data
            .get("path")
            .cloned(),
        Some("/items".into())
    );
}

#[tokio::test]
async fn callbacks_may_use_tracing_themselves() {
    let _default = subscribe();
    let options = Options::disabled()
        .traces_sample_rate(1.0)
        .before_breadcrumb(|breadcrumb| {
            info!("a breadcrumb");
            Some(breadcrumb)
        });
    let (client, sent) = taskspan::test::client(options);
    async { info!("event") }
        .in_transaction("task", "work")
        .with_client(&client)
        .await;
    assert_eq!(sent.transactions()[0].breadcrumbs.len(), 1);
}

#[tokio::test]
async fn late_spans_stay_in_their_trace() {
    let _default = subscribe();
    let (_, sent) = sent_of(async {
        let late = async { info_span!("late") }
            .in_transaction("task", "work")
            .await;
        async { async {}.in_span("native", "below late").await }
            .instrument(late)
            .await;
    })
    .await;
    let transactions = sent.transactions();
    assert_eq!(transactions.len(), 2);
    let traces = transactions.iter().map(|it| it.contexts.trace.trace_id);
    let traces: Vec<_> = traces.collect();
    assert_eq!(traces[0], traces[1]);
    assert_eq!(transactions[1].name, "below late");
    assert_eq!(
        transactions[1].contexts.trace.parent_span_id,
        Some(transactions[0].spans[0].span_id)
    );
}

#[tokio::test]
async fn what_is_told_others_is_that_of_the_span() {
    let _default = subscribe();
    let (told, transaction) = recorded(async {
        info_span!("call").in_scope(|| taskspan::outgoing_trace().unwrap().sentry_trace())
    })
    .await;
    let span = &transaction.spans[0];
    assert_eq!(told, format!("{}-{}-1", span.trace_id, span.span_id));
}

#[tokio::test]
async fn a_layer_that_goes_ends_what_is_open() {
    let (_, sent) = sent_of(async {
        let subscriber = subscriber();
        let child = tracing::dispatcher::with_default(&subscriber, || {
            info_span!("root").in_scope(|| info_span!("child"))
        });
        // The registry tells the subscriber of the thread that the root has no more children, and
        // here there is none.
        drop(child);
        drop(subscriber);
    })
    .await;
    assert_eq!(sent.tree(), "function root (ok)\n  function child (ok)\n");
}

#[test]
fn nothing_is_allocated_for_what_is_not_sampled() {
    fn count(subscriber: &Dispatch, client: Option<&Client>) -> u64 {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let work = || {
            for n in 0..10 {
                let span = info_span!("span", n, text = "text");
                span.in_scope(|| {
                    info!(n, "event");
                    info_span!("inner").in_scope(|| ());
                });
                let mut future = pin!(pending::<()>().instrument(span));
                for _ in 0..3 {
                    assert!(poll_once(future.as_mut()).is_pending());
                }
            }
        };
        let measured = async {
            let _outer = info_span!("outer").entered();
            work();
            allocation_counter::measure(work).count_total
        };
        let _default = set_default(subscriber);
        runtime.block_on(async {
            match client {
                Some(client) => {
                    measured
                        .in_transaction("task", "work")
                        .with_client(client)
                        .await
                }
                None => measured.await,
            }
        })
    }

    /// Frees the places of spans, which the registry alone never does.
    struct Empty;
    impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Empty {}

    let bare = || Dispatch::new(tracing_subscriber::registry().with(Empty));
    let (client, _) = taskspan::test::client(Options::disabled().traces_sample_rate(0.0));
    assert_eq!(
        count(&subscriber(), Some(&client)),
        count(&bare(), Some(&client))
    );
    assert_eq!(count(&subscriber(), None), count(&bare(), None));
    let (sampled, _) = self::client();
    assert!(
        count(&subscriber(), Some(&sampled)) > count(&bare(), Some(&sampled)),
        "it counts"
    );
}
