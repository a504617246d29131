//! Servers on loopback, requests to them, and what became of those.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use taskspan::protocol::Transaction;
use taskspan::test::Sent;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};

/// Serves a router until the runtime ends.
pub(crate) async fn serve(app: axum::Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let app = app.into_make_service_with_connect_info::<SocketAddr>();
        axum::serve(listener, app).await.unwrap();
    });
    address
}

/// A client that keeps its connections.
pub(crate) fn http_client() -> HttpClient<HttpConnector, Full<Bytes>> {
    HttpClient::builder(TokioExecutor::new()).build_http()
}

/// Sends one request over a connection of its own, and reads all of the response.
pub(crate) async fn send(request: Request<Full<Bytes>>) -> (StatusCode, HeaderMap, Bytes) {
    let response = http_client().request(request).await.unwrap();
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (head.status, head.headers, body)
}

/// Waits until so many transactions have ended, and takes them.
pub(crate) async fn transactions(sent: &Sent, count: usize) -> Vec<Transaction> {
    let deadline = Instant::now() + Duration::from_secs(20);
    while sent.transactions().len() < count {
        assert!(Instant::now() < deadline, "{:#?}", sent.tree());
        sleep(Duration::from_millis(2)).await;
    }
    sent.take()
}

/// The data of a root by its key.
pub(crate) fn data(transaction: &Transaction, key: &str) -> serde_json::Value {
    let data = &transaction.contexts.trace.data;
    data.get(key).cloned().unwrap_or_default()
}

/// How a transaction ended.
pub(crate) fn status(transaction: &Transaction) -> &'static str {
    let status = transaction.contexts.trace.status;
    status.map_or("", taskspan::SpanStatus::as_str)
}
