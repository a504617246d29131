//! Messages that carry the trace through a server of NATS.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![allow(dead_code, reason = "not all that is shared is used here")]

#[path = "support/server_process.rs"]
mod server_process;

use std::borrow::Cow;
use std::collections::HashMap;
use std::future::pending;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use async_nats::header::HeaderValue;
use async_nats::jetstream::consumer::pull;
use async_nats::jetstream::{self, AckKind, stream};
use async_nats::{Client, ConnectOptions, HeaderMap, Subscriber};
use futures_util::StreamExt;
use futures_util::future::join_all;
use serde_json::Value;
use taskspan::messaging::Message;
use taskspan::protocol::{Span, Transaction};
use taskspan::test::Sent;
use taskspan::{Instrument, Options, SpanStatus, TraceCarrier};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::server_process::{ServerProcess, free_address};

/// Headers as messages have them, if they have any.
#[derive(Default)]
struct Headers(Option<HeaderMap>);

impl TraceCarrier for Headers {
    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        let values = self.0.as_ref()?.get_all(name);
        let values: Vec<_> = values.map(HeaderValue::as_str).collect();
        match values[..] {
            [] => None,
            [value] => Some(value.into()),
            _ => Some(values.join(",").into()),
        }
    }

    fn set(&mut self, name: &'static str, value: &str) {
        if let Ok(value) = value.parse::<HeaderValue>() {
            self.0.get_or_insert_default().insert(name, value);
        }
    }
}

struct Nats {
    server: ServerProcess,
    client: Client,
}

/// No test waits longer than this for anything.
const SOON: Duration = Duration::from_secs(20);

impl Nats {
    async fn start() -> Self {
        let address = free_address();
        let server = ServerProcess::start(address, |folder, address| {
            // Debian's place for it, which is not on the path of everybody.
            let path = Path::new("/usr/sbin/nats-server");
            let path = if path.exists() {
                path
            } else {
                Path::new("nats-server")
            };
            let mut command = Command::new(path);
            command.args(["-a", "127.0.0.1", "-js", "-p"]);
            command
                .arg(address.port().to_string())
                .arg("-sd")
                .arg(folder);
            command
        });
        let options = ConnectOptions::new().request_timeout(Some(SOON));
        let client = options.connect(address.to_string()).await.unwrap();
        Self { server, client }
    }

    /// A subscription that the server knows of.
    async fn subscribe(&self, subject: &'static str) -> Subscriber {
        let subscriber = self.client.subscribe(subject).await.unwrap();
        self.client.flush().await.unwrap();
        subscriber
    }

    async fn publish(&self, subject: &str, body: &str) {
        self.publish_with(subject, body, Headers::default()).await;
    }

    async fn publish_with(&self, subject: &str, body: &str, headers: Headers) {
        let message = Message::new("nats", "orders").body_size(body.len());
        let body = body.to_owned();
        let publishing = message.publish(headers, |Headers(headers)| {
            let headers = headers.unwrap_or_default();
            self.client
                .publish_with_headers(subject.to_owned(), headers, body.into())
        });
        publishing.await.unwrap();
    }
}

async fn next(subscriber: &mut Subscriber) -> async_nats::Message {
    timeout(SOON, subscriber.next()).await.unwrap().unwrap()
}

fn client() -> (taskspan::Client, Sent) {
    taskspan::test::client(Options::disabled().traces_sample_rate(1.0))
}

fn data(span: &Span, key: &str) -> Option<Value> {
    span.data.get(key).cloned()
}

fn root_data(transaction: &Transaction, key: &str) -> Option<Value> {
    transaction.contexts.trace.data.get(key).cloned()
}

fn root_status(transaction: &Transaction) -> SpanStatus {
    transaction.contexts.trace.status.unwrap()
}

#[tokio::test]
async fn a_message_is_processed_in_the_trace_that_published_it() {
    let nats = Nats::start().await;
    let (client, sent) = client();
    let mut orders = nats.subscribe("orders.*").await;
    nats.publish("orders.7", "two of them")
        .in_transaction("http.server", "POST /orders")
        .with_client(&client)
        .await;

    let message = next(&mut orders).await;
    assert_eq!(message.payload, "two of them");
    let about = Message::new("nats", "orders")
        .id("7")
        .body_size(message.payload.len())
        .envelope_size(message.length);
    let handling = async {
        taskspan::span("db.query", "INSERT").in_scope(|_| ());
        message.payload.len()
    };
    let processing = about
        .process(&Headers(message.headers.clone()))
        .instrument(handling);
    assert_eq!(processing.with_client(&client).await, 11);

    assert_eq!(
        sent.tree(),
        "http.server POST /orders (ok)\n  queue.publish orders (ok)\n\
         queue.process orders (ok)\n  db.query INSERT (ok)\n"
    );
    let sent = sent.take();
    let (published, processed) = (&sent[0].spans[0], &sent[1]);
    let root = &processed.contexts.trace;
    assert_eq!(root.trace_id, sent[0].contexts.trace.trace_id);
    assert_eq!(root.parent_span_id, Some(published.span_id));
    assert_eq!(published.origin, "auto.queue.messaging");
    assert_eq!(root.origin, "auto.queue.messaging");
    let both = [
        ("messaging.system", "nats"),
        ("messaging.destination.name", "orders"),
    ];
    for (key, expected) in both {
        assert_eq!(data(published, key), Some(expected.into()), "{key}");
        assert_eq!(root_data(processed, key), Some(expected.into()), "{key}");
    }
    for key in ["messaging.operation.type", "messaging.operation.name"] {
        assert_eq!(data(published, key), Some("publish".into()));
        assert_eq!(root_data(processed, key), Some("process".into()));
    }
    let size = "messaging.message.body.size";
    assert_eq!(data(published, size), Some(11.into()));
    assert_eq!(root_data(processed, size), Some(11.into()));
    let envelope = root_data(processed, "messaging.message.envelope.size").unwrap();
    assert!(envelope.as_u64().unwrap() > 100, "with headers: {envelope}");
    let id = root_data(processed, "messaging.message.id");
    assert_eq!(id, Some("7".into()));
    assert_eq!(
        root_data(processed, "messaging.message.receive.latency"),
        None
    );
    assert_eq!(data(published, "messaging.message.id"), None);
}

#[tokio::test]
async fn a_request_lasts_until_its_answer() {
    let nats = Nats::start().await;
    let (client, sent) = client();
    let mut prices = nats.subscribe("prices").await;
    let answering = async {
        let message = next(&mut prices).await;
        let processing = Message::new("nats", "prices").process(&Headers(message.headers.clone()));
        let answer = async {
            let reply = message.reply.clone().unwrap();
            let answer = Message::new("nats", "replies");
            let sending = answer.publish(Headers::default(), |Headers(headers)| {
                let headers = headers.unwrap_or_default();
                nats.client
                    .publish_with_headers(reply, headers, "12".into())
            });
            sending.await
        };
        processing.instrument(answer).with_client(&client).await
    };
    let asking = async {
        let request = Message::new("nats", "prices").publish(Headers::default(), |headers| {
            let headers = headers.0.unwrap_or_default();
            nats.client
                .request_with_headers("prices", headers, "apple".into())
        });
        request.await
    };
    let asking = asking.in_transaction("task", "ask").with_client(&client);
    let (answer, answered) = tokio::join!(asking, answering);
    answered.unwrap();
    let answer = answer.unwrap();
    assert_eq!(answer.payload, "12");
    let trace = Headers(answer.headers)
        .get("sentry-trace")
        .unwrap()
        .into_owned();

    assert_eq!(
        sent.tree(),
        "queue.process prices (ok)\n  queue.publish replies (ok)\n\
         task ask (ok)\n  queue.publish prices (ok)\n"
    );
    let sent = sent.take();
    let parent = sent[0].contexts.trace.parent_span_id;
    assert_eq!(parent, Some(sent[1].spans[0].span_id));
    let answered = format!(
        "{}-{}-1",
        sent[1].contexts.trace.trace_id, sent[0].spans[0].span_id
    );
    assert_eq!(trace, answered);
}

#[tokio::test]
async fn redelivered_messages_are_told_apart() {
    let nats = Nats::start().await;
    let (client, sent) = client();
    let jetstream = jetstream::new(nats.client.clone());
    let stream = stream::Config {
        name: "ORDERS".into(),
        subjects: vec!["orders.>".into()],
        ..Default::default()
    };
    let stream = jetstream.create_stream(stream).await.unwrap();
    let consumer = pull::Config {
        durable_name: Some("shipping".into()),
        ..Default::default()
    };
    let consumer = stream.create_consumer(consumer).await.unwrap();

    let publishing = async {
        let message = Message::new("nats", "orders");
        let publishing = message.publish(Headers::default(), async |Headers(headers)| {
            let headers = headers.unwrap_or_default();
            let ack = jetstream.publish_with_headers("orders.7", headers, "two".into());
            ack.await?.await
        });
        publishing.await.unwrap().sequence
    };
    let publishing = publishing.in_transaction("task", "order");
    assert_eq!(publishing.with_client(&client).await, 1);

    let mut messages = consumer.messages().await.unwrap();
    for attempt in 0..3 {
        let message = timeout(SOON, messages.next())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        let info = message.info().unwrap();
        let id = info.stream_sequence.to_string();
        let about = Message::new("nats", "orders")
            .id(&id)
            .retry_count(info.delivered as usize - 1)
            .published_at(info.published.into());
        let processing = about.process(&Headers(message.headers.clone()));
        let handling = async {
            match attempt {
                2 => message.ack().await.map_err(|_| "not acknowledged"),
                _ => {
                    message.ack_with(AckKind::Nak(None)).await.unwrap();
                    Err("out of stock")
                }
            }
        };
        let processing = processing.instrument(handling).record_err();
        let result = processing.with_client(&client).await;
        assert_eq!(result.is_ok(), attempt == 2);
    }

    let sent = sent.take();
    let published = &sent[0].spans[0];
    let statuses: Vec<_> = sent[1..].iter().map(root_status).collect();
    let failed = SpanStatus::InternalError;
    assert_eq!(statuses, [failed, failed, SpanStatus::Ok]);
    let mut latency_before = 0;
    for (attempt, processed) in sent[1..].iter().enumerate() {
        let root = &processed.contexts.trace;
        assert_eq!(root.trace_id, sent[0].contexts.trace.trace_id);
        assert_eq!(root.parent_span_id, Some(published.span_id));
        let count = root_data(processed, "messaging.message.retry.count");
        assert_eq!(count, Some(attempt.into()));
        assert_eq!(
            root_data(processed, "messaging.message.id"),
            Some("1".into())
        );
        let latency = root_data(processed, "messaging.message.receive.latency");
        let latency = latency.unwrap().as_u64().unwrap();
        assert!(
            latency >= latency_before && latency < 20_000,
            "{latency} ms"
        );
        latency_before = latency;
    }
}

#[tokio::test]
async fn what_is_not_published_ends_as_what_it_is() {
    let mut nats = Nats::start().await;
    let (client, sent) = client();
    let options = ConnectOptions::new().request_timeout(Some(Duration::from_millis(100)));
    let info = nats.client.server_info();
    let address = format!("{}:{}", info.host, info.port);
    let hasty = options.connect(address).await.unwrap();
    let request = |headers: Headers| {
        let headers = headers.0.unwrap_or_default();
        hasty.request_with_headers("prices", headers, "apple".into())
    };
    let work = async {
        let about = Message::new("nats", "prices");
        let result = about.clone().publish(Headers::default(), request).await;
        let kind = result.unwrap_err().kind();
        assert_eq!(kind, async_nats::RequestErrorKind::NoResponders);

        // Somebody gets it, and never answers.
        let mut prices = nats.subscribe("prices").await;
        let asking = about.clone().publish(Headers::default(), |headers| {
            let headers = headers.0.unwrap_or_default();
            nats.client
                .request_with_headers("prices", headers, "apple".into())
        });
        tokio::select! {
            answer = asking => unreachable!("{answer:?}"),
            _ = next(&mut prices) => {}
        }

        nats.server.kill();
        let result = about.clone().publish(Headers::default(), request).await;
        let kind = result.unwrap_err().kind();
        assert_eq!(kind, async_nats::RequestErrorKind::TimedOut);

        // One that is never sent at all.
        drop(about.publish(Headers::default(), request));
    };
    work.in_transaction("task", "ask")
        .with_client(&client)
        .await;
    assert_eq!(
        sent.tree(),
        "task ask (ok)\n  queue.publish prices (internal_error)\n  queue.publish prices (cancelled)\n  \
         queue.publish prices (internal_error)\n  queue.publish prices (cancelled)\n"
    );
}

#[tokio::test]
async fn a_handler_that_fails_panics_or_is_dropped_shows() {
    let nats = Nats::start().await;
    let (client, sent) = client();
    let mut orders = nats.subscribe("orders").await;
    let mut processing = async || {
        nats.publish("orders", "two").await;
        let message = next(&mut orders).await;
        Message::new("nats", "orders").process(&Headers(message.headers))
    };

    let failing = processing()
        .await
        .instrument(async { Err::<(), _>("out of stock") });
    let result = failing.record_err().with_client(&client).await;
    assert_eq!(result, Err("out of stock"));

    let panicking = processing()
        .await
        .instrument(async { panic!("out of memory") });
    let result: Result<(), _> = tokio::spawn(panicking.with_client(&client)).await;
    assert!(result.unwrap_err().is_panic());

    let (begun, has_begun) = oneshot::channel();
    let endless = processing().await.instrument(async {
        begun.send(()).unwrap();
        pending::<()>().in_span("db.query", "SELECT 1").await;
    });
    tokio::select! {
        () = endless.with_client(&client) => unreachable!("it never ends"),
        () = async { has_begun.await.unwrap() } => {}
    }

    let sum = async { processing().await }.await;
    let sum = async { sum.in_scope(|root| root.set_data("sum", 3)) };
    sum.with_client(&client).await;

    let sum = "queue.process orders (ok)\n";
    assert_eq!(
        sent.tree(),
        format!(
            "queue.process orders (internal_error)\nqueue.process orders (internal_error)\n\
             queue.process orders (cancelled)\n  db.query SELECT 1 (cancelled)\n{sum}"
        )
    );
}

#[tokio::test]
async fn decisions_travel_whatever_is_recorded() {
    let nats = Nats::start().await;
    let mut orders = nats.subscribe("orders").await;
    let options = Options::disabled;
    // the publisher, what the header ends with, whether a consumer with a rate records it
    let table = [
        (options().traces_sample_rate(1.0), "-1", true),
        (options().traces_sample_rate(0.0), "-0", false),
        (options(), "", true),
        // Targets are about URLs.
        (
            options().trace_propagation_targets(["other.example"]),
            "",
            true,
        ),
    ];
    for (options, ending, recorded) in table {
        let (publisher, _) = taskspan::test::client(options);
        let outside = nats.publish("orders", "two").with_client(&publisher);
        outside.await;
        let outside = next(&mut orders).await;
        let inside = nats
            .publish("orders", "two")
            .in_transaction("task", "order");
        inside.with_client(&publisher).await;
        let inside = next(&mut orders).await;
        for (message, ending) in [(outside, ""), (inside, ending)] {
            let headers = Headers(message.headers);
            let header = headers.get("sentry-trace").unwrap();
            let sampled = header.splitn(3, '-').nth(2).map(|flag| format!("-{flag}"));
            assert_eq!(sampled.unwrap_or_default(), ending, "{header}");

            let (consumer, sent) = client();
            let processing = Message::new("nats", "orders").process(&headers);
            processing.instrument(async {}).with_client(&consumer).await;
            let sent = sent.take();
            assert_eq!(!sent.is_empty(), recorded || ending.is_empty(), "{header}");
            for processed in sent {
                let trace_id = processed.contexts.trace.trace_id.to_string();
                assert!(header.starts_with(&trace_id), "{header} {trace_id}");
            }
        }
    }

    // There is nothing to tell without a client, and with one that is disabled.
    nats.publish("orders", "two").await;
    assert_eq!(next(&mut orders).await.headers, None);
    let disabled = taskspan::Client::new(Options::disabled()).unwrap();
    nats.publish("orders", "two").with_client(&disabled).await;
    assert_eq!(next(&mut orders).await.headers, None);
    let (consumer, sent) = client();
    let processing = Message::new("nats", "orders").process(&Headers(None));
    processing.instrument(async {}).with_client(&consumer).await;
    assert_eq!(sent.tree(), "queue.process orders (ok)\n");
}

#[tokio::test]
async fn headers_of_others_stay_and_garbage_is_ignored() {
    let nats = Nats::start().await;
    let (client, sent) = client();
    let mut orders = nats.subscribe("orders").await;

    let mut headers = HeaderMap::new();
    headers.append("baggage", "vendor=1,sentry-release=old");
    headers.append("baggage", "other=2");
    headers.insert("sentry-trace", "of somebody else");
    headers.insert("x-tenant", "3");
    nats.publish_with("orders", "two", Headers(Some(headers)))
        .in_transaction("task", "order")
        .with_client(&client)
        .await;
    let headers = Headers(next(&mut orders).await.headers);
    let published = sent.take().remove(0);
    let expected = format!(
        "{}-{}-1",
        published.contexts.trace.trace_id, published.spans[0].span_id
    );
    assert_eq!(headers.get("sentry-trace").as_deref(), Some(&*expected));
    let baggage = headers.get("baggage").unwrap();
    assert!(baggage.starts_with("vendor=1,other=2,sentry-"), "{baggage}");
    assert!(!baggage.contains("sentry-release=old"), "{baggage}");
    assert_eq!(headers.get("x-tenant").as_deref(), Some("3"));

    let table: [&[&str]; 5] = [
        &[],
        &[""],
        &["no trace at all"],
        &["3f0c2a9be41d4f7c9a60b1d2c3e4f506"],
        &["00000000000000000000000000000000-b7e4a1930c5d2f68-1"],
    ];
    for values in table {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("sentry-trace", *value);
        }
        headers.insert("baggage", "%%%,=,;sentry-trace_id=,sentry-sample_rate=x");
        let publishing = nats
            .client
            .publish_with_headers("orders", headers, "two".into());
        publishing.await.unwrap();
        let message = next(&mut orders).await;
        let processing = Message::new("nats", "orders").process(&Headers(message.headers));
        processing.instrument(async {}).with_client(&client).await;
        let root = sent.take().remove(0).contexts.trace;
        assert_eq!(root.parent_span_id, None, "{values:?}");
    }
}

#[tokio::test]
async fn a_batch_is_one_transaction_apart_from_the_loop_around() {
    let nats = Nats::start().await;
    let (client, sent) = client();
    let mut orders = nats.subscribe("orders").await;
    nats.publish("orders", "two")
        .in_transaction("task", "first")
        .with_client(&client)
        .await;
    nats.client.publish("orders", "three".into()).await.unwrap();
    let receiving = async {
        let batch = [next(&mut orders).await, next(&mut orders).await];
        let [first, second] = batch.map(|message| Headers(message.headers));
        let about = || Message::new("nats", "orders");
        let together = about().batch_count(2).process(&first);
        together.instrument(async {}).await;
        about().process(&second).instrument(async {}).await;
    };
    receiving
        .in_transaction("task", "loop")
        .with_client(&client)
        .await;

    let sent = sent.take();
    let [first, batch, alone, around] = &sent[..] else {
        panic!("{sent:#?}");
    };
    let of = |one: &Transaction| one.contexts.trace.trace_id;
    assert_eq!(of(batch), of(first));
    assert_eq!(
        root_data(batch, "messaging.batch.message_count"),
        Some(2.into())
    );
    assert_eq!(alone.contexts.trace.parent_span_id, None);
    assert!(of(alone) != of(around) && of(alone) != of(first));
    assert!(around.spans.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_messages_do_not_mix() {
    let nats = Nats::start().await;
    let (client, sent) = client();
    let mut orders = nats.subscribe("orders").await;
    let publishing = (0..1_000).map(|order: u32| {
        let body = order.to_string();
        let nats = &nats;
        async move { nats.publish("orders", &body).await }
            .in_transaction("task", order.to_string())
            .with_client(&client)
    });
    let handling = async {
        let mut handlers = tokio::task::JoinSet::new();
        for _ in 0..1_000 {
            let message = next(&mut orders).await;
            let order = String::from_utf8(message.payload.to_vec()).unwrap();
            let processing = Message::new("nats", "orders").process(&Headers(message.headers));
            let handler = processing.instrument(async move {
                tokio::task::yield_now().await;
                taskspan::span("order", order).in_scope(|_| ());
            });
            handlers.spawn(handler.with_client(&client));
        }
        handlers.join_all().await;
    };
    tokio::join!(join_all(publishing), handling);

    let sent = sent.take();
    let (published, processed): (Vec<_>, Vec<_>) =
        sent.iter().partition(|one| one.contexts.trace.op == "task");
    assert_eq!((published.len(), processed.len()), (1_000, 1_000));
    let published: HashMap<_, _> = published.iter().map(|one| (&*one.name, one)).collect();
    for processed in processed {
        let root = &processed.contexts.trace;
        let publisher = published[&*processed.spans[0].description];
        assert_eq!(root.trace_id, publisher.contexts.trace.trace_id);
        assert_eq!(root.parent_span_id, Some(publisher.spans[0].span_id));
    }
}

#[test]
fn a_sampler_decides_by_what_is_known() {
    let options = Options::disabled().traces_sampler(|context| {
        let tries = context.attribute("messaging.message.retry.count");
        f64::from(u8::from(tries == Some(&Value::from(1))))
    });
    let (client, sent) = taskspan::test::client(options);
    for tries in 0..3 {
        let message = Message::new("nats", "orders").retry_count(tries);
        let processing = message.process(&Headers(None)).instrument(async {});
        let processing = futures_util::FutureExt::now_or_never(processing.with_client(&client));
        processing.unwrap();
    }
    assert_eq!(sent.take().len(), 1);
}

#[test]
fn an_unsampled_message_costs_its_headers_only() {
    let (client, _) = taskspan::test::client(Options::disabled().traces_sample_rate(0.0));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let send = async |headers: HashMap<String, String>| Ok::<_, ()>(headers.len());
    let message = || Message::new("nats", "orders").id("7").body_size(3);
    let measure = |work: &mut dyn FnMut()| allocation_counter::measure(work).count_total;

    // Outside of everything.
    let mut length = Ok(9);
    let traced = measure(&mut || {
        length = runtime.block_on(message().publish(HashMap::new(), send));
    });
    let bare = measure(&mut || {
        length = runtime.block_on(send(HashMap::new()));
    });
    assert_eq!((traced, length), (bare, Ok(0)));

    let work = async {
        // What is known of the trace is settled once.
        taskspan::outgoing_trace().unwrap();
        let mut by_hand = 0;
        let mut published = 0;
        for (count, traced) in [(&mut by_hand, false), (&mut published, true)] {
            *count = measure(&mut || {
                let mut headers = HashMap::new();
                let sending = match traced {
                    true => futures_util::future::Either::Left(message().publish(headers, send)),
                    false => {
                        taskspan::outgoing_trace().unwrap().inject(&mut headers);
                        futures_util::future::Either::Right(send(headers))
                    }
                };
                let sent = futures_util::FutureExt::now_or_never(sending);
                assert_eq!(sent, Some(Ok(2)));
            });
        }
        (by_hand, published)
    };
    let work = work.in_transaction("task", "order").with_client(&client);
    let (by_hand, published) = runtime.block_on(work);
    assert_eq!(published, by_hand);
    assert!(by_hand > 0, "headers are strings");
}
