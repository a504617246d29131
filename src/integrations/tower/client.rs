//! The layer of clients.

use std::borrow::Cow;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use http_body::Body;
use pin_project::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::ClientBody;
use crate::integrations::client::{Call, Dialect, HTTP, Responding};

/// Makes a span of every request that a client sends, until the body of its response has been read.
///
/// Spans are `http.client`, named by method and URL without query, below the one that is current
/// when the request is made. They end as the status code of the response says. An error, with or
/// without a response, ends them as `internal_error`. A response that is dropped before it was
/// read ends as `cancelled`, unless its status code tells of a failure.
///
/// The trace goes along in the headers, as [`outgoing_trace_to`](crate::outgoing_trace_to) has it,
/// also where nothing is recorded. URLs have to be whole ones, as clients take them: of others
/// only the path is compared with
/// [`trace_propagation_targets`](crate::Options::trace_propagation_targets).
///
/// What is inside of the layer is part of the span. To see each try, and each redirect, put it
/// inside of the layers that retry and follow; outside of them it makes one span of them all.
#[derive(Clone)]
#[must_use = "a layer does nothing until it is around a service"]
pub struct ClientLayer {
    dialect: &'static Dialect,
}

impl ClientLayer {
    /// A layer for clients of HTTP.
    #[expect(clippy::new_without_default, reason = "layers are made in one way")]
    pub fn new() -> Self {
        Self::of(&HTTP)
    }

    pub(in crate::integrations) fn of(dialect: &'static Dialect) -> Self {
        Self { dialect }
    }
}

impl<S> Layer<S> for ClientLayer {
    type Service = Client<S>;

    fn layer(&self, inner: S) -> Client<S> {
        Client {
            dialect: self.dialect,
            inner,
        }
    }
}

/// A client inside of a [`ClientLayer`].
#[derive(Clone)]
pub struct Client<S> {
    dialect: &'static Dialect,
    inner: S,
}

impl<S, B, R> Service<Request<B>> for Client<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    B: Body,
    R: Body,
{
    type Response = Response<ClientBody<R>>;
    type Error = S::Error;
    type Future = ClientFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut head, body) = request.into_parts();
        let url = || Cow::Owned(head.uri.to_string());
        let method = head.method.as_str();
        let size = body.size_hint().exact();
        let call = Call::begin(self.dialect, method, url, &mut head.headers, size);
        let request = Request::from_parts(head, body);
        ClientFuture {
            inner: Responding::new(call, || self.inner.call(request)),
        }
    }
}

/// The future of a [`Client`].
///
/// Dropping it before it is ready ends the span as `cancelled`.
#[pin_project]
#[must_use = "nothing is sent until this future is polled"]
pub struct ClientFuture<F> {
    #[pin]
    inner: Responding<F>,
}

impl<F, R, E> Future for ClientFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Body,
{
    type Output = Result<Response<ClientBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (response, mut call) = ready!(self.project().inner.poll(cx))?;
        call.respond(response.status().as_u16(), response.headers());
        Poll::Ready(Ok(response.map(|body| ClientBody::new(body, call))))
    }
}

impl fmt::Debug for ClientLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientLayer")
            .field("op", &self.dialect.op)
            .finish()
    }
}

impl<S: fmt::Debug> fmt::Debug for Client<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("op", &self.dialect.op)
            .field("inner", &self.inner)
            .finish()
    }
}

impl<F> fmt::Debug for ClientFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientFuture").finish_non_exhaustive()
    }
}
