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
    let port = url.port_u16().or_else(|| match url.scheme_str()? {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    });
    // The matcher knows hosts only.
    let entries = no_proxy.split(',').map(str::trim);
    let hosts: Vec<_> = entries
        .filter_map(|entry| host_for_port(entry, port))
        .collect();
    let matcher = Matcher::builder().all("http://proxy");
    let matcher = matcher.no(hosts.join(",")).build();
    matcher.intercept(url).is_none()
}

/// The host of an entry of `NO_PROXY`, `None` if the entry is for another port.
fn host_for_port(entry: &str, port: Option<u16>) -> Option<&str> {
    let (host, digits) = match entry.rsplit_once(':') {
        // What has more colons and no brackets is an address without a port.
        Some((host, digits)) if !host.contains(':') || host.ends_with(']') => (host, Some(digits)),
        _ => (entry, None),
    };
    let is_for_port = digits.is_none_or(|digits| digits.parse().ok() == port && port.is_some());
    let host = host.strip_prefix('[').unwrap_or(host);
    is_for_port.then(|| host.strip_suffix(']').unwrap_or(host))
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
    fn a_host_is_exempt_for_one_port_or_for_all() {
        for (no_proxy, url, exempt) in [
            ("a.example:9000", "http://a.example:9000/", true),
            ("a.example:9000", "http://b.a.example:9000/", true),
            ("a.example:9000", "http://a.example:9001/", false),
            ("a.example:80", "http://a.example/", true),
            ("a.example:443, x", "https://a.example/", true),
            ("a.example:443", "http://a.example/", false),
            (".a.example:443", "https://b.a.example/", true),
            ("a.example:", "http://a.example/", false),
            ("a.example:port", "http://a.example/", false),
            ("a.example", "http://a.example:9000/", true),
            ("10.0.0.1:80", "http://10.0.0.1/", true),
            ("10.0.0.0/8", "http://10.0.0.1:8080/", true),
            ("[2001:db8::1]:9000", "http://[2001:db8::1]:9000/", true),
            ("[2001:db8::1]:9000", "http://[2001:db8::1]/", false),
            ("[2001:db8::1]", "http://[2001:db8::1]:9000/", true),
            ("2001:db8::1", "http://[2001:db8::1]:9000/", true),
            ("*", "http://a.example:9000/", true),
            ("", "http://a.example/", false),
        ] {
            let uri = url.parse().unwrap();
            assert_eq!(is_exempt(&uri, no_proxy), exempt, "{no_proxy} {url}");
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
