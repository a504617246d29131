//! The layer of [axum](https://docs.rs/axum).
//!
//! ```
//! use axum::{Router, routing::get};
//!
//! let app: Router = Router::new()
//!     .route("/items/{id}", get(async || "item"))
//!     // Last, so that it is around the routes and all that is around them.
//!     .layer(taskspan::axum::server_layer());
//! # drop(app);
//! ```

use std::any::Any;
use std::mem;
use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::{ConnectInfo, MatchedPath};
use http::request::Parts;
use http_body::Body as _;

use super::request_body::{RequestBody, Watched};
use super::server::Describe;
use super::tower::{Dialect, HTTP, ServerLayer};
use crate::span::Span;

/// The [`ServerLayer`] for axum: transactions are named by the route that a request has taken.
///
/// Put it on the router last, with [`Router::layer`](axum::Router::layer), so that all others are
/// inside of it. Requests without a route are named by their path. Where the server was made with
/// `into_make_service_with_connect_info::<SocketAddr>()` and
/// [`send_default_pii`](crate::Options::send_default_pii) is on, the address of the client is told.
/// Then so is the body of a request that is JSON or a form, up to
/// [`max_request_body_size`](crate::Options::max_request_body_size); of others only the size is.
pub fn server_layer() -> ServerLayer {
    ServerLayer::of(&AXUM)
}

fn route(request: &Parts) -> Option<&str> {
    request.extensions.get().map(MatchedPath::as_str)
}

fn client_address(request: &Parts) -> Option<String> {
    let ConnectInfo(address) = request.extensions.get::<ConnectInfo<SocketAddr>>()?;
    Some(address.ip().to_string())
}

fn watch(root: &Span, head: &Parts, body: &mut dyn Any) -> Option<Describe> {
    let body: &mut Body = body.downcast_mut()?;
    if body.is_end_stream() {
        return None;
    }
    let watched = RequestBody::of(&head.headers, root.max_request_body_size())?;
    *body = Body::new(Watched::new(mem::take(body), watched.clone()));
    Some(Box::new(move |root| watched.describe(root)))
}

const AXUM: Dialect = Dialect {
    origin: "auto.http.axum",
    route,
    client_address,
    watch,
    ..HTTP
};
