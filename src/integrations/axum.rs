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

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, MatchedPath};
use http::request::Parts;

use super::tower::{Dialect, HTTP, ServerLayer};

/// The [`ServerLayer`] for axum: transactions are named by the route that a request has taken.
///
/// Put it on the router last, with [`Router::layer`](axum::Router::layer), so that all others are
/// inside of it. Requests without a route are named by their path. Where the server was made with
/// `into_make_service_with_connect_info::<SocketAddr>()` and
/// [`send_default_pii`](crate::Options::send_default_pii) is on, the address of the client is told.
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

const AXUM: Dialect = Dialect {
    origin: "auto.http.axum",
    route,
    client_address,
    ..HTTP
};
