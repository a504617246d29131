//! Options about the way to the server.

use std::path::PathBuf;
use std::time::Duration;

use crate::http::Compression;
use crate::options::network::ProxyUrl;
use crate::options::options::Options;

impl Options {
    /// The proxy for servers whose DSN begins with `http://`.
    ///
    /// Such as `http://user:password@proxy.example:3128`. Without a protocol it is `http`; with
    /// `https` the connection to the proxy uses TLS. Percent-encode special characters in the user
    /// and password. They are sent as `Proxy-Authorization`, and hidden in the `Debug` form and in
    /// errors.
    ///
    /// By default the proxy comes from the environment: `http_proxy` or `HTTP_PROXY`, unless
    /// `no_proxy` or `NO_PROXY` names the host of the server: by a name, which includes its
    /// subdomains, by an address or network such as `10.0.0.0/8`, or with `*`. The environment's
    /// proxies are never used for `localhost` and other loopback addresses, and a variable in
    /// lower case wins over the same one in capitals. With this option none of these variables is
    /// read. An empty text turns the proxy off.
    ///
    /// The proxy forwards requests, so its responses count as the server's: a transaction that it
    /// answers with an error is dropped and counted as `send_error`. If it asks for a user and
    /// password or cannot be reached, transactions are retried as long as the queue has room, and
    /// are then counted as `network_error`.
    ///
    /// A value that is not the URL of an HTTP proxy is an error when a client is created. In the
    /// environment such a value is reported once on standard error and ignored.
    pub fn http_proxy(mut self, url: impl Into<String>) -> Self {
        self.network.http_proxy = Some(ProxyUrl(url.into()));
        self
    }

    /// The proxy for servers whose DSN begins with `https://`.
    ///
    /// It opens a tunnel (`CONNECT`) and cannot read what is sent. If it refuses or cannot be
    /// reached, transactions are retried as long as the queue has room, and are then counted as
    /// `network_error`.
    ///
    /// By default it is the value of [`http_proxy`](Self::http_proxy), or else the first of
    /// `https_proxy`, `HTTPS_PROXY`, `http_proxy` and `HTTP_PROXY` in the environment. Everything
    /// else is as described there.
    pub fn https_proxy(mut self, url: impl Into<String>) -> Self {
        self.network.https_proxy = Some(ProxyUrl(url.into()));
        self
    }

    /// A PEM file of certificate authorities to trust, in addition to those of the platform.
    ///
    /// None by default. The file is read when a client with a DSN is created; a file that cannot
    /// be read or has no certificate in it is an error. Nothing is sent to a server without a
    /// certificate from a trusted authority: transactions are retried as long as the queue has
    /// room, and are then counted as `network_error`.
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.network.ca_file = Some(path.into());
        self
    }

    /// The PEM files of a client certificate and its private key (mutual TLS).
    ///
    /// None by default. The file may hold a chain, beginning with the client's certificate. The
    /// files are read when a client with a DSN is created. It is an error if one of them cannot be
    /// read or used, or if the key does not belong to the certificate.
    pub fn client_certificate(
        mut self,
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Self {
        self.network.client_certificate = Some((certificate.into(), key.into()));
        self
    }

    /// Whether idle connections are kept for 90 seconds.
    ///
    /// By default they are closed after 4 seconds, just before Sentry's own servers close them.
    /// Keeping them helps if the server or proxy keeps them too and new ones are slow to open.
    /// After 45 idle seconds they are probed (TCP keep-alive) every 10 seconds, up to 6 times. If
    /// one was closed meanwhile the upload is retried on a new one.
    pub fn keep_alive(mut self, keep: bool) -> Self {
        self.network.keep_alive = keep;
        self
    }

    /// How uploads are compressed.
    ///
    /// Gzip by default.
    pub fn compression(mut self, compression: Compression) -> Self {
        self.network.compression = compression;
        self
    }

    /// The time limit of one upload, from connecting to the end of the response.
    ///
    /// 30 seconds by default, and more than zero. After it the upload counts as failed.
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.network.request_timeout = timeout;
        self
    }
}
