//! The HTTP client.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT,
};
use http::uri::Scheme;
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Builder, Client, ResponseFuture};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time;

use super::{Compression, Config};
use crate::protocol::Sdk;

/// Sends bodies to one endpoint over pooled connections.
#[derive(Clone)]
pub(super) struct HttpClient {
    connections: Connections,
    endpoint: Uri,
    headers: HeaderMap,
    timeout: Duration,
}

#[derive(Clone)]
enum Connections {
    Plain(Client<HttpConnector, Full<Bytes>>),
    Tls(Client<HttpsConnector<HttpConnector>, Full<Bytes>>),
}

/// What the server answered.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// No connection could be made, so nothing was sent.
    Connect,
    /// A connection broke. An idle one that the server had closed breaks like this.
    Exchange,
    /// There was no answer in time.
    Timeout,
}

impl HttpClient {
    /// Makes a client whose connections live on the current runtime.
    ///
    /// Loading the platform's certificates takes milliseconds and blocks; it is
    /// done only for `https`.
    pub(super) fn new(config: &Config) -> io::Result<Self> {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT.min(config.request_timeout)));

        let mut pool = Client::builder(TokioExecutor::new());
        pool.pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE_TIMEOUT)
            .pool_max_idle_per_host(config.max_uploads);

        Ok(Self {
            connections: Connections::new(&config.endpoint, connector, &pool)?,
            endpoint: config.endpoint.clone(),
            headers: headers(config),
            timeout: config.request_timeout,
        })
    }

    /// Sends a body and reads the answer to its end, all within one timeout.
    pub(super) async fn post(self, body: Bytes) -> Result<Reply, Failure> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.endpoint;
        *request.headers_mut() = self.headers;

        let deadline = time::Instant::now() + self.timeout;
        let response = time::timeout_at(deadline, self.connections.request(request)).await;
        let (head, body) = response
            .map_err(|_| Failure::Timeout)?
            .map_err(|error| {
                if error.is_connect() {
                    Failure::Connect
                } else {
                    Failure::Exchange
                }
            })?
            .into_parts();
        // The status says it all; reading on only gives the connection back to the pool.
        let _ = time::timeout_at(deadline, drain(body)).await;
        Ok(Reply {
            status: head.status,
            headers: head.headers,
        })
    }
}

impl Connections {
    fn new(endpoint: &Uri, mut connector: HttpConnector, pool: &Builder) -> io::Result<Self> {
        if endpoint.scheme() != Some(&Scheme::HTTPS) {
            return Ok(Self::Plain(pool.build(connector)));
        }
        connector.enforce_http(false);
        let provider = rustls::crypto::ring::default_provider();
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_platform_verifier(provider)?
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(connector);
        Ok(Self::Tls(pool.build(connector)))
    }

    fn request(&self, request: Request<Full<Bytes>>) -> ResponseFuture {
        match self {
            Self::Plain(client) => client.request(request),
            Self::Tls(client) => client.request(request),
        }
    }
}

/// The headers that every request has.
fn headers(config: &Config) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let content_type = HeaderValue::from_static("application/x-sentry-envelope");
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(USER_AGENT, HeaderValue::from_static(Sdk::CLIENT));
    let encoding = match config.compression {
        Compression::None => None,
        Compression::Gzip => Some("gzip"),
        #[cfg(feature = "zstd")]
        Compression::Zstd => Some("zstd"),
    };
    if let Some(encoding) = encoding {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    headers.insert(
        HeaderName::from_static("x-sentry-auth"),
        config.auth.clone(),
    );
    headers
}

/// Reads the rest of an answer, unless it is too long to be one.
async fn drain(mut body: Incoming) {
    let mut left = LONGEST_ANSWER;
    while let Some(Ok(frame)) = body.frame().await {
        let read = frame.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(read) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Relay closes idle connections after five seconds; this side has to be first.
pub(super) const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(4);
const LONGEST_ANSWER: usize = 64 * 1024;
