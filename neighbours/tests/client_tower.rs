//! Requests of a client inside of the tower layer, as spans.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![allow(dead_code, reason = "not all that is shared is used here")]

#[path = "support/recorded.rs"]
mod recorded;
#[path = "support/http.rs"]
mod support;
#[path = "support/upstream.rs"]
mod upstream;

use std::convert::Infallible;
use std::error::Error;
use std::future::ready;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::{FutureExt, poll};
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use taskspan::test::Sent;
use taskspan::tower::{Client, ClientLayer};
use taskspan::{IncomingTrace, Instrument, Options};
use tokio::time::timeout;
use tower::timeout::TimeoutLayer;
use tower::{Service, ServiceBuilder, ServiceExt};

use crate::recorded::{only, recorded, status};
use crate::support::http_client;
use crate::upstream::{OUTCOMES, Read, Upstream};

type Http = Client<HttpClient<HttpConnector, Full<Bytes>>>;

fn http() -> Http {
    ServiceBuilder::new()
        .layer(ClientLayer::new())
        .service(http_client())
}

fn client() -> (taskspan::Client, Sent) {
    client_with(Options::disabled().traces_sample_rate(1.0))
}

fn client_with(options: Options) -> (taskspan::Client, Sent) {
    taskspan::test::client(options)
}

fn get(url: &str) -> Request<Full<Bytes>> {
    Request::get(url).body(Full::default()).unwrap()
}

/// Sends a request and reads so much of the response.
async fn fetch(http: Http, url: &str, read: Read) -> Result<Bytes, Box<dyn Error + Send + Sync>> {
    let response = http.oneshot(get(url)).await?;
    let mut body = response.into_body();
    match read {
        Read::All => Ok(body.collect().await?.to_bytes()),
        Read::Half => Ok(body.frame().await.unwrap()?.into_data().unwrap()),
        Read::Nothing => Ok(Bytes::new()),
    }
}

/// The transaction of some work.
#[tokio::test]
async fn spans_end_as_their_responses_do() {
    let upstream = Upstream::start().await;
    for (path, read, expected) in OUTCOMES {
        let url = upstream.url(path);
        let (result, transaction) = recorded(fetch(http(), &url, read)).await;
        let span = only(&transaction);
        let case = format!("{path} {read:?} {result:?}");
        assert_eq!(status(span), expected, "{case}");
        assert_eq!(span.op, "http.client");
        assert_eq!(span.origin, "auto.http.tower");
        assert_eq!(span.description, format!("GET {url}"));
        let code = path
            .strip_prefix("/status/")
            .map(|code| code.parse().unwrap());
        let told = span.data.get("http.response.status_code").cloned();
        let told = told.map(|code| code.as_u64().unwrap());
        let expected = code.or((path != "/hang-up").then_some(200_u64));
        assert_eq!(told, expected, "{case}");
    }
}

#[tokio::test]
async fn a_span_lasts_until_the_body_has_come() {
    let upstream = Upstream::start().await;
    let url = upstream.url("/stream");
    let (body, transaction) = recorded(async {
        let response = http().oneshot(get(&url)).await.unwrap();
        async {}.in_span("function", "between").await;
        response.into_body().collect().await.unwrap().to_bytes()
    })
    .await;
    assert_eq!(body, "first second third");
    let [call, between] = &transaction.spans[..] else {
        panic!("{transaction:#?}");
    };
    assert!(between.timestamp <= call.timestamp);
    assert_eq!(
        between.parent_span_id, call.parent_span_id,
        "it is no part of it"
    );
    assert_eq!(
        call.data.get("http.response.body.size").cloned(),
        Some(18.into())
    );
}

#[tokio::test]
async fn requests_are_told_without_secrets() {
    let upstream = Upstream::start().await;
    let url = format!(
        "http://anna:hidden@{}/items?limit=3&api_key=hidden",
        upstream.address
    );
    let request = Request::post(&url).body(Full::from("12345")).unwrap();
    let (_, transaction) = recorded(async {
        let response = http().oneshot(request).await.unwrap();
        response.into_body().collect().await.unwrap();
    })
    .await;
    let span = only(&transaction);
    let told = format!("http://[Filtered]:[Filtered]@{}/items", upstream.address);
    assert_eq!(span.description, format!("POST {told}"));
    let expected = [
        ("http.request.method", "POST".into()),
        ("url.full", told.into()),
        ("url.query", "limit=3&api_key=[Filtered]".into()),
        ("server.address", "127.0.0.1".into()),
        ("server.port", upstream.address.port().into()),
        ("http.request.body.size", 5.into()),
        ("http.response.status_code", 200.into()),
        ("http.response.body.size", 5.into()),
    ];
    for (key, value) in expected {
        assert_eq!(span.data.get(key).cloned(), Some(value), "{key}");
    }
    let text = serde_json::to_string(&transaction).unwrap();
    assert!(!text.contains("hidden") && !text.contains("anna"), "{text}");
}

#[tokio::test]
async fn without_a_response_a_span_ends_as_what_happened() {
    let upstream = Upstream::start().await;
    let silent = upstream.url("/silent");

    // Nobody listens where a listener was dropped.
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let refused = format!("http://{}/", free.local_addr().unwrap());
    drop(free);
    let (result, transaction) = recorded(fetch(http(), &refused, Read::All)).await;
    let error = result.unwrap_err();
    let error = error.downcast::<hyper_util::client::legacy::Error>();
    assert!(error.unwrap().is_connect(), "it is the client's own error");
    assert_eq!(status(only(&transaction)), "internal_error");

    let inside = ServiceBuilder::new()
        .layer(ClientLayer::new())
        .layer(TimeoutLayer::new(Duration::from_millis(20)))
        .service(http_client());
    let (result, transaction) = recorded(inside.oneshot(get(&silent))).await;
    assert!(result.unwrap_err().is::<tower::timeout::error::Elapsed>());
    assert_eq!(status(only(&transaction)), "internal_error");

    let given_up = timeout(Duration::from_millis(20), fetch(http(), &silent, Read::All));
    let (result, transaction) = recorded(given_up).await;
    assert!(result.is_err());
    assert_eq!(status(only(&transaction)), "cancelled");
    assert!(
        transaction.spans[0]
            .data
            .get("http.response.status_code")
            .is_none()
    );

    let panicking = ServiceBuilder::new().layer(ClientLayer::new()).service_fn(
        async |_: Request<Full<Bytes>>| -> Result<Response<Full<Bytes>>, Infallible> {
            panic!("on purpose")
        },
    );
    let work = std::panic::AssertUnwindSafe(panicking.oneshot(get("http://a/"))).catch_unwind();
    let (result, transaction) = recorded(work).await;
    assert!(result.is_err());
    assert_eq!(status(only(&transaction)), "internal_error");
}

#[tokio::test]
async fn each_try_is_a_span_inside_of_what_retries_and_all_are_one_outside() {
    let upstream = Upstream::start().await;
    let urls = ["/status/503", "/status/429", "/stream"].map(|path| upstream.url(path));
    let retrying = |http: Http| {
        let urls = urls.clone();
        tower::service_fn(move |_: Request<Full<Bytes>>| {
            let (http, urls) = (http.clone(), urls.clone());
            async move {
                let mut last = None;
                for url in &urls {
                    last = Some(http.clone().oneshot(get(url)).await?);
                }
                Ok::<_, hyper_util::client::legacy::Error>(last.unwrap())
            }
        })
    };
    let (_, transaction) = recorded(async {
        let response = retrying(http()).oneshot(get(&urls[0])).await.unwrap();
        response.into_body().collect().await.unwrap();
    })
    .await;
    let statuses: Vec<_> = transaction.spans.iter().map(status).collect();
    assert_eq!(statuses, ["unavailable", "resource_exhausted", "ok"]);

    let (_, transaction) = recorded(async {
        let outside = ServiceBuilder::new().layer(ClientLayer::new());
        let outside = outside.service(retrying(http()));
        let response = outside.oneshot(get("http://all.example/")).await.unwrap();
        response.into_body().collect().await.unwrap();
    })
    .await;
    let [all, tries @ ..] = &transaction.spans[..] else {
        panic!("{transaction:#?}");
    };
    assert_eq!(
        (&*all.description, status(all)),
        ("GET http://all.example/", "ok")
    );
    assert_eq!(tries.len(), 3);
    assert!(tries.iter().all(|one| one.parent_span_id == all.span_id));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_requests_over_kept_connections_keep_to_their_spans() {
    let upstream = Upstream::start().await;
    let (client, sent) = client();
    let http = http();
    let one = async |value: usize| {
        let request = Request::get(upstream.url("/echo")).header("x-value", value);
        let request = request.body(Full::default()).unwrap();
        let response = http.clone().oneshot(request).await.unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(body.into()).unwrap()
    };
    for round in 0..5 {
        let all = (0..40).map(|number| {
            let value = round * 40 + number;
            async move { one(value).await }
                .in_transaction("task", value.to_string())
                .with_client(&client)
        });
        let answers = join_all(all).await;
        for (number, answer) in answers.iter().enumerate() {
            let value = (round * 40 + number).to_string();
            let transactions = sent.transactions();
            let mut named = transactions.iter().filter(|one| one.name == value);
            let transaction = named.next().unwrap();
            let span = only(transaction);
            let trace_id = transaction.contexts.trace.trace_id;
            assert_eq!(*answer, format!("{value} {trace_id}-{}-1", span.span_id));
        }
    }
}

#[tokio::test]
async fn the_trace_goes_along_whatever_is_recorded() {
    let upstream = Upstream::start().await;
    let flag = |header: &str| header.splitn(3, '-').nth(2).map(str::to_owned);
    // options, whether in a transaction, the flag that is sent
    let table = [
        (Options::disabled().traces_sample_rate(1.0), true, Some("1")),
        (Options::disabled().traces_sample_rate(0.0), true, Some("0")),
        (Options::disabled(), true, None),
        (Options::disabled().traces_sample_rate(1.0), false, None),
        (Options::disabled(), false, None),
    ];
    for (number, (options, in_transaction, expected)) in table.into_iter().enumerate() {
        let (client, sent) = client_with(options);
        let url = upstream.url("/stream");
        let work = async { fetch(http(), &url, Read::All).await.unwrap() };
        match in_transaction {
            true => drop(work.in_transaction("task", "a").with_client(&client).await),
            false => drop(work.with_client(&client).await),
        }
        let received = upstream.received().remove(number);
        let header = received.header("sentry-trace").unwrap();
        assert_eq!(flag(header).as_deref(), expected, "{number} {header}");
        assert!(
            received
                .header("baggage")
                .unwrap()
                .contains("sentry-trace_id=")
        );
        assert!(received.header("traceparent").is_none());
        let spans: usize = sent.transactions().iter().map(|one| one.spans.len()).sum();
        assert_eq!(spans, usize::from(expected == Some("1")), "{number}");
    }

    // A trace that came in goes on without a transaction.
    let (client, _) = client_with(Options::disabled());
    let incoming = "3f0c2a9be41d4f7c9a60b1d2c3e4f506-b7e4a1930c5d2f68-1";
    fetch(http(), &upstream.url("/stream"), Read::All)
        .continue_trace(&IncomingTrace::new(Some(incoming), None))
        .with_client(&client)
        .await
        .unwrap();
    let received = upstream.received().pop().unwrap();
    let header = received.header("sentry-trace").unwrap();
    assert!(
        header.starts_with("3f0c2a9be41d4f7c9a60b1d2c3e4f506-"),
        "{header}"
    );

    // Without a client there is no trace.
    fetch(http(), &upstream.url("/stream"), Read::All)
        .await
        .unwrap();
    let received = upstream.received().pop().unwrap();
    assert!(received.header("sentry-trace").is_none());
    assert!(received.header("baggage").is_none());
}

#[tokio::test]
async fn only_targets_are_told_and_others_keep_their_baggage() {
    let upstream = Upstream::start().await;
    let host = upstream.address.to_string();
    // targets, whether they are told
    let table: [(&[&str], bool); 5] = [
        (&[], false),
        (&["other.example"], false),
        (&["other.example", host.as_str()], true),
        (&["/items?limit"], true),
        (&["/Items"], false),
    ];
    for (targets, told) in table {
        let options = Options::disabled()
            .traces_sample_rate(1.0)
            .propagate_traceparent(true)
            .trace_propagation_targets(targets.iter().copied());
        let (client, sent) = client_with(options);
        let request = Request::get(upstream.url("/items?limit=3"))
            .header("baggage", "vendor=1;ttl=5,sentry-release=old")
            .header("sentry-trace", "stale")
            .body(Full::default())
            .unwrap();
        async {
            http()
                .oneshot(request)
                .await
                .unwrap()
                .into_body()
                .collect()
                .await
                .unwrap()
        }
        .in_transaction("task", "a")
        .with_client(&client)
        .await;
        let received = upstream.received().pop().unwrap();
        let baggage = received.header("baggage").unwrap();
        assert_eq!(
            received.header("traceparent").is_some(),
            told,
            "{targets:?}"
        );
        if told {
            let span = only(&sent.transactions()[0]).span_id.to_string();
            assert!(received.header("sentry-trace").unwrap().contains(&span));
            assert!(baggage.starts_with("vendor=1;ttl=5,sentry-"), "{baggage}");
            assert!(!baggage.contains("old"), "{baggage}");
        } else {
            assert_eq!(received.header("sentry-trace"), Some("stale"));
            assert_eq!(baggage, "vendor=1;ttl=5,sentry-release=old");
        }
        assert_eq!(
            sent.transactions()[0].spans.len(),
            1,
            "the span is there in any case"
        );
    }
}

#[tokio::test]
async fn the_host_that_the_client_sends_to_is_not_told() {
    let (own, other) = (Upstream::start().await, Upstream::start().await);
    let options = Options::new(&format!("http://key@{}/1", own.address)).unwrap();
    let client = taskspan::Client::new(options).unwrap();
    for upstream in [&own, &other] {
        let url = upstream.url("/stream");
        fetch(http(), &url, Read::All)
            .with_client(&client)
            .await
            .unwrap();
    }
    assert!(own.only().header("sentry-trace").is_none());
    assert!(own.only().header("baggage").is_none());
    assert!(other.only().header("sentry-trace").is_some());
}

#[tokio::test]
async fn what_the_client_does_inside_lies_below_its_span() {
    async fn answer(_: Request<Empty<Bytes>>) -> Result<Response<Full<Bytes>>, Infallible> {
        async {}.in_span("socket.dns", "lookup").await;
        tokio::task::yield_now().await;
        let connect = taskspan::span("socket.connection", "connect");
        connect.in_scope(|_| ());
        Ok(Response::new(Full::from("found")))
    }
    let layers = ServiceBuilder::new().layer(ClientLayer::new());
    let inner = layers.service_fn(answer);
    let mut http = inner;
    let request = Request::get("https://shop.example")
        .body(Empty::new())
        .unwrap();
    let (client, sent) = client();
    async {
        let response = http.ready().await.unwrap().call(request).await.unwrap();
        async {}.in_span("function", "beside").await;
        response.into_body().collect().await.unwrap();
    }
    .in_transaction("task", "work")
    .with_client(&client)
    .await;
    assert_eq!(
        sent.tree(),
        "task work (ok)\n  \
         http.client GET https://shop.example/ (ok)\n    \
         socket.dns lookup (ok)\n    \
         socket.connection connect (ok)\n  \
         function beside (ok)\n"
    );
}

#[tokio::test]
async fn a_request_that_goes_on_in_another_task_stays_with_its_span() {
    let upstream = Upstream::start().await;
    let (stream, stuck) = (upstream.url("/stream"), upstream.url("/stuck"));
    let (_, transaction) = recorded(async {
        // Tokio's own function knows nothing of the transaction.
        let sending = http().oneshot(get(&stream));
        let mut sending = pin!(sending);
        assert!(poll!(&mut sending).is_pending());
        let response = sending.await.unwrap();
        tokio::spawn(async move {
            response.into_body().collect().await.unwrap();
            assert!(taskspan::current_span().is_none(), "it has not leaked");
        })
        .await
        .unwrap();

        let mut http = http();
        let request = http.ready().await.unwrap().call(get(&stuck));
        tokio::spawn(async move { drop(request.await.unwrap()) })
            .await
            .unwrap();

        let request = http.ready().await.unwrap().call(get(&stuck));
        tokio::spawn(async move { drop(request) }).await.unwrap();
        assert!(taskspan::current_span().is_some());
    })
    .await;
    let ended: Vec<_> = transaction.spans.iter().map(status).collect();
    assert_eq!(ended, ["ok", "cancelled", "cancelled"]);
    let root = transaction.contexts.trace.span_id;
    assert!(
        transaction
            .spans
            .iter()
            .all(|span| span.parent_span_id == root)
    );
}

#[tokio::test]
async fn a_request_that_outlives_its_transaction_disturbs_nobody() {
    let upstream = Upstream::start().await;
    let url = upstream.url("/stream");
    let (response, transaction) = recorded(http().oneshot(get(&url))).await;
    assert_eq!(status(only(&transaction)), "deadline_exceeded");
    let body = response.unwrap().into_body().collect().await.unwrap();
    assert_eq!(body.to_bytes(), "first second third");
}

#[tokio::test]
async fn where_there_is_no_client_nothing_is_allocated() {
    let mut http =
        ServiceBuilder::new()
            .layer(ClientLayer::new())
            .service_fn(|_: Request<Empty<Bytes>>| {
                ready(Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())))
            });
    let request = Request::get("https://shop.example/items?limit=3");
    let request = request.body(Empty::new()).unwrap();
    let allocated = allocation_counter::measure(|| {
        let response = http.call(request).now_or_never().unwrap();
        drop(response);
    });
    assert_eq!(allocated.count_total, 0);
}

#[tokio::test]
async fn a_head_request_ends_with_its_head() {
    let upstream = Upstream::start().await;
    let request = Request::head(upstream.url("/status/200"));
    let request = request.body(Full::default()).unwrap();
    let (_, transaction) = recorded(http().oneshot(request)).await;
    assert_eq!(status(only(&transaction)), "ok");
}
