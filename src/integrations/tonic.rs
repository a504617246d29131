//! The layers of [tonic](https://docs.rs/tonic): gRPC over `tower` services.

use http::HeaderMap;
use http::request::Parts;

use super::tower::{Dialect, HTTP, ServerLayer};
use crate::protocol::SpanStatus;
use crate::trace::Span;

/// The [`ServerLayer`] for tonic's server: a transaction for each call, until its last message or
/// status has left.
///
/// Transactions have the operation `grpc.server` and are named by service and method, such as
/// `shop.Carts/Add`. Their status is that of the call.
///
/// ```
/// let server = tonic::transport::Server::builder().layer(taskspan::tonic::server_layer());
/// # drop(server);
/// ```
pub fn server_layer() -> ServerLayer {
    ServerLayer::of(&GRPC)
}

/// Service and method, by the path of a URL.
fn method(path: &str) -> &str {
    path.trim_start_matches('/')
}

/// Says on a span which call it is.
fn describe(span: &Span, request: &Parts) {
    let method = method(request.uri.path());
    span.set_data("rpc.system.name", "grpc");
    if let Some((service, _)) = method.rsplit_once('/') {
        span.set_data("rpc.service", service);
    }
    span.set_data("rpc.method", method);
}

/// Says on a span how its call has ended, if these headers or trailers say it.
fn note_status(span: &Span, headers: &HeaderMap) {
    let Some(code) = headers.get("grpc-status") else {
        return;
    };
    let code = code.to_str().ok().and_then(|code| code.parse().ok());
    let status = code.and_then(SpanStatus::from_grpc);
    let status = status.unwrap_or(SpanStatus::Unknown);
    span.set_status(status);
    span.set_data("rpc.response.status_code", status.as_str().to_uppercase());
}

const GRPC: Dialect = Dialect {
    op: "grpc.server",
    origin: "auto.rpc.tonic",
    names_method: false,
    route: |request| Some(method(request.uri.path())),
    describe,
    note_status,
    ..HTTP
};
