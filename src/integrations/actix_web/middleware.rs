//! The middleware of servers.

use std::fmt;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_web::Error;
use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::http::{Method, StatusCode, header};
use pin_project::{pin_project, pinned_drop};

use super::ServerBody;
use super::head::Head;
use crate::client::Client;
use crate::integrations::server::{self, ANY_PATH, Exchange};
use crate::poll::poll_and_drop;
use crate::protocol::TransactionSource;
use crate::span::{Arrival, transaction};

/// Makes a transaction of every request to an app, until the body of its response has left.
///
/// The trace that comes in with a request is continued. Handler and body run inside of the
/// transaction, which ends as the status code of the response says, as `cancelled` if the client
/// goes before it is complete (with the status code 499 if there was no response yet), and as
/// `internal_error` if the handler panics or the body fails. A response that switches protocols, as
/// for a WebSocket, ends it at once. So does an error that another middleware returns, with the
/// status code of that error.
///
/// A client that closes its connection before there is a response is noticed at once by servers
/// with [`h1_allow_half_closed(false)`](actix_web::HttpServer::h1_allow_half_closed). Others, and
/// all over HTTP/2, let the handler go on.
///
/// Transactions are named by the route, such as `GET /items/{id}`, or `GET /{*path}` if there is no
/// route: whoever sends requests chooses their paths. The route is looked up by the path before the request is routed, so that
/// samplers know it, and services that the handler calls. Where guards choose between resources
/// with the same path, or a middleware inside changes the path, this may be another route than the
/// one that is taken. The name is put right when the head of the response is there, unless the
/// program has set one.
///
/// Among the data of the transaction are `http.server.time_to_first_byte` and
/// `http.response.body.time`, in seconds, and `http.response.body.size`, in bytes: before
/// compression, if that is done by a middleware around. What is told of the request depends on
/// [`send_default_pii`](crate::Options::send_default_pii), as does the address of the client: see
/// [`Request`](crate::Request). Of a request that is not sampled nothing is copied but its name.
#[derive(Clone, Debug)]
#[must_use = "a middleware does nothing until it is around an app"]
pub struct ServerMiddleware {
    client: Option<Client>,
}

impl ServerMiddleware {
    /// A middleware whose transactions belong to the installed client.
    #[expect(clippy::new_without_default, reason = "middleware is made in one way")]
    pub fn new() -> Self {
        Self { client: None }
    }

    /// Makes the transactions those of a client that is not installed.
    pub fn with_client(mut self, client: &Client) -> Self {
        self.client = Some(client.clone());
        self
    }
}

impl<S, B> Transform<S, ServiceRequest> for ServerMiddleware
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    type Response = ServiceResponse<ServerBody<B>>;
    type Error = Error;
    type Transform = Server<S>;
    type InitError = ();
    type Future = Ready<Result<Server<S>, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        ready(Ok(Server {
            client: self.client.clone(),
            inner,
        }))
    }
}

/// A service inside of a [`ServerMiddleware`].
#[derive(Debug)]
pub struct Server<S> {
    client: Option<Client>,
    inner: S,
}

impl<S, B> Service<ServiceRequest> for Server<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    type Response = ServiceResponse<ServerBody<B>>;
    type Error = Error;
    type Future = ServerFuture<S::Future>;

    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let route = request.match_pattern();
        let method = request.method().clone();
        let mut exchange = self.begin(&request, route.as_deref());
        let inner = exchange.run(|| self.inner.call(request));
        ServerFuture {
            inner: Some(inner),
            exchange: Some(exchange),
            method,
            route,
        }
    }
}

impl<S> Server<S> {
    fn begin(&self, request: &ServiceRequest, route: Option<&str>) -> Exchange {
        let head = Head { request, route };
        let path = route.unwrap_or(ANY_PATH);
        let name = server::name(request.method().as_str(), path);
        let transaction = transaction("http.server", name).origin("auto.http.actix_web");
        let transaction = transaction.source(TransactionSource::Route);
        let arrival = Arrival {
            incoming: &head.incoming(),
            request: &head,
        };
        Exchange::begin(transaction, self.client.as_ref(), arrival, |writer| {
            head.write(writer);
        })
    }
}

/// The future of a [`Server`].
#[pin_project(PinnedDrop)]
#[must_use = "nothing is answered until this future is polled"]
pub struct ServerFuture<F> {
    #[pin]
    inner: Option<F>,
    /// `None` once it has gone over to the body.
    exchange: Option<Exchange>,
    method: Method,
    /// The route for the path of the request, before it was routed.
    route: Option<String>,
}

impl<F, B> Future for ServerFuture<F>
where
    F: Future<Output = Result<ServiceResponse<B>, Error>>,
    B: MessageBody,
{
    type Output = Result<ServiceResponse<ServerBody<B>>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let exchange = this.exchange.as_mut();
        let exchange = exchange.expect("a future is not polled after it was ready");
        let polled = exchange.run(|| poll_and_drop(this.inner.as_mut(), cx));
        let response = ready!(polled);
        let Some(mut exchange) = this.exchange.take() else {
            unreachable!("it was there before the poll");
        };
        let response = match response {
            Ok(response) => response,
            Err(error) => {
                let status = exchange.run(|| error.as_response_error().status_code());
                exchange.respond(status.as_u16());
                exchange.finish();
                return Poll::Ready(Err(error));
            }
        };
        exchange.describe(|root| {
            let taken = response.request().match_pattern();
            if let Some(taken) = taken.filter(|taken| Some(taken) != this.route.as_ref()) {
                let name = server::name(this.method.as_str(), &taken);
                root.rename_from(TransactionSource::Route, name, TransactionSource::Route);
                root.set_data("http.route", taken);
            }
        });
        let status = response.status();
        exchange.respond(status.as_u16());
        if status == StatusCode::SWITCHING_PROTOCOLS {
            let protocol = response.headers().get(header::UPGRADE);
            exchange.upgrade(protocol.and_then(|protocol| protocol.to_str().ok()));
        }
        let size = response.response().body().size();
        let is_complete =
            !server::sends_body(this.method.as_str(), status.as_u16()) || size.is_eof();
        let length = response.headers().get(header::CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
        exchange.announce(length.or(match size {
            BodySize::Sized(bytes) => Some(bytes),
            BodySize::None | BodySize::Stream => None,
        }));
        Poll::Ready(Ok(response.map_body(|_, body| match is_complete {
            true => {
                exchange.finish();
                ServerBody::ended(body)
            }
            false => ServerBody::new(body, exchange),
        })))
    }
}

#[pinned_drop]
impl<F> PinnedDrop for ServerFuture<F> {
    fn drop(self: Pin<&mut Self>) {
        let mut this = self.project();
        if let Some(exchange) = this.exchange {
            exchange.cancel(|| this.inner.set(None));
        }
    }
}

impl<F> fmt::Debug for ServerFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerFuture").finish_non_exhaustive()
    }
}
