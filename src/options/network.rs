//! How the server is reached: proxies, certificates and connections.

use std::ffi::OsString;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use http::uri::Scheme;

use super::error::{Kind, OptionsError, redacted};
use super::variables::Variable;
use crate::http::{Compression, HttpConfig, Proxy, TlsConfig, is_exempt};
use crate::protocol::Dsn;

/// What is set about the way to the server.
#[derive(Clone, Debug)]
pub(super) struct Network {
    /// `None` until it is set; empty when none is wanted.
    pub(super) http_proxy: Option<ProxyUrl>,
    pub(super) https_proxy: Option<ProxyUrl>,
    pub(super) ca_file: Option<PathBuf>,
    /// The files of the certificate and of its key.
    pub(super) client_certificate: Option<(PathBuf, PathBuf)>,
    pub(super) compression: Compression,
    pub(super) request_timeout: Duration,
    pub(super) keep_alive: bool,
}

/// The URL of a proxy as it was set. Its `Debug` form hides the user and password.
#[derive(Clone)]
pub(super) struct ProxyUrl(pub(super) String);

impl Network {
    pub(super) fn validate(&self) -> Result<(), OptionsError> {
        if self.request_timeout.is_zero() {
            return Err(OptionsError::new("request_timeout", "0", Kind::Zero));
        }
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

    /// How a project's data is uploaded. This reads the environment and the files that were named.
    pub(super) fn http(&self, dsn: &Dsn) -> Result<HttpConfig, OptionsError> {
        let endpoint = dsn.envelope_url();
        Ok(HttpConfig {
            endpoint: endpoint.clone(),
            auth: Some(dsn.auth_header().clone()),
            compression: self.compression,
            request_timeout: self.request_timeout,
            proxy: self.proxy(endpoint, |variable| std::env::var_os(variable))?,
            tls: self.tls()?,
            keep_alive: self.keep_alive,
        })
    }

    /// The proxy through which requests to `endpoint` go, if any.
    fn proxy(
        &self,
        endpoint: &Uri,
        lookup: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Option<Proxy>, OptionsError> {
        let https = endpoint.scheme() == Some(&Scheme::HTTPS);
        let by_protocol = [
            (HTTPS_PROXY, &self.https_proxy),
            (HTTP_PROXY, &self.http_proxy),
        ];
        for (field, proxy) in by_protocol.into_iter().skip(usize::from(!https)) {
            if let Some(ProxyUrl(url)) = proxy {
                return parse_proxy(field, url);
            }
        }
        Ok(proxy_of_environment(endpoint, https, lookup))
    }

    /// Reads the files that were named.
    fn tls(&self) -> Result<TlsConfig, OptionsError> {
        let error = |field, path: &Path, error| {
            OptionsError::new(field, &path.to_string_lossy(), Kind::File(error))
        };
        let mut tls = TlsConfig::default();
        if let Some(path) = &self.ca_file {
            tls.extra_roots =
                TlsConfig::read_roots(path).map_err(|problem| error("ca_file", path, problem))?;
        }
        if let Some((certificate, key)) = &self.client_certificate {
            let client_key = TlsConfig::read_client_key(certificate, key)
                .map_err(|(path, problem)| error("client_certificate", path, problem))?;
            tls.client_key = Some(Arc::new(client_key));
        }
        Ok(tls)
    }
}

impl Default for Network {
    fn default() -> Self {
        Self {
            http_proxy: None,
            https_proxy: None,
            ca_file: None,
            client_certificate: None,
            compression: Compression::default(),
            request_timeout: Duration::from_secs(30),
            keep_alive: false,
        }
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
) -> Option<Proxy> {
    let host = endpoint.host().unwrap_or_default();
    if is_loopback(host) {
        return None;
    }
    let exempt = NO_PROXY.iter().find_map(|variable| variable.text(&lookup));
    if exempt.is_some_and(|exempt| is_exempt(endpoint, &exempt)) {
        return None;
    }
    let for_https = FOR_HTTPS.iter().filter(|_| https);
    // In a CGI program a header of the request ends up in the one in capitals.
    let is_cgi = lookup("REQUEST_METHOD").is_some();
    let for_http = FOR_HTTP.iter().take(if is_cgi { 1 } else { 2 });
    for_https
        .chain(for_http)
        .find_map(|variable| variable.read(&lookup, |field, url| parse_proxy(field, &url)))
        .flatten()
}

/// Reads the URL of a proxy. An empty one stands for none.
fn parse_proxy(field: &'static str, url: &str) -> Result<Option<Proxy>, OptionsError> {
    if url.is_empty() {
        return Ok(None);
    }
    match Proxy::parse(url) {
        Some(proxy) => Ok(Some(proxy)),
        None => Err(OptionsError::secret(field, url, Kind::Proxy)),
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

static NO_PROXY: [Variable; 2] = [Variable::new("no_proxy"), Variable::new("NO_PROXY")];
static FOR_HTTP: [Variable; 2] = [Variable::new(HTTP_PROXY), Variable::new("HTTP_PROXY")];
static FOR_HTTPS: [Variable; 2] = [Variable::new(HTTPS_PROXY), Variable::new("HTTPS_PROXY")];

#[cfg(test)]
mod tests {
    use super::*;

    const HTTP: &str = "http://sentry.example/api/1/envelope/";
    const HTTPS: &str = "https://sentry.example/api/1/envelope/";

    impl Network {
        fn http_proxy(mut self, url: &str) -> Self {
            self.http_proxy = Some(ProxyUrl(url.to_owned()));
            self
        }

        fn https_proxy(mut self, url: &str) -> Self {
            self.https_proxy = Some(ProxyUrl(url.to_owned()));
            self
        }
    }

    /// The proxy for an endpoint, by the variables that are set.
    fn proxy(network: &Network, endpoint: &str, variables: &[(&str, &str)]) -> String {
        let lookup = |name: &str| {
            let (_, value) = variables.iter().find(|(variable, _)| *variable == name)?;
            Some(value.into())
        };
        match network.proxy(&endpoint.parse().unwrap(), lookup) {
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
        let network = Network::default();
        let http = network.clone().http_proxy("a:1");
        let https = network.clone().https_proxy("b:1");
        let both = http.clone().https_proxy("b:1");
        let none = http.clone().https_proxy("");
        let never = network.http_proxy("");
        for (network, for_http, for_https) in [
            (http, "http://a:1/", "http://a:1/"),
            (https, "none", "http://b:1/"),
            (both, "http://a:1/", "http://b:1/"),
            (none, "http://a:1/", "none"),
            (never, "none", "none"),
        ] {
            assert_eq!(proxy(&network, HTTP, &all), for_http, "{network:?}");
            assert_eq!(proxy(&network, HTTPS, &all), for_https, "{network:?}");
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
            let network = Network::default();
            assert_eq!(proxy(&network, HTTP, variables), for_http, "{variables:?}");
            assert_eq!(proxy(&network, HTTPS, variables), for_https);
        }
    }

    #[test]
    fn the_environment_is_not_for_this_machine() {
        let network = Network::default();
        for host in ["localhost", "LOCALHOST.", "127.0.0.1", "127.9.9.9", "[::1]"] {
            let endpoint = format!("http://{host}:9000/");
            let shown = proxy(&network, &endpoint, &[("http_proxy", "h:1")]);
            assert_eq!(shown, "none", "{host}");
            let set = network.clone().http_proxy("h:1");
            assert_eq!(proxy(&set, &endpoint, &[]), "http://h:1/");
        }
    }

    #[test]
    fn a_bad_proxy_is_named_without_its_password() {
        let error = Network::default()
            .http_proxy("http://u:s3cr@h:x")
            .validate()
            .unwrap_err();
        let message = r#"http_proxy = "http://***@h:x" is not the URL of an HTTP proxy"#;
        assert_eq!(error.to_string(), message);
        assert!(Network::default().https_proxy(" ").validate().is_err());
    }

    #[test]
    fn a_bad_proxy_in_the_environment_is_as_good_as_none() {
        let network = Network::default();
        for bad in ["socks5://u:s3cr@h:1", "http://h:x"] {
            let alone = [("HTTPS_PROXY", bad)];
            assert_eq!(proxy(&network, HTTPS, &alone), "none");
            let other = [("https_proxy", bad), ("HTTPS_PROXY", "good:1")];
            assert_eq!(proxy(&network, HTTPS, &other), "http://good:1/");
            let both = [("HTTPS_PROXY", bad), ("http_proxy", "h:1")];
            assert_eq!(proxy(&network, HTTPS, &both), "http://h:1/");
        }
    }

    #[test]
    fn nothing_shows_a_password() {
        let network = Network::default()
            .http_proxy("http://u:s3cr@h:1")
            .https_proxy("u:s3cr@h:1");
        let shown = format!("{network:?}");
        assert!(shown.contains("http://***@h:1"), "{shown}");
        assert!(!shown.contains("s3cr"), "{shown}");
    }
}
