//! The layers of [tonic](https://docs.rs/tonic): gRPC over `tower` services.

use http::HeaderMap;

use super::client;
use super::tower::{ClientLayer, Dialect, HTTP, ServerLayer};
use crate::protocol::SpanStatus;
use crate::span::Span;

/// The [`ServerLayer`] for tonic's server: a transaction for each call, until its last message or
/// status has left.
///
/// Transactions have the operation `grpc.server` and are named by service and method, such as
/// `shop.Carts/Add`. Their status is that of the call. Calls of methods that the server does not
/// have are named `/{*path}`, all of them.
///
#[cfg_attr(not(doctest), doc = include_str!("examples/tonic_server.md"))]
pub fn server_layer() -> ServerLayer {
    ServerLayer::of(&GRPC)
}

/// The [`ClientLayer`] for tonic's clients: a span for each call, until its last message or status
/// has come.
///
/// Spans have the operation `grpc.client` and are named by service and method, such as
/// `shop.Carts/Add`. Their status is that of the call, `internal_error` if the server can't be
/// reached, and `cancelled` if a stream is dropped before its end.
///
#[cfg_attr(not(doctest), doc = include_str!("examples/tonic_client.md"))]
///
/// A channel adds the host to requests, inside of the layer. Where
/// [`trace_propagation_targets`](crate::Options::trace_propagation_targets) names hosts, tell the
/// client which one it is: `CartsClient::with_origin(channel, "http://[::1]:50051".parse()?)`.
pub fn client_layer() -> ClientLayer {
    ClientLayer::of(&GRPC_CLIENT)
}

/// Service and method, by the path of a URL.
fn method(path: &str) -> &str {
    path.trim_start_matches('/')
}

/// Says on a span which call it is.
fn describe(span: &Span, method: &str) {
    span.set_data("rpc.system.name", "grpc");
    if let Some((service, _)) = method.rsplit_once('/') {
        span.set_data("rpc.service", service);
    }
    span.set_data("rpc.method", method);
}

/// How a call has ended, if these headers or trailers say it. Says it on its span too.
fn note_status(span: &Span, headers: &HeaderMap) -> Option<SpanStatus> {
    let code = headers.get("grpc-status")?.to_str().ok();
    let code = code.and_then(|code| code.parse().ok());
    let status = code.and_then(SpanStatus::from_grpc);
    let status = status.unwrap_or(SpanStatus::Unknown);
    let name = match status {
        // The names that gRPC has for these are others.
        SpanStatus::Unknown => "UNKNOWN".to_owned(),
        SpanStatus::InternalError => "INTERNAL".to_owned(),
        status => status.as_str().to_uppercase(),
    };
    span.set_data("rpc.response.status_code", name);
    Some(status)
}

const GRPC: Dialect = Dialect {
    op: "grpc.server",
    origin: "auto.rpc.tonic",
    names_method: false,
    route: |request| Some(method(request.uri.path()).into()),
    describe: |root, request| describe(root, method(request.uri.path())),
    note_status,
    // The answer of tonic itself to a call of what it does not know has no message.
    is_unknown_place: |_, headers| {
        let code = headers.get("grpc-status");
        code.is_some_and(|code| code == "12") && !headers.contains_key("grpc-message")
    },
    ..HTTP
};

const GRPC_CLIENT: client::Dialect = client::Dialect {
    op: "grpc.client",
    origin: "auto.rpc.tonic",
    describe: |request| method(request.path()).to_owned(),
    note_request: |span, request| describe(span, method(request.path())),
    note_status,
};
