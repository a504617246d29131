//! Options about the way to the server.

use std::path::PathBuf;
use std::time::Duration;

use crate::http::Compression;
use crate::options::network::ProxyUrl;
use crate::options::options::Options;

impl Options {
    /// The proxy through which a server is reached whose DSN begins with `http://`.
    ///
    /// Such as `http://user:password@proxy.example:3128`. Without a protocol it is `http`; with
    /// `https` one speaks TLS with the proxy. User and password are percent-encoded where they
    /// have special characters, and sent as `Proxy-Authorization`. Nothing shows them, neither
    /// the `Debug` form nor an error.
    ///
    /// By default the proxy comes from the environment: `http_proxy` or `HTTP_PROXY`, unless
    /// `no_proxy` or `NO_PROXY` names the host of the server: by a name, which includes those
    /// below it, by an address or network such as `10.0.0.0/8`, or with `*`. The environment's
    /// proxies are never used for `localhost` and addresses like it, and the variables in
    /// capitals give way to the others. A client made with this option reads none of them. With
    /// an empty text there is no proxy at all.
    ///
    /// The proxy forwards the requests, so its answers are taken for the server's; a transaction
    /// that it answers with an error is dropped and counted as `send_error`. Where it asks for a
    /// user and password, or cannot be reached, transactions are tried again as long as the queue
    /// has room, and are then counted as `network_error`.
    ///
    /// What is not the URL of an HTTP proxy is an error when a client is made, in an option and in
    /// a variable that would be used.
    pub fn http_proxy(mut self, url: impl Into<String>) -> Self {
        self.network.http_proxy = Some(ProxyUrl(url.into()));
        self
    }

    /// The proxy through which a server is reached whose DSN begins with `https://`.
    ///
    /// It is asked for a tunnel (`CONNECT`) and sees nothing of what is sent. Where it refuses one
    /// or cannot be reached, transactions are tried again as long as the queue has room, and are
    /// then counted as `network_error`.
    ///
    /// Unset by default: then it is what [`http_proxy`](Self::http_proxy) was set to, or else what
    /// the environment says in `https_proxy` or `HTTPS_PROXY`, and after those in `http_proxy` or
    /// `HTTP_PROXY`. All else is as described there.
    pub fn https_proxy(mut self, url: impl Into<String>) -> Self {
        self.network.https_proxy = Some(ProxyUrl(url.into()));
        self
    }

    /// A PEM file of certificate authorities to trust beside those of the platform.
    ///
    /// None by default. The file is read when a client is made that has a DSN, and it is an error
    /// if it cannot be read or has no certificate in it. A server that nobody trusted vouches for
    /// is not sent anything: transactions are tried again as long as the queue has room, and are
    /// then counted as `network_error`.
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.network.ca_file = Some(path.into());
        self
    }

    /// The PEM files of a certificate and its private key, for a server that asks who the client is.
    ///
    /// None by default. The certificate may be followed by those that vouch for it. The files are
    /// read when a client is made that has a DSN. It is an error if one of them cannot be read or
    /// used, or if the key is that of another certificate.
    pub fn client_certificate(
        mut self,
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Self {
        self.network.client_certificate = Some((certificate.into(), key.into()));
        self
    }

    /// Whether connections are kept for 90 seconds while nothing is sent.
    ///
    /// By default they are closed after 4 seconds, just before Sentry's own servers close them.
    /// Kept connections help where a server or proxy lets them live and new ones are slow to
    /// make. After 45 seconds of silence they are probed (TCP keep-alive) every 10 seconds, up to
    /// 6 times. One that was closed meanwhile costs nothing but a second try.
    pub fn keep_alive(mut self, keep: bool) -> Self {
        self.network.keep_alive = keep;
        self
    }

    /// How uploads are compressed.
    ///
    /// With gzip by default.
    pub fn compression(mut self, compression: Compression) -> Self {
        self.network.compression = compression;
        self
    }

    /// How long one upload may take, from connecting to the end of the answer.
    ///
    /// 30 seconds by default, and more than none. After it the upload counts as failed.
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.network.request_timeout = timeout;
        self
    }
}
