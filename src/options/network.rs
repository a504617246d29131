//! How the server is reached: proxies, certificates and connections.

use std::ffi::OsString;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::Uri;
use http::uri::Scheme;

use super::options::{Kind, Options, OptionsError, read_variable, redacted};
use crate::http::{Proxy, TlsConfig, is_exempt};

/// What leads to the server.
#[derive(Clone, Debug, Default)]
pub(super) struct Reach {
    /// `None` until it is set; empty when none is wanted.
    http_proxy: Option<ProxyUrl>,
    https_proxy: Option<ProxyUrl>,
    ca_file: Option<PathBuf>,
    /// The files of the certificate and of its key.
    client_certificate: Option<(PathBuf, PathBuf)>,
}

/// The URL of a proxy as it was set. Its `Debug` form does not show the user.
#[derive(Clone)]
struct ProxyUrl(String);

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
        self.reach.http_proxy = Some(ProxyUrl(url.into()));
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
        self.reach.https_proxy = Some(ProxyUrl(url.into()));
        self
    }

    /// A PEM file of certificate authorities to trust beside those of the platform.
    ///
    /// None by default. The file is read when a client is made that has a DSN, and it is an error
    /// if it cannot be read or has no certificate in it. A server that nobody trusted vouches for
    /// is not sent anything: transactions are tried again as long as the queue has room, and are
    /// then counted as `network_error`.
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.reach.ca_file = Some(path.into());
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
        self.reach.client_certificate = Some((certificate.into(), key.into()));
        self
    }

    /// Whether connections are kept for 90 seconds while nothing is sent.
    ///
    /// By default they are closed after 4 seconds, just before Sentry's own servers close them.
    /// Kept connections help where a server or proxy lets them live and new ones are slow to
    /// make. After 45 seconds of silence they are probed (TCP keep-alive) every 10 seconds, up to
    /// 6 times. One that was closed meanwhile costs nothing but a second try.
    pub fn keep_alive(mut self, keep: bool) -> Self {
        self.keep_alive = keep;
        self
    }

    /// The proxy through which requests to `endpoint` go, if any.
    pub(crate) fn proxy(&self, endpoint: &Uri) -> Result<Option<Proxy>, OptionsError> {
        self.proxy_with(endpoint, |variable| std::env::var_os(variable))
    }

    fn proxy_with(
        &self,
        endpoint: &Uri,
        lookup: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Option<Proxy>, OptionsError> {
        let https = endpoint.scheme() == Some(&Scheme::HTTPS);
        let by_protocol = [
            (HTTPS_PROXY, &self.reach.https_proxy),
            (HTTP_PROXY, &self.reach.http_proxy),
        ];
        for (field, proxy) in by_protocol.into_iter().skip(usize::from(!https)) {
            if let Some(ProxyUrl(url)) = proxy {
                return parse_proxy(field, url);
            }
        }
        proxy_of_environment(endpoint, https, lookup)
    }

    /// Reads the files that were named.
    pub(crate) fn tls(&self) -> Result<TlsConfig, OptionsError> {
        let error = |field, path: &Path, error| {
            OptionsError::new(field, &path.to_string_lossy(), Kind::File(error))
        };
        let mut tls = TlsConfig::default();
        if let Some(path) = &self.reach.ca_file {
            tls.extra_roots =
                TlsConfig::read_roots(path).map_err(|problem| error("ca_file", path, problem))?;
        }
        if let Some((certificate, key)) = &self.reach.client_certificate {
            let client_key = TlsConfig::read_client_key(certificate, key)
                .map_err(|(path, problem)| error("client_certificate", path, problem))?;
            tls.client_key = Some(Arc::new(client_key));
        }
        Ok(tls)
    }
}

impl Reach {
    pub(super) fn validate(&self) -> Result<(), OptionsError> {
        for (field, proxy) in [
            (HTTP_PROXY, &self.http_proxy),
            (HTTPS_PROXY, &self.https_proxy),
        ] {
            if let Some(ProxyUrl(url)) = proxy {
                parse_proxy(field, url)?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        redacted(&self.0).fmt(f)
    }
}

/// The proxy that the variables name, as other programs read them.
fn proxy_of_environment(
    endpoint: &Uri,
    https: bool,
    lookup: impl Fn(&str) -> Option<OsString>,
) -> Result<Option<Proxy>, OptionsError> {
    let host = endpoint.host().unwrap_or_default();
    if is_loopback(host) {
        return Ok(None);
    }
    for variable in ["no_proxy", "NO_PROXY"] {
        if let Some(value) = read_variable(&lookup, variable)? {
            if is_exempt(endpoint, &value) {
                return Ok(None);
            }
            break;
        }
    }
    let for_https = [HTTPS_PROXY, "HTTPS_PROXY"];
    let for_http = [HTTP_PROXY, "HTTP_PROXY"];
    let variables = for_https.into_iter().filter(|_| https).chain(for_http);
    // In a CGI program a header of the request ends up in this one.
    let is_safe = |variable: &&str| *variable != "HTTP_PROXY" || lookup("REQUEST_METHOD").is_none();
    for variable in variables.filter(is_safe) {
        if let Some(url) = read_variable(&lookup, variable)? {
            return parse_proxy(variable, &url);
        }
    }
    Ok(None)
}

/// Reads the URL of a proxy. An empty one stands for none.
fn parse_proxy(field: &'static str, url: &str) -> Result<Option<Proxy>, OptionsError> {
    if url.is_empty() {
        return Ok(None);
    }
    match Proxy::parse(url) {
        Some(proxy) => Ok(Some(proxy)),
        None => Err(OptionsError::new(field, url, Kind::Proxy)),
    }
}

/// Whether a host is this machine, which no proxy could reach.
fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    match address.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => host.trim_end_matches('.').eq_ignore_ascii_case("localhost"),
    }
}

const HTTP_PROXY: &str = "http_proxy";
const HTTPS_PROXY: &str = "https_proxy";

/// Options and variables whose values have passwords in them.
pub(super) const PROXIES: [&str; 4] = [HTTP_PROXY, HTTPS_PROXY, "HTTP_PROXY", "HTTPS_PROXY"];

#[cfg(test)]
mod tests {
    use super::*;

    const HTTP: &str = "http://sentry.example/api/1/envelope/";
    const HTTPS: &str = "https://sentry.example/api/1/envelope/";

    /// The proxy for an endpoint, by the variables that are set.
    fn proxy(options: &Options, endpoint: &str, variables: &[(&str, &str)]) -> String {
        let lookup = |name: &str| {
            let (_, value) = variables.iter().find(|(variable, _)| *variable == name)?;
            Some(value.into())
        };
        match options.proxy_with(&endpoint.parse().unwrap(), lookup) {
            Ok(Some(proxy)) => proxy.uri().to_string(),
            Ok(None) => "none".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn an_option_wins_over_every_variable() {
        let all = [
            ("http_proxy", "env-http:1"),
            ("https_proxy", "env-https:1"),
            ("no_proxy", "*"),
        ];
        let options = Options::disabled();
        let http = options.clone().http_proxy("a:1");
        let https = options.clone().https_proxy("b:1");
        let both = http.clone().https_proxy("b:1");
        let none = http.clone().https_proxy("");
        let never = options.http_proxy("");
        for (options, for_http, for_https) in [
            (http, "http://a:1/", "http://a:1/"),
            (https, "none", "http://b:1/"),
            (both, "http://a:1/", "http://b:1/"),
            (none, "http://a:1/", "none"),
            (never, "none", "none"),
        ] {
            assert_eq!(proxy(&options, HTTP, &all), for_http, "{options:?}");
            assert_eq!(proxy(&options, HTTPS, &all), for_https, "{options:?}");
        }
    }

    #[test]
    fn the_environment_is_read_in_small_letters_and_in_capitals() {
        let both = |url| [("http_proxy", url), ("HTTP_PROXY", "capitals:1")];
        for (variables, for_http, for_https) in [
            (&[][..], "none", "none"),
            (&both("small:1"), "http://small:1/", "http://small:1/"),
            (&both(" "), "http://capitals:1/", "http://capitals:1/"),
            (&[("HTTPS_PROXY", "s:1")], "none", "http://s:1/"),
            (
                &[("HTTPS_PROXY", "s:1"), ("http_proxy", "h:1")],
                "http://h:1/",
                "http://s:1/",
            ),
            (
                &[("HTTP_PROXY", "h:1"), ("NO_PROXY", "a.example, .example")],
                "none",
                "none",
            ),
            (
                &[("HTTP_PROXY", "h:1"), ("no_proxy", "a"), ("NO_PROXY", "*")],
                "http://h:1/",
                "http://h:1/",
            ),
            // A program run by a web server for one request.
            (
                &[("HTTP_PROXY", "h:1"), ("REQUEST_METHOD", "GET")],
                "none",
                "none",
            ),
            (
                &[("http_proxy", "h:1"), ("REQUEST_METHOD", "GET")],
                "http://h:1/",
                "http://h:1/",
            ),
        ] {
            let options = Options::disabled();
            assert_eq!(proxy(&options, HTTP, variables), for_http, "{variables:?}");
            assert_eq!(proxy(&options, HTTPS, variables), for_https);
        }
    }

    #[test]
    fn the_environment_is_not_for_this_machine() {
        let options = Options::disabled();
        for host in ["localhost", "LOCALHOST.", "127.0.0.1", "127.9.9.9", "[::1]"] {
            let endpoint = format!("http://{host}:9000/");
            let shown = proxy(&options, &endpoint, &[("http_proxy", "h:1")]);
            assert_eq!(shown, "none", "{host}");
            let set = options.clone().http_proxy("h:1");
            assert_eq!(proxy(&set, &endpoint, &[]), "http://h:1/");
        }
    }

    #[test]
    fn a_bad_proxy_is_named_without_its_password() {
        let options = Options::disabled();
        let variables = [("HTTPS_PROXY", "socks5://u:s3cr@h:1")];
        let message = r#"HTTPS_PROXY = "socks5://***@h:1" is not the URL of an HTTP proxy"#;
        assert_eq!(proxy(&options, HTTPS, &variables), message);
        assert_eq!(proxy(&options, HTTP, &variables), "none");
        let set = options.clone().https_proxy("");
        assert_eq!(proxy(&set, HTTPS, &variables), "none");

        let error = options
            .clone()
            .http_proxy("http://u:s3cr@h:x")
            .validate()
            .unwrap_err();
        assert_eq!(error.field(), "http_proxy");
        assert_eq!(error.value(), "http://***@h:x");
        assert!(options.https_proxy(" ").validate().is_err());
    }

    #[test]
    fn nothing_shows_a_password() {
        let options = Options::disabled()
            .http_proxy("http://u:s3cr@h:1")
            .https_proxy("u:s3cr@h:1");
        let shown = format!("{options:?}");
        assert!(shown.contains("http://***@h:1"), "{shown}");
        assert!(!shown.contains("s3cr"), "{shown}");
    }
}
