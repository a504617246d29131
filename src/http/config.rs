//! Where requests go, and how.

use std::time::Duration;

use http::uri::Scheme;
use http::{HeaderValue, Uri};

use super::compression::Compression;
use super::proxy::Proxy;
use super::tls::TlsConfig;

/// Where requests go, and how.
#[derive(Clone)]
pub(crate) struct HttpConfig {
    /// The full URL that bodies are posted to.
    pub(crate) endpoint: Uri,
    /// The value of `X-Sentry-Auth`, for those who ask for it.
    pub(crate) auth: Option<HeaderValue>,
    pub(crate) compression: Compression,
    /// How long one request may take, the answer included.
    pub(crate) request_timeout: Duration,
    /// What requests go through instead of straight to the endpoint.
    pub(crate) proxy: Option<Proxy>,
    pub(crate) tls: TlsConfig,
    /// Whether connections are kept while nothing is sent.
    pub(crate) keep_alive: bool,
}

impl HttpConfig {
    /// A way straight to an endpoint that asks for nothing.
    pub(crate) fn straight(endpoint: Uri, request_timeout: Duration) -> Self {
        Self {
            endpoint,
            auth: None,
            compression: Compression::None,
            request_timeout,
            proxy: None,
            tls: TlsConfig::default(),
            keep_alive: false,
        }
    }

    /// Whether TLS is spoken with the server or with the proxy.
    pub(crate) fn needs_tls(&self) -> bool {
        self.is_https() || self.proxy.as_ref().is_some_and(Proxy::is_https)
    }

    /// The proxy, if it reads the requests; it only passes on what is encrypted.
    pub(crate) fn forwarder(&self) -> Option<&Proxy> {
        self.proxy.as_ref().filter(|_| !self.is_https())
    }

    fn is_https(&self) -> bool {
        self.endpoint.scheme() == Some(&Scheme::HTTPS)
    }
}
