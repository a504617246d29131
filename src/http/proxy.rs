//! The proxy that requests go through.

use http::uri::Scheme;
use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::Matcher;

/// Where a proxy is, and what it wants to be told.
#[derive(Clone)]
pub(crate) struct Proxy {
    /// Without user and password.
    uri: Uri,
    /// The value of `Proxy-Authorization`, marked as sensitive.
    authorization: Option<HeaderValue>,
}

impl Proxy {
    /// Reads a URL, whose protocol is `http` where it names none.
    ///
    /// `None`: it is not one of a proxy that can be used.
    pub(crate) fn parse(url: &str) -> Option<Self> {
        let authority = url.parse::<Uri>().ok()?.into_parts().authority?;
        let text = authority.as_str();
        let (user, address) = text.rsplit_once('@').unwrap_or(("", text));
        // What reads the URL below takes the first `@` for the end of the user, and
        // leaves out a port that is no number.
        let port_is_valid = authority.port_u16().is_some_and(|port| port > 0);
        let is_valid = !user.contains('@') && (port_is_valid || !has_port(address));
        if !is_valid || authority.host().is_empty() {
            return None;
        }
        let matcher = Matcher::builder().all(url).build();
        let intercept = matcher.intercept(&Uri::from_static("http://host"))?;
        let uri = intercept.uri().clone();
        let usable = [Some(&Scheme::HTTP), Some(&Scheme::HTTPS)].contains(&uri.scheme());
        usable.then(|| Self {
            uri,
            authorization: intercept.basic_auth().cloned(),
        })
    }

    pub(crate) fn uri(&self) -> &Uri {
        &self.uri
    }

    pub(crate) fn authorization(&self) -> Option<&HeaderValue> {
        self.authorization.as_ref()
    }

    /// Whether one speaks TLS with the proxy itself.
    pub(crate) fn is_https(&self) -> bool {
        self.uri.scheme() == Some(&Scheme::HTTPS)
    }
}

/// Whether the value of `NO_PROXY` has the host of a URL in it.
pub(crate) fn is_exempt(url: &Uri, no_proxy: &str) -> bool {
    let matcher = Matcher::builder().all("http://proxy").no(no_proxy).build();
    matcher.intercept(url).is_none()
}

/// Whether a port follows the host, be it a valid one or not.
fn has_port(address: &str) -> bool {
    let (_, after_brackets) = address.rsplit_once(']').unwrap_or(("", address));
    after_brackets.contains(':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_proxies_are_read() {
        for (url, uri, authorization) in [
            ("http://proxy:3128", "http://proxy:3128/", None),
            ("http://proxy:3128/", "http://proxy:3128/", None),
            ("https://proxy", "https://proxy/", None),
            ("proxy:3128", "http://proxy:3128/", None),
            ("http://[::1]:3128", "http://[::1]:3128/", None),
            ("http://[::1]", "http://[::1]/", None),
            // `Aladdin:open sesame`, `u:` and `ü:p@:` in Base64.
            (
                "http://Aladdin:open%20sesame@proxy:1",
                "http://proxy:1/",
                Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
            ),
            ("http://u@proxy:1", "http://proxy:1/", Some("Basic dTo=")),
            (
                "http://%C3%BC:p%40%3A@proxy:1",
                "http://proxy:1/",
                Some("Basic w7w6cEA6"),
            ),
        ] {
            let proxy = Proxy::parse(url).unwrap_or_else(|| panic!("{url}"));
            assert_eq!(proxy.uri().to_string(), uri);
            let value = proxy.authorization().map(|value| value.to_str().unwrap());
            assert_eq!(value, authorization, "{url}");
            assert!(proxy.authorization().is_none_or(HeaderValue::is_sensitive));
        }
    }

    #[test]
    fn what_is_no_proxy_is_refused() {
        for url in [
            "",
            " ",
            "/",
            "http://",
            "http://:3128",
            "http://u:p@",
            "http://proxy:port",
            "http://proxy:65536",
            "http://proxy:0",
            "http://proxy:",
            "http://a@b@proxy:1",
            "http://pro xy:1",
            "ftp://proxy:1",
            "socks5://proxy:1",
            "socks5h://u:p@proxy:1",
        ] {
            assert!(Proxy::parse(url).is_none(), "{url:?}");
        }
    }

    #[test]
    fn hosts_are_exempt_by_name_address_and_network() {
        for (no_proxy, host, exempt) in [
            ("", "sentry.io", false),
            ("*", "sentry.io", true),
            ("sentry.io", "o1.ingest.sentry.io", true),
            (".sentry.io", "sentry.io", true),
            ("example.com, sentry.io", "sentry.io", true),
            ("entry.io", "sentry.io", false),
            ("10.0.0.0/8", "10.1.2.3", true),
            ("10.0.0.0/8", "11.1.2.3", false),
            ("::1", "[::1]", true),
        ] {
            for protocol in ["http", "https"] {
                let url = format!("{protocol}://{host}:9000/api").parse().unwrap();
                assert_eq!(is_exempt(&url, no_proxy), exempt, "{no_proxy} {url}");
            }
        }
    }
}
