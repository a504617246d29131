//! Who may send: programs on this machine, and the pages of its browser that are allowed to.
//!
//! A web page can make a browser send requests to loopback addresses, either by their address, in
//! which case `Origin` names the page, or by a name of its own that it resolves to a loopback
//! address (DNS rebinding), in which case `Host` is that name.

use std::net::IpAddr;

use http::header::{HOST, HeaderValue, ORIGIN};
use http::request::Parts;
use http::uri::Authority;
use http::{StatusCode, Uri};

use super::refusal::Refusal;

/// The hosts and origins that are allowed in addition to those of this machine.
#[derive(Clone, Debug, Default)]
pub(super) struct Access {
    hosts: Vec<String>,
    /// Origins such as `https://shop.test:8443`, and names of hosts such as `shop.test`.
    origins: Vec<String>,
}

impl Access {
    pub(super) fn allow_host(&mut self, host: &str) {
        self.hosts.push(host.to_ascii_lowercase());
    }

    pub(super) fn allow_origin(&mut self, origin: &str) {
        let origin = origin.trim_end_matches('/').to_ascii_lowercase();
        self.origins.push(origin);
    }

    /// Checks that a request is for a host of this machine, and returns its allowed origin.
    pub(super) fn check<'a>(&self, head: &'a Parts) -> Result<Option<&'a HeaderValue>, Refusal> {
        let forbidden = |reason| Err(Refusal::new(StatusCode::FORBIDDEN, reason));
        let is_allowed = |value: &HeaderValue| match Authority::try_from(value.as_bytes()) {
            Ok(host) => self.is_host_allowed(&host),
            Err(_) => false,
        };
        // HTTP/2 has the first in place of the second.
        let authority = head.uri.authority();
        if !authority.is_none_or(|host| self.is_host_allowed(host))
            || !head.headers.get_all(HOST).iter().all(is_allowed)
        {
            return forbidden(
                "the Host is no name of this machine: see ReceiverBuilder::allow_host",
            );
        }
        let mut origins = head.headers.get_all(ORIGIN).iter();
        let origin = origins.next();
        if origins.next().is_some() || !origin.is_none_or(|origin| self.is_origin_allowed(origin)) {
            return forbidden("the Origin may not send here: see ReceiverBuilder::allow_origin");
        }
        Ok(origin)
    }

    fn is_host_allowed(&self, host: &Authority) -> bool {
        let host = host.host().to_ascii_lowercase();
        is_this_machine(&host) || self.hosts.contains(&host)
    }

    fn is_origin_allowed(&self, origin: &HeaderValue) -> bool {
        let Ok(origin) = origin.to_str() else {
            return false;
        };
        let origin = origin.to_ascii_lowercase();
        if self.origins.contains(&origin) {
            return true;
        }
        // Others than these are `null`, and those of files and of extensions.
        let Ok(uri) = origin.parse::<Uri>() else {
            return false;
        };
        let (Some("http" | "https"), Some(host)) = (uri.scheme_str(), uri.host()) else {
            return false;
        };
        let is_of = |name: &String| {
            let before = host.strip_suffix(name.as_str());
            before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
        };
        is_this_machine(host) || self.origins.iter().any(is_of)
    }
}

/// Whether a host in lower case is this machine: a loopback address, `0.0.0.0` and `[::]`, which
/// systems connect to themselves, or `localhost` and names below it.
fn is_this_machine(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let address = host.trim_start_matches('[').trim_end_matches(']');
    match address.parse::<IpAddr>() {
        Ok(address) => {
            let address = address.to_canonical();
            address.is_loopback() || address.is_unspecified()
        }
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn check(access: &Access, uri: &str, headers: &[(&str, &str)]) -> bool {
        let mut request = Request::post(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        let checked = access.check(&head);
        let refused = checked.as_ref().err().map(|refusal| refusal.status);
        assert!(refused.is_none_or(|status| status == StatusCode::FORBIDDEN));
        checked.is_ok()
    }

    #[test]
    fn hosts_are_names_of_this_machine() {
        let mut access = Access::default();
        access.allow_host("host.docker.Internal");
        for (host, allowed) in [
            ("localhost", true),
            ("LocalHost:8969", true),
            ("shop.localhost:1", true),
            ("localhost.", true),
            ("127.0.0.1:8969", true),
            ("127.9.9.9", true),
            ("[::1]:8969", true),
            ("[::ffff:127.0.0.1]", true),
            ("Host.docker.internal:8969", true),
            ("evil.example", false),
            ("evil.example:8969", false),
            ("localhost.evil.example", false),
            ("notlocalhost", false),
            ("127.0.0.1.evil.example", false),
            ("192.0.2.1", false),
            ("0.0.0.0:8969", true),
            ("[::]", true),
            ("internal", false),
            ("", false),
            ("a b", false),
        ] {
            assert_eq!(check(&access, "/", &[("host", host)]), allowed, "{host}");
            if host.parse::<Authority>().is_ok() {
                let uri = format!("http://{host}/");
                assert_eq!(check(&access, &uri, &[]), allowed, "{uri}");
                let both = check(&access, &uri, &[("host", "localhost")]);
                assert_eq!(both, allowed, "{uri}");
            }
        }
        assert!(check(&access, "/", &[]));
        let two = [("host", "localhost"), ("host", "evil.example")];
        assert!(!check(&access, "/", &two));
    }

    #[test]
    fn origins_are_of_this_machine_or_allowed() {
        let mut access = Access::default();
        access.allow_origin("https://Shop.test:8443/");
        access.allow_origin("ngrok.example");
        for (origin, allowed) in [
            ("http://localhost:5173", true),
            ("https://app.localhost", true),
            ("http://127.0.0.1:3000", true),
            ("http://[::1]:3000", true),
            ("https://shop.test:8443", true),
            ("https://ngrok.example", true),
            ("http://a.b.ngrok.example:81", true),
            ("https://shop.test", false),
            ("http://shop.test:8443", false),
            ("https://a.shop.test:8443", false),
            ("https://evilngrok.example", false),
            ("https://ngrok.example.evil", false),
            ("https://evil.example", false),
            ("http://localhost.evil.example", false),
            ("chrome-extension://localhost", false),
            ("null", false),
            ("localhost", false),
            ("", false),
        ] {
            let headers = [("host", "localhost"), ("origin", origin)];
            assert_eq!(check(&access, "/", &headers), allowed, "{origin}");
        }
        access.allow_origin("null");
        assert!(check(&access, "/", &[("origin", "null")]));
        let two = [("origin", "null"), ("origin", "http://localhost")];
        assert!(!check(&access, "/", &two));
    }
}
