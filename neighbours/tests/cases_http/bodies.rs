//! When the body of a response was given up, and when not.

use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::any;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use http::{Request, StatusCode};
use taskspan::SpanStatus;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tower::ServiceExt;

use super::{ended_as, one, options, start};
use crate::support::{data, transactions};

/// A body of two parts, made while it is read, such as that of a file.
fn parts() -> Body {
    let parts = stream::iter(["first ", "second"]).then(async |part| {
        tokio::task::yield_now().await;
        Ok::<_, Infallible>(Bytes::from(part))
    });
    Body::from_stream(parts)
}

fn download(status: u16, length: usize, body: Body) -> Response {
    let response = Response::builder().status(status);
    let response = response.header("content-length", length);
    response.body(body).unwrap()
}

#[tokio::test]
async fn a_download_with_its_own_length_ends_by_its_status_code() {
    let endless = || {
        Body::from_stream(stream::iter([Ok::<_, Infallible>("first ")]).chain(stream::pending()))
    };
    let routes = Router::new()
        .route("/whole", any(async || download(200, 12, parts())))
        .route("/failed", any(async || download(500, 12, parts())))
        // The server drops it as soon as it has what was announced.
        .route("/longer", any(async move || download(200, 6, endless())))
        .route("/empty", any(async move || download(200, 0, endless())));
    let (address, sent) = start(options(), routes).await;
    let table = [
        ("/whole", SpanStatus::Ok, 12),
        ("/failed", SpanStatus::InternalError, 12),
        ("/longer", SpanStatus::Ok, 6),
        ("/empty", SpanStatus::Ok, 0),
    ];
    for (path, status, bytes) in table {
        let head = format!("GET {path} HTTP/1.1\r\nhost: a");
        let transaction = one(address, &sent, &head).await;
        assert_eq!(ended_as(&transaction), status, "{path}");
        assert_eq!(
            data(&transaction, "http.response.body.size"),
            bytes,
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_download_that_the_client_leaves_is_cancelled() {
    let routes = Router::new().route(
        "/",
        any(async || {
            let first = stream::iter([Ok::<_, Infallible>("first ")]);
            download(200, 12, Body::from_stream(first.chain(stream::pending())))
        }),
    );
    let (address, sent) = start(options(), routes).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    let mut read = Vec::new();
    while !read.ends_with(b"first ") {
        assert!(stream.read_buf(&mut read).await.unwrap() > 0);
    }
    drop(stream);
    let transaction = transactions(&sent, 1).await.remove(0);
    assert_eq!(ended_as(&transaction), SpanStatus::Cancelled);
}

#[tokio::test]
async fn a_body_that_is_never_sent_was_not_given_up() {
    let routes = Router::new()
        .route("/204", any(async || (StatusCode::NO_CONTENT, parts())))
        .route("/304", any(async || (StatusCode::NOT_MODIFIED, parts())))
        .route("/200", any(async || parts()));
    let (address, sent) = start(options(), routes).await;
    for (method, path) in [
        ("GET", "/204"),
        ("GET", "/304"),
        ("HEAD", "/200"),
        ("HEAD", "/204"),
    ] {
        let head = format!("{method} {path} HTTP/1.1\r\nhost: a");
        let transaction = one(address, &sent, &head).await;
        assert_eq!(ended_as(&transaction), SpanStatus::Ok, "{method} {path}");
    }
}

#[tokio::test]
async fn a_response_that_a_test_drops_ends_by_its_status_code_if_it_was_whole() {
    let (client, sent) = taskspan::test::client(options());
    let app = Router::new()
        .route("/text", any(async || "a body"))
        .route("/json", any(async || axum::Json([1, 2, 3])))
        .route(
            "/none",
            any(async || (StatusCode::NOT_FOUND, "no such item")),
        )
        .route("/stream", any(async || parts()))
        .layer(taskspan::axum::server_layer().with_client(&client));
    let table = [
        ("/text", SpanStatus::Ok),
        ("/json", SpanStatus::Ok),
        ("/none", SpanStatus::NotFound),
        // Its parts are yet to be made.
        ("/stream", SpanStatus::Cancelled),
    ];
    for (path, status) in table {
        let request = Request::get(path).body(Body::empty()).unwrap();
        drop(app.clone().oneshot(request).await.unwrap());
        assert_eq!(ended_as(&sent.take()[0]), status, "{path}");
    }
}

#[tokio::test]
async fn a_status_code_beyond_http_is_one_that_every_reader_takes() {
    let routes = Router::new().route("/", any(async || StatusCode::from_u16(999).unwrap()));
    let (address, sent) = start(options(), routes).await;
    let transaction = one(address, &sent, "GET / HTTP/1.1\r\nhost: a").await;
    assert_eq!(data(&transaction, "http.response.status_code"), 999);
    let sent = serde_json::to_value(&transaction).unwrap();
    let status = &sent["contexts"]["trace"]["status"];
    assert_eq!(status, "unknown_error");
    // The official crate is one of those that refuse a whole envelope.
    let read: sentry_types::protocol::v7::SpanStatus =
        serde_json::from_value(status.clone()).unwrap();
    assert_eq!(read, sentry_types::protocol::v7::SpanStatus::UnknownError);
}
