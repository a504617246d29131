//! The layer of servers.

use std::borrow::Cow;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, Version, header};
use http_body::Body;
use pin_project::{pin_project, pinned_drop};
use tower_layer::Layer;
use tower_service::Service;

use super::ServerBody;
use super::dialect::{Dialect, HTTP};
use crate::client::Client;
use crate::hooks::RequestHead;
use crate::integrations::server::{self, ANY_PATH, Exchange};
use crate::poll::poll_and_drop;
use crate::propagation::IncomingTrace;
use crate::protocol::TransactionSource;
use crate::record::{Fields, RequestWriter};
use crate::span::{Arrival, transaction};

/// Makes a transaction of every request to a service, until the body of its response has left.
///
/// The trace that comes in with a request is continued. Handler and body run inside of the
/// transaction, which ends as the status code of the response says, as `cancelled` if the client
/// goes before it is complete (with the status code 499 if there was no response yet), and as
/// `internal_error` if the service or the body fails or panics. A response that switches
/// protocols, as for a WebSocket, ends it at once.
///
/// Among the data of the transaction are `http.server.time_to_first_byte` and
/// `http.response.body.time`, in seconds, and `http.response.body.size`, in bytes. What is told of
/// the request depends on [`send_default_pii`](crate::Options::send_default_pii): see
/// [`Request`](crate::Request). Of a request that is not sampled nothing is copied.
#[derive(Clone)]
#[must_use = "a layer does nothing until it is around a service"]
pub struct ServerLayer {
    client: Option<Client>,
    dialect: &'static Dialect,
}

impl ServerLayer {
    /// A layer whose transactions belong to the installed client.
    #[expect(clippy::new_without_default, reason = "layers are made in one way")]
    pub fn new() -> Self {
        Self::of(&HTTP)
    }

    pub(in crate::integrations) fn of(dialect: &'static Dialect) -> Self {
        Self {
            client: None,
            dialect,
        }
    }

    /// Makes the transactions those of a client that is not installed.
    pub fn with_client(mut self, client: &Client) -> Self {
        self.client = Some(client.clone());
        self
    }
}

impl<S> Layer<S> for ServerLayer {
    type Service = Server<S>;

    fn layer(&self, inner: S) -> Server<S> {
        Server {
            layer: self.clone(),
            inner,
        }
    }
}

/// A service inside of a [`ServerLayer`].
#[derive(Clone, Debug)]
pub struct Server<S> {
    layer: ServerLayer,
    inner: S,
}

impl<S, B, R> Service<Request<B>> for Server<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    B: 'static,
    R: Body,
{
    type Response = Response<ServerBody<R>>;
    type Error = S::Error;
    type Future = ServerFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (head, mut body) = request.into_parts();
        let mut exchange = self.layer.begin(&head);
        exchange.describe_at_end(|root| (self.layer.dialect.watch)(root, &head, &mut body));
        let method = head.method.clone();
        let request = Request::from_parts(head, body);
        let inner = exchange.run(|| self.inner.call(request));
        ServerFuture {
            inner: Some(inner),
            exchange: Some(exchange),
            dialect: self.layer.dialect,
            method,
        }
    }
}

impl ServerLayer {
    fn begin(&self, request: &Parts) -> Exchange {
        let dialect = self.dialect;
        let head = Head {
            request,
            uri: (dialect.uri)(request),
            route: (dialect.route)(request),
        };
        let (path, source) = match &head.route {
            Some(route) => (&**route, TransactionSource::Route),
            None if (dialect.knows_routes)(request) => (ANY_PATH, TransactionSource::Route),
            None => (head.uri.path(), TransactionSource::Url),
        };
        let name = dialect.name(&request.method, path);
        let incoming = IncomingTrace::from_carrier(&request.headers);
        let arrival = Arrival {
            incoming: &incoming,
            request: &head,
        };
        let transaction = transaction(dialect.op, name).origin(dialect.origin);
        let transaction = transaction.source(source);
        let mut exchange = Exchange::begin(transaction, self.client.as_ref(), arrival, |writer| {
            head.write(writer, dialect);
        });
        exchange.describe(|root| (dialect.describe)(root, request));
        exchange
    }
}

/// The head of a request, and its route if that is known.
struct Head<'a> {
    request: &'a Parts,
    /// As the client has sent it.
    uri: &'a Uri,
    route: Option<Cow<'a, str>>,
}

impl Head<'_> {
    /// Host and port, as the request names them.
    fn authority(&self) -> &[u8] {
        match self.uri.authority() {
            Some(authority) => authority.as_str().as_bytes(),
            None => {
                let host = self.request.headers.get(header::HOST);
                host.map(HeaderValue::as_bytes).unwrap_or_default()
            }
        }
    }

    fn scheme(&self) -> &str {
        self.uri.scheme_str().unwrap_or("http")
    }

    fn write(&self, writer: &mut RequestWriter<'_>, dialect: &Dialect) {
        let request = self.request;
        let client = (dialect.client_address)(request);
        writer.fields(&Fields {
            method: request.method.as_str(),
            scheme: self.scheme(),
            authority: self.authority(),
            path: self.uri.path(),
            query: self.uri.query().unwrap_or_default(),
            version: match request.version {
                Version::HTTP_09 => "0.9",
                Version::HTTP_10 => "1.0",
                Version::HTTP_11 => "1.1",
                Version::HTTP_2 => "2",
                Version::HTTP_3 => "3",
                _ => "",
            },
            route: self.route.as_deref().unwrap_or_default(),
            client: client.as_deref().unwrap_or_default(),
        });
        for (name, value) in &request.headers {
            writer.header(name.as_str(), value.as_bytes());
        }
    }
}

impl RequestHead for Head<'_> {
    fn method(&self) -> Option<&str> {
        Some(self.request.method.as_str())
    }

    fn url(&self) -> Option<Cow<'_, str>> {
        let path = self.uri.path_and_query().map_or("/", PathAndQuery::as_str);
        let authority = String::from_utf8_lossy(self.authority());
        let path = if path == "*" { "" } else { path };
        Some(Cow::Owned(format!("{}://{authority}{path}", self.scheme())))
    }

    fn route(&self) -> Option<&str> {
        self.route.as_deref()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.request.headers.get(name)?.to_str().ok()
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
    dialect: &'static Dialect,
    method: Method,
}

impl<F, R, E> Future for ServerFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Body,
{
    type Output = Result<Response<ServerBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let exchange = this.exchange.as_mut();
        let exchange = exchange.expect("a future is not polled after it was ready");
        let polled = exchange.run(|| poll_and_drop(this.inner.as_mut(), cx));
        let response = ready!(polled);
        let Some(mut exchange) = this.exchange.take() else {
            unreachable!("it was there before the poll");
        };
        match response {
            Err(error) => {
                exchange.fail();
                Poll::Ready(Err(error))
            }
            Ok(response) => {
                exchange.respond(response.status().as_u16());
                let note_status = this.dialect.note_status;
                exchange.note_status(|root| note_status(root, response.headers()));
                if (this.dialect.is_unknown_place)(response.status(), response.headers()) {
                    let name = this.dialect.name(this.method, ANY_PATH);
                    exchange.describe(|root| this.dialect.rename(root, name));
                }
                let (head, body) = response.into_parts();
                let body = if is_last_of_http(head.status) {
                    let upgrade = head.headers.get(header::UPGRADE);
                    exchange.upgrade(upgrade.and_then(|protocol| protocol.to_str().ok()));
                    exchange.finish();
                    ServerBody::ended(body)
                } else if !server::sends_body(this.method.as_str(), head.status.as_u16())
                    || body.is_end_stream()
                {
                    exchange.finish();
                    ServerBody::ended(body)
                } else {
                    let length = head.headers.get(header::CONTENT_LENGTH);
                    let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
                    exchange.announce(length.or_else(|| body.size_hint().exact()));
                    ServerBody::new(body, exchange, this.dialect)
                };
                Poll::Ready(Ok(Response::from_parts(head, body)))
            }
        }
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

/// Whether another protocol begins after this response.
fn is_last_of_http(status: StatusCode) -> bool {
    status == StatusCode::SWITCHING_PROTOCOLS
}

impl fmt::Debug for ServerLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerLayer")
            .field("op", &self.dialect.op)
            .finish_non_exhaustive()
    }
}

impl<F> fmt::Debug for ServerFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerFuture").finish_non_exhaustive()
    }
}
