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
use std::borrow::Cow;
use std::mem;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::OnceLock;
use std::task::{Context, Poll, Waker};

use axum::body::Body;
use axum::extract::{ConnectInfo, MatchedPath, NestedPath, OriginalUri};
use axum::routing::any;
use axum::{Extension, Router};
use http::request::Parts;
use http::{Request, Uri};
use http_body::Body as _;
use tower_service::Service as _;

use super::request_body::{RequestBody, Watched};
use super::server::{ANY_PATH, Describe};
use super::tower::{Dialect, HTTP, ServerLayer};
use crate::span::Span;

/// The [`ServerLayer`] for axum: transactions are named by the route that a request has taken.
///
/// Put it on the router last, with [`Router::layer`](axum::Router::layer), so that all others are
/// inside of it. It may be on a router that is nested in another one: route and URL are the whole
/// ones, as the client has sent them. Requests that go to a service of `nest_service` are named by
/// its place, as in `GET /assets/{*path}`, and those that go to a fallback `GET /{*path}`, since
/// whoever sends requests chooses their paths. Where the server was made with
/// `into_make_service_with_connect_info::<SocketAddr>()` and
/// [`send_default_pii`](crate::Options::send_default_pii) is on, the address of the client is told.
/// Then so is the body of a request that is JSON or a form, up to
/// [`max_request_body_size`](crate::Options::max_request_body_size); of others only the size is.
pub fn server_layer() -> ServerLayer {
    ServerLayer::of(&AXUM)
}

fn uri(request: &Parts) -> &Uri {
    let original = request.extensions.get();
    original.map_or(&request.uri, |OriginalUri(uri)| uri)
}

/// Routers leave the URL there.
fn is_inside_of_router(request: &Parts) -> bool {
    request.extensions.get::<OriginalUri>().is_some()
}

fn route(request: &Parts) -> Option<Cow<'_, str>> {
    if let Some(path) = request.extensions.get::<MatchedPath>() {
        return Some(path.as_str().into());
    }
    if !is_inside_of_router(request) {
        return None;
    }
    if let Some(nested) = place_of_nested_service(request) {
        return Some(nested.into());
    }
    let nested = request.extensions.get::<NestedPath>()?;
    Some(format!("{}{ANY_PATH}", nested.as_str()).into())
}

/// Where a service is nested that is no router.
///
/// It gets no `MatchedPath`, but a router inside of it would have its place before its own routes.
/// So one is asked.
fn place_of_nested_service(request: &Parts) -> Option<String> {
    static ROUTER: OnceLock<Router> = OnceLock::new();
    let router = || Router::new().route(ANY_PATH, any(async |path: MatchedPath| Extension(path)));
    let mut router = ROUTER.get_or_init(router).clone();
    let mut inside = Request::new(Body::empty());
    *inside.uri_mut() = Uri::from_static("/path");
    *inside.extensions_mut() = request.extensions.clone();
    let answer = pin!(router.call(inside));
    let Poll::Ready(Ok(response)) = answer.poll(&mut Context::from_waker(Waker::noop())) else {
        return None;
    };
    let path = response.extensions().get::<MatchedPath>()?.as_str();
    (path != ANY_PATH).then(|| path.to_owned())
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
    uri,
    route,
    knows_routes: is_inside_of_router,
    client_address,
    watch,
    ..HTTP
};
