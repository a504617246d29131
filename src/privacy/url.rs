//! URLs.

use std::borrow::Cow;

use http::uri::Authority;

use super::FILTERED;
use super::query::{is_secret_in_url, query_at};

/// A URL without its user and without the values of secrets in its path, query and fragment.
///
/// It may be absolute, begin with the host, or be only a path.
pub(crate) fn url(url: &str) -> Cow<'_, str> {
    url_at(url, 0, Host::Maybe)
}

/// The path of a URL without the values of secrets, as in `/items;jsessionid=1`.
pub(crate) fn path(path: &str) -> Cow<'_, str> {
    if !path.contains(';') {
        return Cow::Borrowed(path);
    }
    let segments = path.split('/').map(|segment| {
        let parameters = segment.split(';').map(|part| match part.split_once('=') {
            Some((name, _)) if is_secret_in_url(name) => Cow::Owned(format!("{name}={FILTERED}")),
            _ => Cow::Borrowed(part),
        });
        parameters.collect::<Vec<_>>().join(";")
    });
    Cow::Owned(segments.collect::<Vec<_>>().join("/"))
}

/// The URL that a server was asked for, without its query.
///
/// `path` is `*` in requests about the server as a whole, which have a URL without a path. If no
/// URL can be made of it, the path is what is left.
pub(crate) fn request_url(scheme: &str, authority: &str, path: &str) -> String {
    let path = if path == "*" { "" } else { path };
    let is_valid = !authority.is_empty() && authority.parse::<Authority>().is_ok();
    match is_valid {
        true => url(&format!("{scheme}://{authority}{path}")).into_owned(),
        false => self::path(path).into_owned(),
    }
}

/// Whether a URL without a scheme begins with a host.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Host {
    Maybe,
    Never,
}

/// `depth` counts the URLs around it.
pub(super) fn url_at(url: &str, depth: usize, host: Host) -> Cow<'_, str> {
    let path_end = url.find(['?', '#']).unwrap_or(url.len());
    let mut told = String::new();
    let mut rest = &url[..path_end];
    let mut starts_with_host = host == Host::Maybe && !rest.contains("://");
    if starts_with_host && let Some(after) = rest.strip_prefix("//") {
        told.push_str("//");
        rest = after;
    }
    // One that is absolute, and others that its path may hold.
    loop {
        if starts_with_host {
            let end = rest.find(['/', '\\']).unwrap_or(rest.len());
            told.push_str(&authority(&rest[..end]));
            rest = &rest[end..];
        }
        let Some(at) = rest.find("://") else { break };
        told.push_str(&path(&rest[..at]));
        told.push_str("://");
        rest = &rest[at + 3..];
        starts_with_host = true;
    }
    told.push_str(&path(rest));
    let mut rest = &url[path_end..];
    while let Some(mark) = rest.chars().next() {
        // Further question marks are part of the query, but what is behind them may be another.
        let end = rest[1..].find(['?', '#']).map_or(rest.len(), |at| at + 1);
        told.push(mark);
        told.push_str(&query_at(&rest[1..end], depth));
        rest = &rest[end..];
    }
    match told == url {
        true => Cow::Borrowed(url),
        false => Cow::Owned(told),
    }
}

/// Host and port without the user before them.
pub(super) fn authority(authority: &str) -> Cow<'_, str> {
    match authority.rfind('@') {
        None => Cow::Borrowed(authority),
        Some(at) => Cow::Owned(format!("{FILTERED}:{FILTERED}{}", &authority[at..])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_secrets_are_removed() {
        let table = [
            ("https://shop.example/a?b#c", "https://shop.example/a?b#c"),
            (
                "https://u:p@shop.example/a",
                "https://[Filtered]:[Filtered]@shop.example/a",
            ),
            (
                "https://u@shop.example:1",
                "https://[Filtered]:[Filtered]@shop.example:1",
            ),
            (
                "https://a@b@shop.example",
                "https://[Filtered]:[Filtered]@shop.example",
            ),
            ("https://shop.example/@a?x@y", "https://shop.example/@a?x@y"),
            ("u:p@shop.example/a", "[Filtered]:[Filtered]@shop.example/a"),
            ("//u:p@h/a", "//[Filtered]:[Filtered]@h/a"),
            ("/a@b", "/a@b"),
            ("", ""),
            ("/x?token=S", "/x?token=[Filtered]"),
            ("/x?a=1?token=S", "/x?a=1?token=[Filtered]"),
            ("/x#access_token=S&b=1", "/x#access_token=[Filtered]&b=1"),
            (
                "/a;jsessionid=S;v=1/b?c",
                "/a;jsessionid=[Filtered];v=1/b?c",
            ),
            (
                "/x?next=https://u:p@h/",
                "/x?next=https://[Filtered]:[Filtered]@h/",
            ),
        ];
        for (text, told) in table {
            assert_eq!(url(text), told);
            assert_eq!(url(told), told);
        }
    }

    #[test]
    fn the_url_of_a_request_parses_or_is_a_path() {
        let table = [
            (("h:1", "/a"), "http://h:1/a"),
            (("u:p@h", "/a"), "http://[Filtered]:[Filtered]@h/a"),
            (("127.0.0.1", "*"), "http://127.0.0.1"),
            (("[::1]:1", "/"), "http://[::1]:1/"),
            (("", "/a"), "/a"),
            (("", "*"), ""),
            (("a b", "/a"), "/a"),
            (("h/x?token=S", "/a"), "/a"),
        ];
        for ((authority, path), expected) in table {
            assert_eq!(request_url("http", authority, path), expected);
        }
    }
}
