//! HTTP as it really comes and goes: over raw sockets, through real routers and clients.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![allow(dead_code, reason = "not all that is shared is used here")]

#[path = "../support/http.rs"]
mod support;

mod bodies;
mod names;
mod privacy;
mod propagation;
mod sqlite;
mod tracing_fields;

use std::net::SocketAddr;

use axum::Router;
use taskspan::protocol::Transaction;
use taskspan::test::Sent;
use taskspan::{Options, SpanStatus};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{serve, transactions};

fn options() -> Options {
    Options::disabled().traces_sample_rate(1.0)
}

/// Serves routes inside of the layer.
async fn start(options: Options, routes: Router) -> (SocketAddr, Sent) {
    let (client, sent) = taskspan::test::client(options);
    let layer = taskspan::axum::server_layer().with_client(&client);
    (serve(routes.layer(layer)).await, sent)
}

/// Writes a request, and reads until the server closes the connection.
async fn raw(address: SocketAddr, request: impl AsRef<[u8]>) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_ref()).await.unwrap();
    let mut response = Vec::new();
    stream.read_to_end(&mut response).await.unwrap();
    String::from_utf8_lossy(&response).into_owned()
}

/// The transaction of a request without a body: its first line and its headers but `Connection`.
async fn one(address: SocketAddr, sent: &Sent, head: &str) -> Transaction {
    raw(address, format!("{head}\r\nconnection: close\r\n\r\n")).await;
    transactions(sent, 1).await.remove(0)
}

fn ended_as(transaction: &Transaction) -> SpanStatus {
    transaction.contexts.trace.status.unwrap()
}

/// All of it, as it is sent.
fn text(transaction: &Transaction) -> String {
    serde_json::to_string(transaction).unwrap()
}
