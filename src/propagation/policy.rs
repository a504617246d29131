//! Whose traces are continued, and who is told of ours.

use std::sync::Arc;

use crate::pattern::Pattern;
use crate::protocol::{Dsn, DynamicSamplingContext};

/// What the options say of traces that come in and go out.
#[derive(Debug, Default)]
pub(crate) struct Policy {
    /// `None`: everywhere.
    pub(crate) targets: Option<Vec<Pattern>>,
    /// Where the client's own requests go.
    pub(crate) own_host: Option<(String, u16)>,
    pub(crate) org_id: Option<Arc<str>>,
    pub(crate) strict: bool,
    pub(crate) propagate_traceparent: bool,
    pub(crate) accept_traceparent: bool,
}

impl Policy {
    /// Whether a trace may be continued about which its head says this.
    pub(super) fn lets_continue(&self, incoming: Option<&DynamicSamplingContext>) -> bool {
        let theirs = incoming.and_then(|context| context.get("org_id"));
        // What is not a number is no organisation.
        let theirs = theirs.filter(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()));
        match (theirs.as_deref(), self.org_id.as_deref()) {
            (Some(theirs), Some(ours)) => theirs == ours,
            (None, None) => true,
            _ => !self.strict,
        }
    }

    /// Whether a request to this URL is told of the trace.
    pub(crate) fn lets_propagate_to(&self, url: &str) -> bool {
        let is_target = match &self.targets {
            None => true,
            Some(targets) => targets.iter().any(|target| target.is_found_in(url)),
        };
        is_target && !self.is_own_host(url)
    }

    fn is_own_host(&self, url: &str) -> bool {
        let Some((own_host, own_port)) = &self.own_host else {
            return false;
        };
        host_of(url).is_some_and(|(host, port)| {
            port == Some(*own_port) && host.eq_ignore_ascii_case(own_host)
        })
    }
}

impl Policy {
    /// Where requests for a project go.
    pub(crate) fn host_of(dsn: &Dsn) -> Option<(String, u16)> {
        let url = dsn.envelope_url().to_string();
        let (host, port) = host_of(&url)?;
        Some((host.to_owned(), port?))
    }
}

/// The host of a URL and its port, where one is named or follows from the protocol.
pub(crate) fn host_of(url: &str) -> Option<(&str, Option<u16>)> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#', '\\']).next()?;
    let (_, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    // The colons of an IPv6 address stand in brackets.
    let port_at = host.rfind(':').filter(|at| !host[*at..].contains(']'));
    match port_at {
        Some(at) if at + 1 < host.len() => Some((&host[..at], host[at + 1..].parse().ok())),
        at => {
            let default = match scheme {
                _ if scheme.eq_ignore_ascii_case("https") => Some(443),
                _ if scheme.eq_ignore_ascii_case("http") => Some(80),
                _ => None,
            };
            Some((&host[..at.unwrap_or(host.len())], default))
        }
    }
}

/// A host as attributes have it: the brackets of an IPv6 address belong to the URL.
#[cfg(any(
    feature = "_http-client",
    feature = "_http-server",
    feature = "redis",
    feature = "sqlx",
))]
pub(crate) fn without_brackets(host: &str) -> &str {
    let inside = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    inside.unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_of_other_organisations_are_not_continued() {
        // theirs, ours, whether it goes on leniently, whether strictly
        let table = [
            (Some("17"), Some("17"), true, true),
            (None, Some("17"), true, false),
            (Some("17"), None, true, false),
            (None, None, true, true),
            (Some("17"), Some("18"), false, false),
            // Unreadable is as good as absent.
            (Some("o17"), Some("17"), true, false),
            (Some("o17"), None, true, true),
        ];
        for (theirs, ours, lenient, strict) in table {
            let mut context = DynamicSamplingContext::default();
            if let Some(theirs) = theirs {
                context.insert("org_id", theirs);
            }
            for (strict, expected) in [(false, lenient), (true, strict)] {
                let policy = Policy {
                    org_id: ours.map(Arc::from),
                    strict,
                    ..Policy::default()
                };
                let continued = policy.lets_continue(Some(&context));
                assert_eq!(continued, expected, "{theirs:?} {ours:?} strict {strict}");
            }
        }
    }

    #[test]
    fn only_targets_are_told_and_never_the_own_host() {
        let regex = |text| Pattern::from(regex::Regex::new(text).unwrap());
        type Targets = Option<Vec<Pattern>>;
        let table: [(Targets, &str, bool); 16] = [
            (None, "https://api.example/items?id=1", true),
            (None, "api.example", true),
            (Some(vec![]), "https://api.example/items", false),
            (
                Some(vec!["example/items".into()]),
                "https://api.example/items?id=1",
                true,
            ),
            (
                Some(vec!["?id=1".into()]),
                "https://api.example/items?id=1",
                true,
            ),
            (
                Some(vec!["Example".into()]),
                "https://api.example/items",
                false,
            ),
            (
                Some(vec!["other".into(), "items".into()]),
                "https://api.example/items",
                true,
            ),
            (
                Some(vec![regex("^https://[a-z]+[.]example/")]),
                "https://api.example/items",
                true,
            ),
            (
                Some(vec![regex("^https://[a-z]+[.]example/$")]),
                "https://api.example/items",
                false,
            ),
            (None, "https://o17.ingest.sentry.io/api/1/envelope/", false),
            (None, "https://O17.ingest.sentry.io:443", false),
            (None, "https://user:password@o17.ingest.sentry.io?x", false),
            (None, "https://o17.ingest.sentry.io:8443/", true),
            (None, "http://o17.ingest.sentry.io/", true),
            (None, "https://o17.ingest.sentry.io.example/", true),
            (
                None,
                "https://example/?to=https://o17.ingest.sentry.io/",
                true,
            ),
        ];
        for (targets, url, expected) in table {
            let policy = Policy {
                own_host: Some(("o17.ingest.sentry.io".into(), 443)),
                targets,
                ..Policy::default()
            };
            assert_eq!(policy.lets_propagate_to(url), expected, "{policy:?} {url}");
        }
    }

    #[test]
    fn the_host_of_a_dsn_is_known_with_its_port() {
        let table = [
            (
                "https://k@o17.ingest.de.sentry.io/4501",
                ("o17.ingest.de.sentry.io", 443),
            ),
            ("http://k@127.0.0.1:9000/3", ("127.0.0.1", 9000)),
            ("http://k@[::1]/3", ("[::1]", 80)),
            ("http://k@[::1]:9000/mount/3", ("[::1]", 9000)),
        ];
        for (dsn, (host, port)) in table {
            let found = Policy::host_of(&dsn.parse().unwrap());
            assert_eq!(found, Some((host.to_owned(), port)), "{dsn}");
        }
    }
}
