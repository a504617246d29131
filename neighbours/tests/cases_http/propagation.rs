//! Traces on their way in and out.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::routing::any;
use http::{Request, Response};
use taskspan::messaging::Message;
use taskspan::tower::ClientLayer;
use taskspan::{IncomingTrace, Instrument, Options, TraceCarrier};
use tower::{ServiceBuilder, ServiceExt, service_fn};

use super::{one, options, start};

const TRACE: &str = "3f0c2a9be41d4f7c9a60b1d2c3e4f506";
const SPAN: &str = "b7e4a1930c5d2f68";

/// Ruby and older Python write such a header when they leave the decision open.
#[tokio::test]
async fn a_dash_at_the_end_leaves_the_decision_open() {
    let routes = Router::new().route(
        "/",
        any(async || {
            taskspan::outgoing_trace()
                .unwrap()
                .baggage()
                .unwrap()
                .to_owned()
        }),
    );
    for (options, count) in [
        (options(), 1),
        (Options::disabled().traces_sample_rate(0.0), 0),
    ] {
        let (address, sent) = start(options, routes.clone()).await;
        let head = format!(
            "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\nsentry-trace: {TRACE}-{SPAN}-\r\n\
             baggage: sentry-trace_id={TRACE},sentry-release=shop,sentry-sample_rand=0.5\r\n\r\n"
        );
        let response = super::raw(address, head).await;
        assert!(
            response.contains("sentry-release=shop,sentry-sample_rand=0.5"),
            "{response}"
        );
        for transaction in crate::support::transactions(&sent, count).await {
            let trace = &transaction.contexts.trace;
            assert_eq!(trace.trace_id.to_string(), TRACE);
            assert_eq!(trace.parent_span_id.unwrap().to_string(), SPAN);
        }
    }
    let incoming = IncomingTrace::new(Some(&format!("{TRACE}-{SPAN}-")), None);
    assert_eq!(
        (
            incoming.trace_id().unwrap().to_string().as_str(),
            incoming.sampled()
        ),
        (TRACE, None)
    );
}

/// Sends a request inside of a transaction that continues a trace, and returns its headers.
async fn sent_headers(
    options: Options,
    incoming: &IncomingTrace,
    headers: &[(&str, &str)],
) -> http::HeaderMap {
    let (client, _sent) = taskspan::test::client(options);
    let http = ServiceBuilder::new().layer(ClientLayer::new());
    let http = http.service(service_fn(async |request: Request<String>| {
        let mut response = Response::new(String::new());
        *response.headers_mut() = request.headers().clone();
        Ok::<_, Infallible>(response)
    }));
    let mut request = Request::get("http://h/");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(String::new()).unwrap();
    let work = taskspan::transaction("task", "work").continue_trace(incoming);
    let work = work.instrument(async { http.oneshot(request).await.unwrap().headers().clone() });
    work.with_client(&client).await
}

#[tokio::test]
async fn baggage_has_at_most_64_members_and_the_number_to_sample_by() {
    let others: Vec<_> = (0..64).map(|n| format!("sentry-x{n}=1")).collect();
    let incoming = IncomingTrace::new(Some(&format!("{TRACE}-{SPAN}-1")), Some(&others.join(",")));
    let theirs: Vec<_> = (0..60).map(|n| format!("v{n}=1")).collect();
    for (there, kept) in [(String::new(), 0), (theirs.join(","), 60)] {
        let headers = match kept {
            0 => vec![],
            _ => vec![("baggage", there.as_str())],
        };
        let headers = sent_headers(options(), &incoming, &headers).await;
        let baggage = TraceCarrier::get(&headers, "baggage").unwrap().into_owned();
        let members: Vec<_> = baggage.split(',').collect();
        assert_eq!(members.len(), 64, "{baggage}");
        let theirs = members
            .iter()
            .filter(|member| !member.starts_with("sentry-"));
        assert_eq!(theirs.count(), kept);
        // The next service samples by the same number.
        let next = IncomingTrace::new(Some(&format!("{TRACE}-{SPAN}-1")), Some(&baggage));
        let rand = next
            .sampling_context()
            .unwrap()
            .get("sample_rand")
            .map(|rand| rand.into_owned());
        assert!(rand.is_some(), "{baggage}");
        let headers = sent_headers(options(), &next, &[]).await;
        let baggage = TraceCarrier::get(&headers, "baggage").unwrap().into_owned();
        assert!(
            baggage.contains(&format!("sentry-sample_rand={}", rand.unwrap())),
            "{baggage}"
        );
    }
}

#[tokio::test]
async fn traceparent_and_tracestate_are_both_ours_or_both_theirs() {
    let options = || options().propagate_traceparent(true);
    let incoming = IncomingTrace::new(Some(&format!("{TRACE}-{SPAN}-1")), None);
    let theirs = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let parent = |headers: &http::HeaderMap| headers["traceparent"].to_str().unwrap().to_owned();

    let both = [("traceparent", theirs), ("tracestate", "v=1")];
    let headers = sent_headers(options(), &incoming, &both).await;
    assert_eq!(
        (parent(&headers).as_str(), &headers["tracestate"]),
        (theirs, &"v=1".parse().unwrap())
    );
    assert!(headers["sentry-trace"].to_str().unwrap().starts_with(TRACE));

    let headers = sent_headers(options(), &incoming, &both[..1]).await;
    assert!(parent(&headers).contains(TRACE));

    // A proxy that passes on what it knows nothing of is part of our trace.
    let ours = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let both = [("traceparent", ours.as_str()), ("tracestate", "v=1")];
    let headers = sent_headers(options(), &incoming, &both).await;
    assert!(parent(&headers).contains(TRACE) && parent(&headers) != ours);
}

#[tokio::test]
async fn the_latency_of_a_message_is_an_integer() {
    let (client, sent) = taskspan::test::client(options());
    let published = SystemTime::now() - Duration::from_micros(1_500_400);
    let message = Message::new("nats", "orders").published_at(published);
    let headers = HashMap::<String, String>::new();
    message
        .process(&headers)
        .instrument(async {})
        .with_client(&client)
        .await;
    let transaction = sent.take().remove(0);
    let data: BTreeMap<_, _> = [(
        "latency",
        transaction
            .contexts
            .trace
            .data
            .get("messaging.message.receive.latency")
            .unwrap(),
    )]
    .into();
    let latency = data["latency"].as_u64().unwrap();
    assert!((1_500..10_000).contains(&latency), "{latency}");
}

/// One that leaves `sentry-trace` out is still told of by `one`.
#[tokio::test]
async fn a_request_without_a_trace_begins_one() {
    let routes = Router::new().route("/", any(async || ""));
    let (address, sent) = start(options(), routes).await;
    let transaction = one(
        address,
        &sent,
        "GET / HTTP/1.1\r\nhost: a\r\nsentry-trace: -",
    )
    .await;
    assert_eq!(transaction.contexts.trace.parent_span_id, None);
}
