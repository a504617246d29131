//! Requests to an axum service, as transactions.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![allow(dead_code, reason = "not all that is shared is used here")]

#[path = "support/http.rs"]
mod support;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use http::{Request, StatusCode, header};
use http_body_util::Full;
use serde_json::{Value, json};
use taskspan::protocol::Transaction;
use taskspan::test::Sent;
use taskspan::{Client, Instrument, Options, TransactionSource, outgoing_trace};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::yield_now;
use tower::ServiceBuilder;
use tower::timeout::TimeoutLayer;

use crate::support::{data, http_client, send, serve, status, transactions};

fn options() -> Options {
    Options::disabled().traces_sample_rate(1.0)
}

/// Serves routes inside of the layer.
async fn start(options: Options, routes: Router) -> (SocketAddr, Sent) {
    let (client, sent) = taskspan::test::client(options);
    (start_under(&client, routes).await, sent)
}

async fn start_under(client: &Client, routes: Router) -> SocketAddr {
    serve(routes.layer(taskspan::axum::server_layer().with_client(client))).await
}

fn request(method: &str, address: SocketAddr, path: &str) -> Request<Full<Bytes>> {
    let request = Request::builder().method(method);
    let uri = format!("http://{address}{path}");
    request.uri(uri).body(Full::default()).unwrap()
}

/// The only transaction of one request.
async fn one(options: Options, routes: Router, method: &str, path: &str) -> Transaction {
    let (address, sent) = start(options, routes).await;
    send(request(method, address, path)).await;
    transactions(&sent, 1).await.remove(0)
}

/// Sends text over a connection of its own, reads until something is there, and closes.
async fn half_a_request(address: SocketAddr, head: &str, until: &str) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut read = Vec::new();
    while !String::from_utf8_lossy(&read).contains(until) {
        let mut buffer = [0; 1024];
        let count = stream.read(&mut buffer).await.unwrap();
        assert!(count > 0, "closed after {}", String::from_utf8_lossy(&read));
        read.extend_from_slice(&buffer[..count]);
    }
}

#[tokio::test]
async fn transactions_are_named_by_their_routes() {
    let routes = || {
        let items = Router::new().route("/{id}/parts/{*rest}", any(async || ""));
        Router::new()
            .route("/", any(async || ""))
            .route("/items/{id}", any(async || ""))
            .nest("/nested", items)
            .fallback(async || StatusCode::NOT_FOUND)
    };
    let table = [
        ("GET", "/", "GET /"),
        ("POST", "/items/7?page=2", "POST /items/{id}"),
        (
            "GET",
            "/nested/7/parts/a/b",
            "GET /nested/{id}/parts/{*rest}",
        ),
        ("PUT", "/none/7?x", "PUT /{*path}"),
    ];
    for (method, path, name) in table {
        let transaction = one(options(), routes(), method, path).await;
        assert_eq!(transaction.name, name);
        assert_eq!(transaction.info.source, TransactionSource::Route, "{name}");
        assert_eq!(transaction.contexts.trace.op, "http.server");
        assert_eq!(transaction.contexts.trace.origin, "auto.http.axum");
    }
}

#[tokio::test]
async fn the_status_is_that_of_the_response() {
    let routes = Router::new().route(
        "/{code}",
        any(async |Path(code): Path<u16>| StatusCode::from_u16(code).unwrap()),
    );
    let (address, sent) = start(options(), routes).await;
    let table = [
        (200, "ok"),
        (204, "ok"),
        (304, "ok"),
        (400, "invalid_argument"),
        (401, "unauthenticated"),
        (403, "permission_denied"),
        (404, "not_found"),
        (409, "already_exists"),
        (413, "failed_precondition"),
        (429, "resource_exhausted"),
        (499, "cancelled"),
        (500, "internal_error"),
        (501, "unimplemented"),
        (503, "unavailable"),
        (504, "deadline_exceeded"),
    ];
    for (code, expected) in table {
        send(request("GET", address, &format!("/{code}"))).await;
        let transaction = transactions(&sent, 1).await.remove(0);
        assert_eq!(status(&transaction), expected, "{code}");
        assert_eq!(data(&transaction, "http.response.status_code"), code);
    }
}

#[tokio::test]
async fn what_is_told_of_a_request_depends_on_the_options() {
    let routes = || Router::new().route("/items/{id}", any(async || "12 bytes    "));
    for personal in [false, true] {
        let (address, sent) = start(options().send_default_pii(personal), routes()).await;
        let request = Request::post(format!("http://{address}/items/7?page=2&token=hidden"))
            .header("user-agent", "test")
            .header("authorization", "Bearer hidden")
            .header("cookie", "theme=dark; session=hidden")
            .header("x-forwarded-for", "203.0.113.7")
            .body(Full::from("five!"))
            .unwrap();
        send(request).await;
        let transaction = transactions(&sent, 1).await.remove(0);
        let expected = [
            ("http.request.method", json!("POST")),
            ("http.route", json!("/items/{id}")),
            ("http.request.body.size", json!(5)),
            ("url.scheme", json!("http")),
            ("url.path", json!("/items/7")),
            ("url.query", json!("page=2&token=[Filtered]")),
            ("server.address", json!("127.0.0.1")),
            ("server.port", json!(address.port())),
            ("network.protocol.name", json!("http")),
            ("network.protocol.version", json!("1.1")),
            ("user_agent.original", json!("test")),
            ("http.response.status_code", json!(200)),
            ("http.response.body.size", json!(12)),
            (
                "client.address",
                if personal {
                    json!("127.0.0.1")
                } else {
                    Value::Null
                },
            ),
        ];
        for (key, value) in expected {
            assert_eq!(data(&transaction, key), value, "{key}");
        }
        for key in ["http.server.time_to_first_byte", "http.response.body.time"] {
            let seconds = data(&transaction, key).as_f64().unwrap();
            assert!((0.0..20.0).contains(&seconds), "{key} {seconds}");
        }
        let told = transaction.request.as_ref().unwrap();
        assert_eq!(
            told.url.as_ref().unwrap(),
            &format!("http://{address}/items/7")
        );
        assert_eq!(told.headers["authorization"], "[Filtered]");
        let forwarded = if personal {
            "203.0.113.7"
        } else {
            "[Filtered]"
        };
        assert_eq!(told.headers["x-forwarded-for"], forwarded);
        let cookies = match personal {
            true => BTreeMap::from([("session", "[Filtered]"), ("theme", "dark")]),
            false => BTreeMap::new(),
        };
        let found = told.cookies.iter().map(|(n, v)| (n.as_str(), v.as_str()));
        assert_eq!(found.collect::<BTreeMap<_, _>>(), cookies);
        let text = serde_json::to_string(&transaction).unwrap();
        assert!(!text.contains("hidden"), "{text}");
    }
}

#[tokio::test]
async fn requests_for_options_are_no_transactions_unless_they_are_wanted() {
    let routes = || {
        let out = async || outgoing_trace().unwrap().sentry_trace();
        Router::new().route("/", any(out))
    };
    for wanted in [false, true] {
        let (address, sent) = start(options().trace_options_requests(wanted), routes()).await;
        let mut request = request("OPTIONS", address, "/");
        let trace = "3f0c2a9be41d4f7c9a60b1d2c3e4f506-b7e4a1930c5d2f68-1";
        request
            .headers_mut()
            .insert("sentry-trace", trace.parse().unwrap());
        let (_, _, out) = send(request).await;
        assert!(
            out.starts_with(&trace.as_bytes()[..33]) && out.ends_with(b"-1"),
            "{out:?}"
        );
        send(self::request("GET", address, "/")).await;
        let count = 1 + usize::from(wanted);
        let names: Vec<_> = transactions(&sent, count)
            .await
            .into_iter()
            .map(|t| t.name)
            .collect();
        assert_eq!(names[..count - 1], ["OPTIONS /"][..count - 1]);
        assert_eq!(names[count - 1], "GET /");
    }
}

#[tokio::test]
async fn the_body_of_a_request_is_measured_and_told_only_if_it_may_be() {
    let form = "application/x-www-form-urlencoded";
    let json = "application/json; charset=utf-8";
    // personal data, limit, type, body, what is told
    let table = [
        (false, 100, json, r#"{"a":1}"#, None),
        (
            true,
            100,
            json,
            r#"{"a":1,"token":2}"#,
            Some(r#"{"a":1,"token":"[Filtered]"}"#),
        ),
        (true, 6, json, r#"{"a":1}"#, None),
        (true, 0, json, r#"{"a":1}"#, None),
        (true, 100, json, r#"{"a":1"#, None),
        (true, 100, form, "a=1&sid=2", Some("a=1&sid=[Filtered]")),
        (true, 100, "text/plain", "a=1", None),
    ];
    for (personal, limit, kind, body, told) in table {
        for chunked in [false, true] {
            let options = options()
                .send_default_pii(personal)
                .max_request_body_size(limit);
            let routes = Router::new().route("/", any(async |body: String| body));
            let (address, sent) = start(options, routes).await;
            let length = match chunked {
                true => format!(
                    "transfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0",
                    body.len()
                ),
                false => format!("content-length: {}\r\n\r\n{body}", body.len()),
            };
            let request = format!(
                "POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: {kind}\r\n{length}\r\n\r\n"
            );
            half_a_request(address, &request, body).await;
            let transaction = transactions(&sent, 1).await.remove(0);
            assert_eq!(data(&transaction, "http.request.body.size"), body.len());
            let found = data(&transaction, "http.request.body.data");
            assert_eq!(found.as_str(), told, "{personal} {limit} {kind} {body}");
        }
    }
}

#[tokio::test]
async fn the_sampler_sees_the_request_before_anything_is_copied() {
    let options = Options::disabled().traces_sampler(|context| {
        assert_eq!(context.method(), Some("GET"));
        assert_eq!(context.op(), "http.server");
        match (
            context.name(),
            context.route(),
            context.header("x-important"),
        ) {
            (_, None, _) => {
                assert!(context.url().unwrap().ends_with("/health?x"));
                assert_eq!(context.name(), "GET /{*path}");
                0.0
            }
            ("GET /items/{id}", Some("/items/{id}"), important) => {
                let url = context.url().unwrap();
                assert!(
                    url.starts_with("http://127.0.0.1:") && url.ends_with("/items/7"),
                    "{url}"
                );
                f64::from(important == Some("yes"))
            }
            other => panic!("{other:?}"),
        }
    });
    let recorded = async || taskspan::current_span().unwrap().is_recorded().to_string();
    let routes = Router::new()
        .route("/items/{id}", get(recorded))
        .fallback(recorded);
    let (address, sent) = start(options, routes).await;
    for (path, important, is_recorded) in [
        ("/health?x", "yes", "false"),
        ("/items/7", "no", "false"),
        ("/items/7", "yes", "true"),
    ] {
        let mut request = request("GET", address, path);
        request
            .headers_mut()
            .insert("x-important", important.parse().unwrap());
        assert_eq!(send(request).await.2, is_recorded, "{path} {important}");
    }
    assert_eq!(transactions(&sent, 1).await.len(), 1);
}

#[tokio::test]
async fn the_transaction_ends_with_the_body() {
    let stream = async || {
        let parts = stream::unfold(0, async |number| {
            let part = async { Bytes::from(format!("part {number}\n")) };
            let part = part.in_span("part", number.to_string()).await;
            yield_now().await;
            (number < 3).then_some((Ok::<_, Infallible>(part), number + 1))
        });
        Body::from_stream(parts)
    };
    let routes = Router::new().route("/", get(stream));
    let transaction = one(options(), routes, "GET", "/").await;
    assert_eq!(status(&transaction), "ok");
    let parts: Vec<_> = transaction
        .spans
        .iter()
        .map(|span| &*span.description)
        .collect();
    assert_eq!(parts, ["0", "1", "2", "3"]);
    assert_eq!(data(&transaction, "http.response.body.size"), 21);
}

#[tokio::test]
async fn what_has_no_body_ends_with_its_head() {
    let routes = Router::new()
        .route("/empty", any(async || StatusCode::NO_CONTENT))
        .route("/unchanged", any(async || StatusCode::NOT_MODIFIED))
        .route("/text", any(async || "a body"));
    for (method, path) in [
        ("GET", "/empty"),
        ("GET", "/unchanged"),
        ("HEAD", "/text"),
        ("HEAD", "/empty"),
        ("POST", "/empty"),
    ] {
        let transaction = one(options(), routes.clone(), method, path).await;
        assert_eq!(status(&transaction), "ok", "{method} {path}");
        assert_eq!(data(&transaction, "http.response.body.size"), 0);
    }
}

#[tokio::test]
async fn a_client_that_goes_cancels() {
    let began = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&began);
    let routes = Router::new()
        .route(
            "/never",
            get(move || async move {
                set.store(true, Ordering::SeqCst);
                pending::<()>().in_span("wait", "forever").await;
            }),
        )
        .route(
            "/endless",
            get(async || {
                let parts = stream::iter([Ok::<_, Infallible>(Bytes::from("first"))]);
                Body::from_stream(parts.chain(stream::pending()))
            }),
        );
    let (address, sent) = start(options(), routes).await;

    let head = "GET /endless HTTP/1.1\r\nhost: a\r\n\r\n";
    half_a_request(address, head, "first").await;
    let transaction = transactions(&sent, 1).await.remove(0);
    assert_eq!(status(&transaction), "cancelled");
    assert_eq!(data(&transaction, "http.response.status_code"), 200);
    assert_eq!(data(&transaction, "http.response.body.size"), 5);

    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(b"GET /never HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    while !began.load(Ordering::SeqCst) {
        yield_now().await;
    }
    drop(stream);
    let transaction = transactions(&sent, 1).await.remove(0);
    assert_eq!(status(&transaction), "cancelled");
    assert_eq!(data(&transaction, "http.response.status_code"), 499);
    assert_eq!(transaction.spans[0].status.unwrap().as_str(), "cancelled");
}

#[tokio::test]
async fn what_panics_or_fails_is_an_internal_error() {
    async fn panics() {
        panic!("on purpose");
    }
    let failing = async || {
        let parts = [Ok(Bytes::from("first")), Err("on purpose")];
        Body::from_stream(stream::iter(parts))
    };
    let panicking = async || {
        let parts = stream::iter([1, 2]).map(|number| {
            assert!(number < 2, "on purpose");
            Ok::<_, Infallible>(Bytes::from("first"))
        });
        Body::from_stream(parts)
    };
    let routes = Router::new()
        .route("/panic", get(panics))
        .route("/failing", get(failing))
        .route("/panicking", get(panicking));
    let (address, sent) = start(options(), routes).await;
    for (path, code) in [
        ("/panic", Value::Null),
        ("/failing", json!(200)),
        ("/panicking", json!(200)),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
        let transaction = transactions(&sent, 1).await.remove(0);
        assert_eq!(status(&transaction), "internal_error", "{path}");
        assert_eq!(
            data(&transaction, "http.response.status_code"),
            code,
            "{path}"
        );
    }
}

#[tokio::test]
async fn an_upgrade_ends_it() {
    use axum::extract::ws::{Message, WebSocketUpgrade};
    let routes = Router::new().route(
        "/ws",
        any(async |upgrade: WebSocketUpgrade| {
            upgrade.on_upgrade(async |mut socket| {
                // It goes on after the transaction has ended.
                socket.send(Message::text("hello")).await.unwrap();
            })
        }),
    );
    let (address, sent) = start(options(), routes).await;
    let head = "GET /ws HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    half_a_request(address, head, "hello").await;
    let transaction = transactions(&sent, 1).await.remove(0);
    assert_eq!(status(&transaction), "ok");
    assert_eq!(data(&transaction, "http.response.status_code"), 101);
    assert_eq!(
        data(&transaction, "http.response.header.upgrade"),
        "websocket"
    );
}

#[tokio::test]
async fn a_trace_goes_through() {
    const TRACE: &str = "3f0c2a9be41d4f7c9a60b1d2c3e4f506";
    let routes = Router::new().route(
        "/",
        get(async || {
            let spawned = taskspan::spawn(async { outgoing_trace().unwrap() }.in_span("a", "b"));
            let out = spawned.await.unwrap();
            let background = taskspan::spawn(async {}.in_transaction("task", "background"));
            background.await.unwrap();
            format!("{} {}", out.sentry_trace(), out.baggage().unwrap())
        }),
    );
    let (address, sent) = start(options(), routes).await;
    let mut request = request("GET", address, "/");
    let headers = request.headers_mut();
    headers.insert(
        "sentry-trace",
        format!("{TRACE}-b7e4a1930c5d2f68-1").parse().unwrap(),
    );
    headers.append("baggage", "other=1,sentry-release=theirs".parse().unwrap());
    headers.append("baggage", "sentry-sample_rand=0.5".parse().unwrap());
    let (_, _, body) = send(request).await;
    let transactions = transactions(&sent, 2).await;
    let [background, answer] = &transactions[..] else {
        panic!()
    };
    let context = &answer.contexts.trace;
    assert_eq!(context.trace_id.to_string(), TRACE);
    assert_eq!(
        context.parent_span_id.unwrap().to_string(),
        "b7e4a1930c5d2f68"
    );
    let span = answer.spans[0].span_id;
    let expected = format!("{TRACE}-{span}-1 sentry-release=theirs,sentry-sample_rand=0.5");
    assert_eq!(body, expected);
    let parent = background.contexts.trace.parent_span_id;
    assert_eq!(parent, Some(context.span_id));
    assert_eq!(background.contexts.trace.trace_id, context.trace_id);

    // Without headers each request is in a trace of its own.
    for _ in 0..2 {
        send(self::request("GET", address, "/")).await;
    }
    let transactions = self::transactions(&sent, 4).await;
    let ids: Vec<_> = transactions
        .iter()
        .map(|t| t.contexts.trace.trace_id)
        .collect();
    assert_eq!(ids.iter().filter(|id| **id == ids[0]).count(), 2);
}

#[tokio::test]
async fn layers_inside_are_part_of_it() {
    let slow = async || {
        pending::<()>().in_span("wait", "forever").await;
    };
    let (client, sent) = taskspan::test::client(options());
    let timeout = ServiceBuilder::new()
        .layer(axum::error_handling::HandleErrorLayer::new(
            async |_: axum::BoxError| {
                taskspan::set_tag("handled", "yes");
                StatusCode::GATEWAY_TIMEOUT
            },
        ))
        .layer(TimeoutLayer::new(Duration::from_millis(20)));
    let middleware = axum::middleware::from_fn(async |request, next: axum::middleware::Next| {
        next.run(request).in_span("middleware", "auth").await
    });
    let routes = Router::new()
        .route("/slow", get(slow))
        .layer(timeout)
        .layer(middleware);
    let address = start_under(&client, routes).await;
    assert_eq!(send(request("GET", address, "/slow")).await.0, 504);
    let transaction = transactions(&sent, 1).await.remove(0);
    assert_eq!(status(&transaction), "deadline_exceeded");
    assert_eq!(transaction.tags["handled"], "yes");
    assert_eq!(
        taskspan::test::tree(&transaction),
        "http.server GET /slow (deadline_exceeded)\n  middleware auth (ok)\n    \
         wait forever (cancelled)\n"
    );
}

/// A value that comes with a request has to be found in its transaction and in no other.
async fn answer(Path(value): Path<String>) -> Response {
    taskspan::set_tag("value", &value);
    yield_now().await;
    let spawned = {
        let value = value.clone();
        taskspan::spawn(async move {
            yield_now().await;
            async { yield_now().await }.in_span("spawned", value).await;
        })
    };
    let inner = value.clone();
    async move {
        taskspan::current_span().unwrap().set_data("value", &inner);
        yield_now().await;
    }
    .in_span("span", value.clone())
    .await;
    spawned.await.unwrap();
    let parts = stream::iter(0..3).then(move |_| {
        let value = value.clone();
        async move {
            yield_now().await;
            taskspan::span("body", value.clone()).in_scope(|_| ());
            Ok::<_, Infallible>(Bytes::from(value))
        }
    });
    Body::from_stream(parts).into_response()
}

async fn contexts_never_mix(http2: bool) {
    const REQUESTS: usize = 3_000;
    let routes = Router::new().route("/{value}", get(answer));
    let (address, sent) = start(options(), routes).await;
    let client = match http2 {
        // All of them over one connection.
        true => {
            let builder = &mut hyper_util::client::legacy::Client::builder(
                hyper_util::rt::TokioExecutor::new(),
            );
            builder.http2_only(true).build_http()
        }
        false => http_client(),
    };
    let all = stream::iter(0..REQUESTS).for_each_concurrent(100, |number| {
        let client = client.clone();
        async move {
            let response = client
                .request(request("GET", address, &format!("/v{number}")))
                .await;
            let body = http_body_util::BodyExt::collect(response.unwrap().into_body()).await;
            assert_eq!(body.unwrap().to_bytes(), format!("v{number}").repeat(3));
        }
    });
    all.await;
    let transactions = transactions(&sent, REQUESTS).await;
    assert_eq!(transactions.len(), REQUESTS);
    let mut traces = std::collections::HashSet::new();
    let mut values = std::collections::HashSet::new();
    for transaction in transactions {
        let value = transaction.tags["value"].clone();
        assert_eq!(transaction.spans.len(), 5);
        for span in &transaction.spans {
            assert_eq!(span.description, value);
            if span.op == "span" {
                assert_eq!(span.data.get("value").cloned().unwrap(), value.as_str());
            }
        }
        assert_eq!(data(&transaction, "url.path"), format!("/{value}"));
        let version = if http2 { "2" } else { "1.1" };
        assert_eq!(data(&transaction, "network.protocol.version"), version);
        assert!(traces.insert(transaction.contexts.trace.trace_id));
        assert!(values.insert(value));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn contexts_never_mix_on_connections_that_are_kept() {
    contexts_never_mix(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn contexts_never_mix_on_one_connection_of_http2() {
    contexts_never_mix(true).await;
}

#[tokio::test]
async fn nothing_is_recorded_without_a_client() {
    let recorded = async || format!("{:?}", taskspan::current_span().map(|_| ()));
    let routes = Router::new().route("/", get(recorded));
    let address = serve(routes.layer(taskspan::axum::server_layer())).await;
    let answers = (0..3).map(|_| send(request("GET", address, "/")));
    for (code, headers, body) in join_all(answers).await {
        assert_eq!((code.as_u16(), body.as_ref()), (200, b"None".as_slice()));
        assert!(headers.get(header::CONTENT_LENGTH).is_some(), "{headers:?}");
    }
}
