//! The server that clients talk to in tests, which keeps what it was asked.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use bytes::Bytes;
use futures_util::future::pending;
use futures_util::stream::{self, StreamExt};
use http::{HeaderMap, Method, StatusCode, header};

use crate::support::serve;

pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
}

/// A request as it came in.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// How much of a response is read before it is dropped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Read {
    All,
    Half,
    Nothing,
}

/// Where a request goes, how much of the response is read, and what becomes of the span.
pub(crate) const OUTCOMES: [(&str, Read, &str); 19] = [
    ("/status/200", Read::All, "ok"),
    ("/status/201", Read::All, "ok"),
    ("/status/304", Read::All, "ok"),
    ("/status/400", Read::All, "invalid_argument"),
    ("/status/401", Read::All, "unauthenticated"),
    ("/status/404", Read::All, "not_found"),
    ("/status/409", Read::All, "already_exists"),
    ("/status/429", Read::All, "resource_exhausted"),
    ("/status/500", Read::All, "internal_error"),
    ("/status/503", Read::All, "unavailable"),
    ("/status/504", Read::All, "deadline_exceeded"),
    // What has no body is complete with its head.
    ("/status/204", Read::Nothing, "ok"),
    ("/status/200", Read::Nothing, "cancelled"),
    ("/status/404", Read::Nothing, "not_found"),
    ("/stream", Read::All, "ok"),
    ("/stream", Read::Half, "cancelled"),
    ("/stuck", Read::Half, "cancelled"),
    ("/broken", Read::All, "internal_error"),
    ("/hang-up", Read::All, "internal_error"),
];

impl Upstream {
    pub(crate) async fn start() -> Self {
        let received = Arc::new(Mutex::new(Vec::new()));
        let routes = Router::new()
            .route("/status/{code}", any(status))
            .route("/echo", any(echo))
            .route("/stream", any(stream))
            .route("/stuck", any(stuck))
            .route("/broken", any(broken))
            .route("/hang-up", any(hang_up))
            .route("/silent", any(silent))
            .route("/redirect/{code}/{count}", any(redirect))
            .fallback(any(async || "found"));
        let keep = Arc::clone(&received);
        let routes = routes.layer(axum::middleware::from_fn_with_state(keep, keep_request));
        Self {
            address: serve(routes).await,
            received,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// All requests so far.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// The only request so far.
    pub(crate) fn only(&self) -> Received {
        let mut received = self.received();
        assert_eq!(received.len(), 1, "{received:#?}");
        received.remove(0)
    }
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

async fn keep_request(
    State(received): State<Arc<Mutex<Vec<Received>>>>,
    request: Request,
    next: axum::middleware::Next,
) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    received.lock().unwrap().push(Received {
        method: head.method.clone(),
        path: head.uri.path().to_owned(),
        headers: head.headers.clone(),
        body: body.clone(),
    });
    next.run(Request::from_parts(head, Body::from(body))).await
}

async fn status(Path(code): Path<u16>) -> Response {
    let code = StatusCode::from_u16(code).unwrap();
    match code {
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED => code.into_response(),
        _ => (code, "answer").into_response(),
    }
}

/// What the caller has sent as `x-value`, and the trace that came with it.
async fn echo(headers: HeaderMap) -> String {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let of = |name| header(name).unwrap_or_default().to_owned();
    format!("{} {}", of("x-value"), of("sentry-trace"))
}

async fn stream() -> Body {
    let chunks = ["first ", "second ", "third"];
    Body::from_stream(stream::iter(chunks).map(Ok::<_, Infallible>))
}

async fn stuck() -> Body {
    let first = stream::iter([Ok::<_, Infallible>("first")]);
    Body::from_stream(first.chain(stream::pending()))
}

async fn broken() -> Body {
    let first = stream::iter([Ok("first")]);
    Body::from_stream(first.chain(stream::once(async {
        tokio::task::yield_now().await;
        Err(io::Error::other("the disk is gone"))
    })))
}

async fn hang_up() -> Response {
    panic!("there is no answer to this")
}

async fn silent() -> Response {
    pending().await
}

async fn redirect(Path((code, count)): Path<(u16, u32)>) -> Response {
    let to = match count {
        1 => "/end?token=hidden".to_owned(),
        count => format!("/redirect/{code}/{}", count - 1),
    };
    let code = StatusCode::from_u16(code).unwrap();
    (code, [(header::LOCATION, to)], "it is elsewhere").into_response()
}
