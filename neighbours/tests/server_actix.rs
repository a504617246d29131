//! Requests to an actix-web service, as transactions.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![allow(dead_code, reason = "not all that is shared is used here")]

#[path = "support/http.rs"]
mod support;

use std::collections::HashSet;
use std::fmt;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::task::Poll;
use std::thread;

use actix_web::body::BoxBody;
use actix_web::dev::{ServerHandle, Service, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::middleware::{
    Compress, ErrorHandlerResponse, ErrorHandlers, Next, NormalizePath, from_fn,
};
use actix_web::test::{TestRequest, init_service};
use actix_web::web::{self, ServiceConfig};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, ResponseError, guard, rt};
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::stream::{self, StreamExt};
use http::Request;
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use taskspan::actix_web::ServerMiddleware;
use taskspan::protocol::Transaction;
use taskspan::test::{Sent, tree};
use taskspan::{
    Instrument, Options, TransactionSource, current_transaction, in_current_scope, outgoing_trace,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::yield_now;

use crate::support::{data, http_client, send, status, transactions};

/// A server on loopback, until it is dropped.
struct Running {
    address: SocketAddr,
    handle: ServerHandle,
}

impl Drop for Running {
    fn drop(&mut self) {
        // Sent at once; nobody waits for it.
        drop(self.handle.stop(false));
    }
}

/// Serves an app with so many workers, and notices clients that go unless they may close one half.
macro_rules! serve {
    ($workers:expr, $half_closed:expr, $app:expr) => {{
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            rt::System::new().block_on(async move {
                let server = HttpServer::new(move || $app)
                    .workers($workers)
                    .h1_allow_half_closed($half_closed)
                    .disable_signals()
                    .bind_auto_h2c("127.0.0.1:0")
                    .unwrap();
                let address = server.addrs()[0];
                let server = server.run();
                let handle = server.handle();
                tell.send(Running { address, handle }).unwrap();
                server.await.unwrap();
            });
        });
        told.recv().unwrap()
    }};
}

fn options() -> Options {
    Options::disabled().traces_sample_rate(1.0)
}

/// Serves routes inside of the middleware.
fn start(
    options: Options,
    routes: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
) -> (Running, Sent) {
    let (client, sent) = taskspan::test::client(options);
    let server = serve!(1, false, {
        let middleware = ServerMiddleware::new().with_client(&client);
        App::new().configure(routes.clone()).wrap(middleware)
    });
    (server, sent)
}

fn request(method: &str, address: SocketAddr, path: &str) -> Request<Full<Bytes>> {
    let request = Request::builder().method(method);
    let uri = format!("http://{address}{path}");
    request.uri(uri).body(Full::default()).unwrap()
}

/// Sends a request over a connection of its own, and takes the transaction.
async fn one(server: &Running, sent: &Sent, method: &str, path: &str) -> Transaction {
    send(request(method, server.address, path)).await;
    transactions(sent, 1).await.remove(0)
}

/// Writes to a connection and reads until something is there.
async fn exchange(stream: &mut TcpStream, head: &str, until: &str) -> String {
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut read = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&read);
        if text.contains(until) {
            return text.into_owned();
        }
        let mut buffer = [0; 1024];
        let count = stream.read(&mut buffer).await.unwrap();
        assert!(count > 0, "closed after {text}");
        read.extend_from_slice(&buffer[..count]);
    }
}

async fn ok() -> HttpResponse {
    HttpResponse::Ok().finish()
}

/// A body of chunks, one for each time that it is polled.
fn chunks(chunks: Vec<Result<&'static str, io::Error>>) -> HttpResponse {
    let chunks = stream::iter(chunks).then(async |chunk| {
        yield_now().await;
        taskspan::span("body", "chunk").in_scope(|_| chunk.map(Bytes::from))
    });
    HttpResponse::Ok().streaming(chunks)
}

#[tokio::test]
async fn transactions_are_named_by_their_routes() {
    let (server, sent) = start(options(), |routes: &mut ServiceConfig| {
        let parts = web::scope("/parts")
            .route("", web::get().to(ok))
            .route("/{part}", web::get().to(ok));
        routes
            .route("/", web::get().to(ok))
            .service(web::resource("/items/{id}").route(web::get().to(ok)))
            .service(web::scope("/shops/{shop}").service(parts))
            .route("/files/{path:.*}", web::get().to(ok))
            .service(
                web::resource("/{any}/export")
                    .guard(guard::Header("accept", "text/csv"))
                    .to(ok),
            )
            .route("/items/export", web::post().to(ok));
    });
    let table = [
        ("GET", "/", "GET /"),
        ("GET", "/items/7?page=2", "GET /items/{id}"),
        // No method of the resource.
        ("POST", "/items/7", "POST /items/{id}"),
        ("GET", "/shops/3/parts", "GET /shops/{shop}/parts"),
        ("GET", "/shops/3/parts/4", "GET /shops/{shop}/parts/{part}"),
        ("GET", "/shops/3/none", "GET /{*path}"),
        ("GET", "/files/a/b", "GET /files/{path:.*}"),
        ("PUT", "/none/7?x", "PUT /{*path}"),
        ("A.B", "/items/7", "HTTP /items/{id}"),
    ];
    for (method, path, name) in table {
        let transaction = one(&server, &sent, method, path).await;
        assert_eq!(transaction.name, name);
        assert_eq!(transaction.info.source, TransactionSource::Route, "{name}");
        assert_eq!(transaction.contexts.trace.op, "http.server");
        assert_eq!(transaction.contexts.trace.origin, "auto.http.actix_web");
        let route = name.split_once(' ').unwrap().1;
        let expected = match route {
            "/{*path}" => Value::Null,
            route => json!(route),
        };
        assert_eq!(data(&transaction, "http.route"), expected);
    }
}

#[tokio::test]
async fn a_request_about_the_whole_server_has_a_url_without_a_path() {
    let options = options().trace_options_requests(true);
    let (server, sent) = start(options, |_: &mut ServiceConfig| {});
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = "OPTIONS * HTTP/1.1\r\nhost: [::1]:8080\r\nreferer: /x?sig=S3CR3T\r\n\r\n";
    exchange(&mut stream, head, "404").await;
    let transaction = transactions(&sent, 1).await.remove(0);
    assert_eq!(transaction.name, "OPTIONS /{*path}");
    assert_eq!(data(&transaction, "server.address"), "::1");
    let request = transaction.request.unwrap();
    assert_eq!(request.url.as_deref(), Some("http://[::1]:8080"));
    assert_eq!(request.headers["referer"], "/x?sig=[Filtered]");
}

#[tokio::test]
async fn a_body_that_is_never_sent_or_was_sent_whole_was_not_given_up() {
    let (server, sent) = start(options(), |routes: &mut ServiceConfig| {
        let parts = || chunks(vec![Ok("first "), Ok("second")]);
        let with = move |status| async move {
            let mut response = parts();
            *response.status_mut() = status;
            response
        };
        routes
            .route("/204", web::get().to(move || with(StatusCode::NO_CONTENT)))
            .route(
                "/304",
                web::get().to(move || with(StatusCode::NOT_MODIFIED)),
            )
            .route("/200", web::get().to(move || with(StatusCode::OK)))
            .route(
                "/sized",
                web::get().to(async || {
                    let parts = stream::iter([Ok::<_, io::Error>(Bytes::from("whole"))]);
                    let parts = parts.chain(stream::pending());
                    HttpResponse::Ok().body(actix_web::body::SizedStream::new(5, parts))
                }),
            );
    });
    for (path, until) in [
        ("/204", "\r\n\r\n"),
        ("/304", "\r\n\r\n"),
        ("/200", "second"),
        ("/sized", "whole"),
    ] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n");
        exchange(&mut stream, &head, until).await;
        // Whoever has all of it goes.
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        drop(stream);
        let transaction = transactions(&sent, 1).await.remove(0);
        assert_eq!(status(&transaction), "ok", "{path}");
    }
}

/// Work is given up with a body only if some was left.
#[tokio::test]
async fn a_response_that_a_test_drops_ends_by_its_status_code_if_it_was_whole() {
    let (client, sent) = taskspan::test::client(options());
    let app = App::new()
        .route("/text", web::get().to(async || "a body"))
        .route(
            "/none",
            web::get().to(async || HttpResponse::NotFound().body("no")),
        )
        .route("/parts", web::get().to(async || chunks(vec![Ok("a")])))
        .wrap(ServerMiddleware::new().with_client(&client));
    let app = actix_web::test::init_service(app).await;
    for (path, expected) in [
        ("/text", "ok"),
        ("/none", "not_found"),
        ("/parts", "cancelled"),
    ] {
        let request = actix_web::test::TestRequest::with_uri(path).to_request();
        drop(actix_web::test::call_service(&app, request).await);
        assert_eq!(status(&sent.take()[0]), expected, "{path}");
    }
}

#[tokio::test]
async fn a_route_that_is_known_late_is_put_right() {
    let named = async || {
        current_transaction().unwrap().set_name("by hand");
        ""
    };
    let options = options().traces_sampler(|context| {
        assert_ne!(context.route(), Some("/{kind}/7"));
        1.0
    });
    let (client, sent) = taskspan::test::client(options);
    let server = serve!(1, false, {
        let csv = || guard::Header("accept", "text/csv");
        App::new()
            // Both are for the same paths.
            .service(web::resource("/items/{id}").guard(csv()).to(ok))
            .service(web::resource("/{kind}/7").to(ok))
            .service(web::resource("/named/{id}").guard(csv()).to(ok))
            .service(web::resource("/named/{name}").to(named))
            .wrap(NormalizePath::trim())
            .wrap(ServerMiddleware::new().with_client(&client))
    });
    let (route, custom) = (TransactionSource::Route, TransactionSource::Custom);
    let table = [
        ("/items/7", "GET /{kind}/7", "/{kind}/7", route),
        ("//items/7/", "GET /{kind}/7", "/{kind}/7", route),
        ("/named/8", "by hand", "/named/{name}", custom),
    ];
    for (path, name, taken, source) in table {
        let transaction = one(&server, &sent, "GET", path).await;
        assert_eq!(transaction.name, name, "{path}");
        assert_eq!(transaction.info.source, source);
        assert_eq!(data(&transaction, "http.route"), taken);
    }
}

/// An error of the program, which only says its status code.
#[derive(Debug)]
struct Failure(StatusCode);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("failed on purpose")
    }
}

impl ResponseError for Failure {
    fn status_code(&self) -> StatusCode {
        self.0
    }
}

#[tokio::test]
async fn the_status_is_that_of_the_response() {
    fn code(wanted: &web::Path<u16>) -> StatusCode {
        StatusCode::from_u16(**wanted).unwrap()
    }
    let (client, sent) = taskspan::test::client(options());
    let server = serve!(1, false, {
        let answer = async |wanted| HttpResponse::new(code(&wanted));
        let fail = async |wanted| Err::<String, _>(Failure(code(&wanted)));
        let refuse = from_fn(async |request, next: Next<BoxBody>| {
            drop((request, next));
            Err::<ServiceResponse<BoxBody>, _>(Failure(StatusCode::UNAUTHORIZED).into())
        });
        App::new()
            .route("/answer/{code}", web::to(answer))
            .route("/fail/{code}", web::to(fail))
            .service(web::resource("/refuse").wrap(refuse).to(ok))
            .wrap(ServerMiddleware::new().with_client(&client))
    });
    let table = [
        ("/answer/200", 200, "ok"),
        ("/answer/204", 204, "ok"),
        ("/answer/302", 302, "ok"),
        ("/answer/304", 304, "ok"),
        ("/answer/400", 400, "invalid_argument"),
        ("/answer/404", 404, "not_found"),
        ("/answer/409", 409, "already_exists"),
        ("/answer/429", 429, "resource_exhausted"),
        ("/answer/499", 499, "cancelled"),
        ("/answer/503", 503, "unavailable"),
        ("/answer/504", 504, "deadline_exceeded"),
        // What the handler returns as an `Err`.
        ("/fail/403", 403, "permission_denied"),
        ("/fail/500", 500, "internal_error"),
        // An extractor refuses the request.
        ("/fail/none", 404, "not_found"),
        // Another middleware returns an `Err`.
        ("/refuse", 401, "unauthenticated"),
        // Nobody is there to answer.
        ("/none", 404, "not_found"),
    ];
    for (path, code, expected) in table {
        let (answered, ..) = send(request("GET", server.address, path)).await;
        let transaction = transactions(&sent, 1).await.remove(0);
        assert_eq!(answered.as_u16(), code, "{path}");
        assert_eq!(status(&transaction), expected, "{path}");
        assert_eq!(data(&transaction, "http.response.status_code"), code);
        assert!(data(&transaction, "http.server.time_to_first_byte").is_f64());
    }
}

#[tokio::test]
async fn a_request_is_told_as_far_as_it_may_be() {
    for personal in [false, true] {
        let options = options().send_default_pii(personal);
        let (server, sent) = start(options, |routes: &mut ServiceConfig| {
            routes.route("/items/{id}", web::post().to(async || "hello"));
        });
        let mut request = request("POST", server.address, "/items/7?page=2&token=hidden");
        let headers = request.headers_mut();
        headers.insert("user-agent", "test".parse().unwrap());
        headers.insert("authorization", "hidden".parse().unwrap());
        headers.insert("x-real-ip", "203.0.113.7".parse().unwrap());
        headers.append("accept", "text/html".parse().unwrap());
        headers.append("accept", "text/plain".parse().unwrap());
        *request.body_mut() = Full::from("four");
        send(request).await;
        let transaction = transactions(&sent, 1).await.remove(0);

        let table = [
            ("http.request.method", json!("POST")),
            ("http.route", json!("/items/{id}")),
            ("http.request.body.size", json!(4)),
            ("http.response.body.size", json!(5)),
            ("url.scheme", json!("http")),
            ("url.path", json!("/items/7")),
            ("url.query", json!("page=2&token=[Filtered]")),
            ("server.address", json!("127.0.0.1")),
            ("server.port", json!(server.address.port())),
            ("network.protocol.name", json!("http")),
            ("network.protocol.version", json!("1.1")),
            ("user_agent.original", json!("test")),
        ];
        for (key, value) in table {
            assert_eq!(data(&transaction, key), value, "{key}");
        }
        let (address, real) = match personal {
            true => (json!("127.0.0.1"), "203.0.113.7"),
            false => (Value::Null, "[Filtered]"),
        };
        assert_eq!(data(&transaction, "client.address"), address);
        let told = transaction.request.as_ref().unwrap();
        let url = format!("http://{}/items/7", server.address);
        assert_eq!(told.url.as_deref(), Some(url.as_str()));
        assert_eq!(told.headers["x-real-ip"], real);
        assert_eq!(told.headers["accept"], "text/html, text/plain");
        let text = serde_json::to_string(&transaction).unwrap();
        assert!(!text.contains("hidden"), "{text}");
    }
}

#[tokio::test]
async fn the_sampler_sees_the_request() {
    let options = options().traces_sampler(|context| {
        assert_eq!(context.op(), "http.server");
        assert_eq!(context.header("none"), None);
        let url = context.url().unwrap();
        assert!(url.starts_with("http://127.0.0.1:"), "{url}");
        assert!(url.ends_with("/items/7?page=2"), "{url}");
        let seen = (context.name(), context.method(), context.route());
        assert_eq!(seen, ("GET /items/{id}", Some("GET"), Some("/items/{id}")));
        match context.header("x-sampled") {
            Some("yes") => 1.0,
            _ => 0.0,
        }
    });
    let (server, sent) = start(options, |routes: &mut ServiceConfig| {
        routes.route("/items/{id}", web::get().to(ok));
    });
    for sampled in ["no", "yes"] {
        let mut request = request("GET", server.address, "/items/7?page=2");
        let headers = request.headers_mut();
        headers.insert("x-sampled", sampled.parse().unwrap());
        send(request).await;
    }
    let transactions = transactions(&sent, 1).await;
    assert_eq!(transactions.len(), 1);
    let told = transactions[0].request.as_ref().unwrap();
    assert_eq!(told.headers["x-sampled"], "yes");
}

#[actix_web::test]
async fn of_an_unsampled_request_no_header_is_copied() {
    let (client, sent) = taskspan::test::client(Options::disabled().traces_sample_rate(0.0));
    let middleware = ServerMiddleware::new().with_client(&client);
    let traced = App::new()
        .route("/items/{id}", web::get().to(ok))
        .wrap(middleware);
    let (traced, bare) = (
        init_service(traced).await,
        init_service(App::new().route("/items/{id}", web::get().to(ok))).await,
    );
    let request = |headers: usize| {
        let request = TestRequest::with_uri("/items/7");
        let headers = (0..headers).map(|number| (format!("x-{number}"), "value".repeat(1_000)));
        headers
            .fold(request, TestRequest::append_header)
            .to_request()
    };
    macro_rules! bytes {
        ($app:expr, $headers:expr) => {{
            let mut request = Some(request($headers));
            let measured = allocation_counter::measure(|| {
                let response = $app.call(request.take().unwrap()).now_or_never();
                std::mem::forget(response.unwrap().unwrap());
            });
            measured.bytes_total
        }};
    }
    // The first of each fills what is kept.
    (bytes!(traced, 1), bytes!(bare, 1));
    let (few, many) = (bytes!(traced, 1), bytes!(traced, 50));
    assert_eq!(few, many);
    // Two names, the trace, the size of the future, and no header.
    let more = many - bytes!(bare, 50);
    assert!(more < 2_000, "{more} bytes more than without");
    assert!(sent.transactions().is_empty());
}

#[tokio::test]
async fn it_lasts_as_long_as_the_body() {
    let gate = Arc::new(Notify::new());
    let opened = gate.clone();
    let (server, sent) = start(options(), move |routes: &mut ServiceConfig| {
        let gate = gate.clone();
        let waits = move || {
            let gate = gate.clone();
            async move {
                let end = stream::once(async move {
                    async { gate.notified().await }
                        .in_span("wait", "gate")
                        .await;
                    Ok::<_, io::Error>(Bytes::from("end"))
                });
                let begin = stream::once(async { Ok(Bytes::from("begin")) });
                HttpResponse::Ok().streaming(begin.chain(end))
            }
        };
        routes.route("/", web::get().to(waits));
    });
    let head = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    exchange(&mut stream, head, "begin").await;
    assert!(sent.transactions().is_empty());
    opened.notify_one();
    exchange(&mut stream, "", "end").await;
    let transaction = transactions(&sent, 1).await.remove(0);
    assert_eq!(
        tree(&transaction),
        "http.server GET / (ok)\n  wait gate (ok)\n"
    );
    assert_eq!(data(&transaction, "http.response.body.size"), 8);
    assert!(data(&transaction, "http.response.body.time").is_f64());
}

#[tokio::test]
async fn responses_without_a_body_end_it_at_once() {
    let (server, sent) = start(options(), |routes: &mut ServiceConfig| {
        let with_body = async |code: web::Path<u16>| {
            // It would never end.
            let body = stream::pending::<io::Result<Bytes>>();
            HttpResponse::build(StatusCode::from_u16(*code).unwrap()).streaming(body)
        };
        let item = async || "an item";
        routes
            .route("/item", web::route().to(item))
            .route("/empty", web::get().to(ok))
            .route("/{code}", web::route().to(with_body));
    });
    let table = [
        ("HEAD", "/item", 200),
        ("HEAD", "/200", 200),
        ("GET", "/204", 204),
        ("GET", "/304", 304),
        ("GET", "/empty", 200),
    ];
    for (method, path, code) in table {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let head = format!("{method} {path} HTTP/1.1\r\nhost: a\r\n\r\n");
        exchange(&mut stream, &head, "\r\n\r\n").await;
        let transaction = transactions(&sent, 1).await.remove(0);
        assert_eq!(status(&transaction), "ok", "{method} {path}");
        assert_eq!(data(&transaction, "http.response.status_code"), code);
        assert_eq!(data(&transaction, "http.response.body.size"), 0);
    }
}

/// Tells the test that it has begun, and when it is given up.
struct Begun(Arc<Notify>);

impl Drop for Begun {
    fn drop(&mut self) {
        taskspan::span("clean up", "on drop").in_scope(|_| ());
    }
}

#[tokio::test]
async fn what_the_client_gives_up_is_cancelled() {
    let begun = Arc::new(Notify::new());
    let begins = begun.clone();
    let (server, sent) = start(options(), move |routes: &mut ServiceConfig| {
        let begins = begins.clone();
        let waits = move || {
            let begun = Begun(begins.clone());
            async move {
                begun.0.notify_one();
                pending::<()>().in_span("wait", "forever").await;
                drop(begun);
                ""
            }
        };
        routes.route("/", web::get().to(waits));
    });
    let head = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    begun.notified().await;
    drop(stream);
    let transaction = transactions(&sent, 1).await.remove(0);
    assert_eq!(
        tree(&transaction),
        "http.server GET / (cancelled)\n  wait forever (cancelled)\n  clean up on drop (ok)\n"
    );
    assert_eq!(data(&transaction, "http.response.status_code"), 499);
    assert_eq!(data(&transaction, "http.response.body.size"), Value::Null);
}

#[tokio::test]
async fn a_body_that_the_client_gives_up_is_cancelled() {
    // A client that has gone is noticed while nothing is sent, or else because something is.
    for (half_closed, goes_on) in [(false, false), (false, true), (true, true)] {
        let (client, sent) = taskspan::test::client(options());
        let server = serve!(1, half_closed, {
            let streams = async |goes_on: web::Path<bool>| {
                let begin = stream::once(async { Ok::<_, io::Error>(Bytes::from("begin")) });
                let rest = stream::repeat_with(|| Ok(Bytes::from("more".repeat(1_000))));
                let rest = rest.then(move |chunk| {
                    let goes_on = *goes_on;
                    async move {
                        match goes_on {
                            true => yield_now().await,
                            false => pending().await,
                        }
                        chunk
                    }
                });
                HttpResponse::Ok().streaming(begin.chain(rest))
            };
            App::new()
                .route("/{goes_on}", web::get().to(streams))
                .wrap(ServerMiddleware::new().with_client(&client))
        });
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let head = format!("GET /{goes_on} HTTP/1.1\r\nhost: a\r\n\r\n");
        exchange(&mut stream, &head, "begin").await;
        drop(stream);
        let transaction = transactions(&sent, 1).await.remove(0);
        assert_eq!(status(&transaction), "cancelled");
        assert_eq!(data(&transaction, "http.response.status_code"), 200);
        let size = data(&transaction, "http.response.body.size");
        assert!(size.as_u64().unwrap() >= 5, "{size}");
    }
}

#[tokio::test]
async fn what_panics_or_fails_is_an_internal_error() {
    let (server, sent) = start(options(), |routes: &mut ServiceConfig| {
        async fn panics() -> HttpResponse {
            async { panic!("on purpose") }
                .in_span("work", "panics")
                .await
        }
        let fails = async || chunks(vec![Ok("a"), Err(io::Error::other("on purpose"))]);
        let panicking = async || {
            let body =
                stream::poll_fn(|_| -> Poll<Option<io::Result<Bytes>>> { panic!("on purpose") });
            HttpResponse::Ok().streaming(body)
        };
        routes
            .route("/panics", web::get().to(panics))
            .route("/fails", web::get().to(fails))
            .route("/panicking", web::get().to(panicking))
            .route("/fine", web::get().to(ok));
    });
    let table = [
        ("/panics", Value::Null),
        ("/fails", json!(200)),
        ("/panicking", json!(200)),
    ];
    for (path, code) in table {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        // The connection is closed on it, cleanly or not.
        let _ = stream.read_to_end(&mut Vec::new()).await;
        let transaction = transactions(&sent, 1).await.remove(0);
        assert_eq!(status(&transaction), "internal_error", "{path}");
        let found = data(&transaction, "http.response.status_code");
        assert_eq!(found, code, "{path}");
        for span in &transaction.spans {
            let expected = if path == "/panics" {
                "internal_error"
            } else {
                "ok"
            };
            assert_eq!(span.status.unwrap().as_str(), expected);
        }
    }
    let transaction = one(&server, &sent, "GET", "/fine").await;
    assert_eq!(status(&transaction), "ok");
}

#[tokio::test]
async fn requests_on_one_connection_are_transactions_of_their_own() {
    let (server, sent) = start(options(), |routes: &mut ServiceConfig| {
        let answer = async |id: web::Path<String>| {
            taskspan::set_tag("id", id.as_str());
            id.into_inner()
        };
        routes.route("/{id}", web::get().to(answer));
    });
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    for id in 0..100 {
        let head = format!("GET /a{id}z HTTP/1.1\r\nhost: a\r\n\r\n");
        exchange(&mut stream, &head, &format!("a{id}z")).await;
    }
    // Pipelined, too.
    let heads: String = (100..110)
        .map(|id| format!("GET /a{id}z HTTP/1.1\r\nhost: a\r\n\r\n"))
        .collect();
    exchange(&mut stream, &heads, "a109z").await;
    let transactions = transactions(&sent, 110).await;
    let ids: Vec<_> = transactions
        .iter()
        .map(|it| it.tags["id"].clone())
        .collect();
    let expected: Vec<_> = (0..110).map(|id| format!("a{id}z")).collect();
    assert_eq!(ids, expected);
    let traces: HashSet<_> = transactions
        .iter()
        .map(|it| it.contexts.trace.trace_id)
        .collect();
    assert_eq!(traces.len(), 110);
}

#[tokio::test]
async fn work_elsewhere_stays_in_it() {
    let (server, sent) = start(options(), |routes: &mut ServiceConfig| {
        let work = async || {
            let work = async {
                yield_now().await;
                async {}.in_span("spawned", "on the worker").await;
            };
            rt::spawn(work.in_current_scope()).await.unwrap();
            let work = || taskspan::span("blocking", "on a thread").in_scope(|_| 3);
            let sum = web::block(in_current_scope(work)).await.unwrap();
            let work = async {}.in_span("spawned", "by Tokio");
            taskspan::spawn(work).await.unwrap();
            sum.to_string()
        };
        routes.route("/", web::get().to(work));
    });
    let transaction = one(&server, &sent, "GET", "/").await;
    assert_eq!(
        tree(&transaction),
        "http.server GET / (ok)\n  spawned on the worker (ok)\n  blocking on a thread (ok)\n  \
         spawned by Tokio (ok)\n"
    );
}

/// Puts another body in the place of that of an error.
fn replace<B>(response: ServiceResponse<B>) -> actix_web::Result<ErrorHandlerResponse<B>> {
    let (request, response) = response.into_parts();
    let response = response.set_body("something else").map_into_boxed_body();
    let response = ServiceResponse::new(request, response.map_into_right_body());
    Ok(ErrorHandlerResponse::Response(response))
}

#[tokio::test]
async fn other_middleware_may_be_on_either_side() {
    let routes = |routes: &mut ServiceConfig| {
        let whole = async || "a".repeat(5_000);
        let parts = async || chunks(vec![Ok("a"), Ok("b")]);
        let fails = async || Err::<String, _>(Failure(StatusCode::BAD_GATEWAY));
        routes
            .route("/whole", web::get().to(whole))
            .route("/parts", web::get().to(parts))
            .route("/fails", web::get().to(fails));
    };
    let (client, sent) = taskspan::test::client(options());
    let other = client.clone();
    let errors = || ErrorHandlers::new().handler(StatusCode::BAD_GATEWAY, replace);
    let inside = serve!(1, false, {
        App::new()
            .configure(routes)
            .wrap(errors())
            .wrap(Compress::default())
            .wrap(ServerMiddleware::new().with_client(&client))
    });
    let errors = || ErrorHandlers::new().handler(StatusCode::BAD_GATEWAY, replace);
    let outside = serve!(1, false, {
        App::new()
            .configure(routes)
            .wrap(ServerMiddleware::new().with_client(&other))
            .wrap(errors())
            .wrap(Compress::default())
    });
    let table = [
        ("/whole", 200, "http.server GET /whole (ok)\n"),
        (
            "/parts",
            200,
            "http.server GET /parts (ok)\n  body chunk (ok)\n  body chunk (ok)\n",
        ),
        ("/fails", 502, "http.server GET /fails (internal_error)\n"),
    ];
    for server in [inside, outside] {
        for (path, code, expected) in table {
            let mut request = request("GET", server.address, path);
            let headers = request.headers_mut();
            headers.insert("accept-encoding", "gzip".parse().unwrap());
            let (answered, headers, _) = send(request).await;
            assert_eq!(answered.as_u16(), code);
            assert_eq!(headers["content-encoding"], "gzip", "{path}");
            let transaction = transactions(&sent, 1).await.remove(0);
            assert_eq!(tree(&transaction), expected);
            assert_eq!(data(&transaction, "http.response.status_code"), code);
        }
    }
}

#[tokio::test]
async fn an_upgrade_ends_it() {
    let (server, sent) = start(options(), |routes: &mut ServiceConfig| {
        let upgrade = async || {
            // It goes on after the transaction has ended.
            let hello = stream::once(async { Ok::<_, io::Error>(Bytes::from("hello")) });
            let rest = hello.chain(stream::pending());
            let mut response = HttpResponse::SwitchingProtocols();
            response.upgrade("echo").streaming(rest)
        };
        routes.route("/", web::get().to(upgrade));
    });
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
    exchange(&mut stream, head, "hello").await;
    let transaction = transactions(&sent, 1).await.remove(0);
    assert_eq!(status(&transaction), "ok");
    assert_eq!(data(&transaction, "http.response.status_code"), 101);
    assert_eq!(data(&transaction, "http.response.header.upgrade"), "echo");
}

#[tokio::test]
async fn a_trace_goes_through() {
    const TRACE: &str = "3f0c2a9be41d4f7c9a60b1d2c3e4f506";
    let (server, sent) = start(options(), |routes: &mut ServiceConfig| {
        let answer = async || {
            let out = async { outgoing_trace().unwrap() }.in_span("a", "b").await;
            format!("{} {}", out.sentry_trace(), out.baggage().unwrap())
        };
        routes.route("/items/{id}", web::get().to(answer));
    });
    let mut continued = request("GET", server.address, "/items/7");
    let headers = continued.headers_mut();
    let sentry_trace = format!("{TRACE}-b7e4a1930c5d2f68-1");
    headers.insert("sentry-trace", sentry_trace.parse().unwrap());
    headers.append("baggage", "other=1,sentry-release=theirs".parse().unwrap());
    headers.append("baggage", "sentry-sample_rand=0.5".parse().unwrap());
    let (_, _, body) = send(continued).await;
    let transaction = transactions(&sent, 1).await.remove(0);
    let context = &transaction.contexts.trace;
    assert_eq!(context.trace_id.to_string(), TRACE);
    let parent = context.parent_span_id.unwrap();
    assert_eq!(parent.to_string(), "b7e4a1930c5d2f68");
    let span = transaction.spans[0].span_id;
    let expected = format!("{TRACE}-{span}-1 sentry-release=theirs,sentry-sample_rand=0.5");
    assert_eq!(body, expected);

    // Without headers each request begins a trace, whose name is known from the start.
    let (_, _, body) = send(request("GET", server.address, "/items/7")).await;
    let transaction = transactions(&sent, 1).await.remove(0);
    assert_ne!(transaction.contexts.trace.trace_id.to_string(), TRACE);
    let body = String::from_utf8(body.to_vec()).unwrap();
    let name = "sentry-transaction=GET%20%2Fitems%2F%7Bid%7D";
    assert!(body.contains(name), "{body}");
}

/// A value that comes with a request has to be found in its transaction and in no other.
async fn answer(value: web::Path<String>, request: HttpRequest) -> HttpResponse {
    let value = value.into_inner();
    taskspan::set_tag("value", &value);
    yield_now().await;
    let spawned = {
        let value = value.clone();
        async move {
            yield_now().await;
            async { yield_now().await }.in_span("spawned", value).await;
        }
    };
    let spawned = rt::spawn(spawned.in_current_scope());
    let inner = value.clone();
    let blocking = in_current_scope(move || {
        taskspan::span("blocking", inner).in_scope(|_| ());
    });
    let in_span = async {
        taskspan::current_span()
            .unwrap()
            .set_data("value", request.path());
        yield_now().await;
    };
    in_span.in_span("span", value.clone()).await;
    web::block(blocking).await.unwrap();
    spawned.await.unwrap();
    let parts = stream::iter(0..3).then(move |_| {
        let value = value.clone();
        async move {
            yield_now().await;
            taskspan::span("body", value.clone()).in_scope(|_| ());
            Ok::<_, io::Error>(Bytes::from(value))
        }
    });
    HttpResponse::Ok().streaming(parts)
}

#[tokio::test]
async fn contexts_never_mix() {
    const REQUESTS: usize = 2_000;
    for http2 in [false, true] {
        let (client, sent) = taskspan::test::client(options());
        let server = serve!(4, false, {
            App::new()
                .route("/{value}", web::get().to(answer))
                .wrap(ServerMiddleware::new().with_client(&client))
        });
        let address = server.address;
        let client = match http2 {
            // All of them over one connection, and so on one worker.
            true => {
                let executor = hyper_util::rt::TokioExecutor::new();
                let mut builder = hyper_util::client::legacy::Client::builder(executor);
                builder.http2_only(true).build_http()
            }
            false => http_client(),
        };
        let all = stream::iter(0..REQUESTS).for_each_concurrent(100, |number| {
            let client = client.clone();
            async move {
                let request = request("GET", address, &format!("/v{number}"));
                let response = client.request(request).await.unwrap();
                let body = response.into_body().collect().await.unwrap().to_bytes();
                assert_eq!(body, format!("v{number}").repeat(3));
            }
        });
        all.await;
        let transactions = transactions(&sent, REQUESTS).await;
        assert_eq!(transactions.len(), REQUESTS);
        let (mut traces, mut values) = (HashSet::new(), HashSet::new());
        for transaction in transactions {
            let value = transaction.tags["value"].clone();
            assert_eq!(status(&transaction), "ok");
            assert_eq!(transaction.spans.len(), 6);
            for span in &transaction.spans {
                assert_eq!(span.description, value);
                if span.op == "span" {
                    let path = format!("/{value}");
                    assert_eq!(span.data.get("value").cloned().unwrap(), path);
                }
            }
            assert_eq!(data(&transaction, "url.path"), format!("/{value}"));
            let version = if http2 { "2" } else { "1.1" };
            assert_eq!(data(&transaction, "network.protocol.version"), version);
            assert!(traces.insert(transaction.contexts.trace.trace_id));
            assert!(values.insert(value));
        }
    }
}

#[tokio::test]
async fn nothing_is_recorded_without_a_client() {
    let server = serve!(1, false, {
        let recorded = async || format!("{:?}", taskspan::current_span().map(|_| ()));
        App::new()
            .route("/", web::get().to(recorded))
            .wrap(ServerMiddleware::new())
    });
    for _ in 0..3 {
        let (code, headers, body) = send(request("GET", server.address, "/")).await;
        assert_eq!((code.as_u16(), body.as_ref()), (200, b"None".as_slice()));
        assert!(headers.get("content-length").is_some(), "{headers:?}");
    }
}
