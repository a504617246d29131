//! The HTTP client.

use std::time::Duration;
use std::{fmt, io};

use bytes::Bytes;
use http::header::{
    CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHORIZATION,
    USER_AGENT,
};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::capture_connection;
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::TokioTimer;
use tokio::time;

use super::compression::Compression;
use super::config::HttpConfig;
use super::connect::Connector;
use super::proxy::Proxy;
use crate::diagnostics::{self, Chain, Topic};
use crate::own_work::HiddenExecutor;
use crate::protocol::Sdk;

/// Sends bodies to one endpoint over pooled connections.
#[derive(Clone)]
pub(crate) struct HttpClient {
    connections: Client<Connector, Full<Bytes>>,
    endpoint: Uri,
    headers: HeaderMap,
    timeout: Duration,
    /// Whether a proxy reads the requests.
    forwarded: bool,
}

/// What the server answered.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No connection could be made, or the proxy wants to know who asks for it, so nothing was sent.
    Connect,
    /// A connection broke. An idle one that the server had closed breaks like this.
    Exchange,
    /// There was no answer in time.
    Timeout,
}

/// Why there is no answer, and what caused that.
pub(crate) struct Unanswered {
    pub(crate) failure: Failure,
    cause: Option<legacy::Error>,
}

impl HttpClient {
    /// Makes a client whose connections live on the current runtime.
    ///
    /// Loading the platform's certificates takes milliseconds and blocks; it is
    /// done only if [`HttpConfig::needs_tls`].
    pub(crate) fn new(config: &HttpConfig) -> io::Result<Self> {
        let connections = Client::builder(HiddenExecutor)
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .pool_idle_timeout(match config.keep_alive {
                true => KEPT_ALIVE,
                false => POOL_IDLE_TIMEOUT,
            })
            .build(Connector::of(config)?);

        Ok(Self {
            connections,
            endpoint: config.endpoint.clone(),
            headers: headers(config),
            timeout: config.request_timeout,
            forwarded: config.forwarder().is_some(),
        })
    }

    /// Sends a body to the server, and says once why it could not be reached.
    pub(crate) async fn post(self, body: Bytes) -> Result<Reply, Failure> {
        self.send(body).await.map_err(|unanswered| {
            match (unanswered.failure, &unanswered.cause) {
                (Failure::Timeout, _) => diagnostics::once(&NO_ANSWER),
                (Failure::Connect, Some(cause)) => {
                    diagnostics::once_because(&UNREACHABLE, cause);
                }
                (Failure::Connect, None) => diagnostics::once(&UNREACHABLE),
                (Failure::Exchange, _) => {}
            }
            unanswered.failure
        })
    }

    /// Sends a body and reads the answer to its end, all within one timeout.
    pub(crate) async fn send(self, body: Bytes) -> Result<Reply, Unanswered> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.endpoint;
        *request.headers_mut() = self.headers;

        let deadline = time::Instant::now() + self.timeout.min(LONGEST_TIMEOUT);
        let connection = capture_connection(&mut request);
        let response = time::timeout_at(deadline, self.connections.request(request)).await;
        let late = |_| match *connection.connection_metadata() {
            Some(_) => Failure::Timeout,
            // A look-up, a handshake or a proxy that stalls: nothing was sent.
            None => Failure::Connect,
        };
        let (head, body) = response
            .map_err(late)?
            .map_err(Unanswered::because)?
            .into_parts();
        // The status says it all; reading on only gives the connection back to the pool.
        let _ = time::timeout_at(deadline, drain(body)).await;
        if self.forwarded && head.status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            // The server has not seen it.
            return Err(Failure::Connect.into());
        }
        Ok(Reply {
            status: head.status,
            headers: head.headers,
        })
    }
}

impl Unanswered {
    fn because(cause: legacy::Error) -> Self {
        let failure = match cause.is_connect() {
            true => Failure::Connect,
            false => Failure::Exchange,
        };
        Self {
            failure,
            cause: Some(cause),
        }
    }
}

impl From<Failure> for Unanswered {
    fn from(failure: Failure) -> Self {
        Self {
            failure,
            cause: None,
        }
    }
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Some(cause) => Chain(cause).fmt(f),
            None => f.write_str("there is no answer in time"),
        }
    }
}

/// The headers that every request has.
fn headers(config: &HttpConfig) -> HeaderMap {
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
    if let Some(auth) = &config.auth {
        headers.insert(HeaderName::from_static("x-sentry-auth"), auth.clone());
    }
    if let Some(authorization) = config.forwarder().and_then(Proxy::authorization) {
        headers.insert(PROXY_AUTHORIZATION, authorization.clone());
    }
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

/// Relay closes idle connections after five seconds; this side has to be first.
pub(crate) const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(4);
/// How long connections are kept that are to be kept.
const KEPT_ALIVE: Duration = Duration::from_secs(90);
const LONGEST_ANSWER: usize = 64 * 1024;
/// Longer than anybody waits, and short enough to calculate with.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(365 * 24 * 60 * 60);

static NO_ANSWER: Topic = Topic::new("the server does not answer in time, and will be tried again");
static UNREACHABLE: Topic = Topic::new("the server cannot be reached, and will be tried again");
