//! What is nobody's business, where something is collected without the user having set it.
//!
//! The rules are those of Sentry's data scrubbing. What a user sets is never
//! looked at here.

use std::borrow::Cow;
use std::collections::BTreeMap;

use http::{HeaderMap, Request, Uri, header};
#[cfg(any(feature = "axum", test))]
use serde_json::Value;

use crate::protocol;

/// Whether what has this name is a secret: a header, a cookie or a part of a query.
pub(crate) fn is_secret(name: &str) -> bool {
    contains_any(name, &SECRETS)
}

/// Whether a header with this name tells who somebody is, and where from.
pub(crate) fn is_personal(name: &str) -> bool {
    contains_any(name, &PERSONAL)
}

/// A URL without what stands before the `@`.
pub(crate) fn without_user(url: &str) -> Cow<'_, str> {
    let begin = url.find("://").map_or(0, |at| at + 3);
    let authority = url[begin..]
        .split(['/', '?', '#'])
        .next()
        .unwrap_or_default();
    match authority.rfind('@') {
        None => Cow::Borrowed(url),
        Some(at) => {
            let (scheme, rest) = (&url[..begin], &url[begin + at..]);
            Cow::Owned(format!("{scheme}{FILTERED}:{FILTERED}{rest}"))
        }
    }
}

/// A query with the values of secrets replaced.
pub(crate) fn without_secrets(query: &str) -> Cow<'_, str> {
    let is_secret_pair = |pair: &str| {
        let name = pair.split('=').next().unwrap_or_default();
        let name = percent_encoding::percent_decode_str(name).decode_utf8_lossy();
        is_secret(&name)
    };
    if !query.split('&').any(is_secret_pair) {
        return Cow::Borrowed(query);
    }
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) if is_secret_pair(pair) => Cow::Owned(format!("{name}={FILTERED}")),
        _ => Cow::Borrowed(pair),
    });
    Cow::Owned(pairs.collect::<Vec<_>>().join("&"))
}

/// A JSON text with the values of secrets replaced, `None` if it is no JSON.
#[cfg(any(feature = "axum", test))]
pub(crate) fn json_without_secrets(text: &str) -> Option<String> {
    fn hide(value: &mut Value) {
        match value {
            Value::Object(map) => map.iter_mut().for_each(|(name, value)| match value {
                _ if is_secret(name) => *value = FILTERED.into(),
                value => hide(value),
            }),
            Value::Array(list) => list.iter_mut().for_each(hide),
            _ => {}
        }
    }
    let mut value = serde_json::from_str(text).ok()?;
    hide(&mut value);
    Some(value.to_string())
}

/// The headers that may be told. `personal` is for those that tell who somebody is.
pub(crate) fn headers<'a>(
    headers: impl Iterator<Item = (&'a str, &'a str)>,
    personal: bool,
) -> BTreeMap<String, String> {
    let mut told: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in headers.filter(|(name, _)| !is_cookie(name)) {
        let hidden = is_secret(name) || !personal && is_personal(name);
        match told.get_mut(name) {
            _ if hidden => drop(told.insert(name.to_owned(), FILTERED.to_owned())),
            None => drop(told.insert(name.to_owned(), value.to_owned())),
            Some(values) => {
                values.push_str(", ");
                values.push_str(value);
            }
        }
    }
    told
}

/// The cookies of a request with the values of secrets replaced. All of them are personal.
pub(crate) fn cookies<'a>(
    headers: impl Iterator<Item = (&'a str, &'a str)>,
    personal: bool,
) -> BTreeMap<String, String> {
    let cookies = headers.filter(|(name, _)| personal && name.eq_ignore_ascii_case("cookie"));
    let pairs = cookies.flat_map(|(_, value)| value.split(';'));
    let pairs = pairs.filter_map(|pair| pair.trim().split_once('='));
    pairs
        .map(|(name, value)| {
            let value = if is_secret(name) { FILTERED } else { value };
            (name.to_owned(), value.to_owned())
        })
        .collect()
}

/// What may be told of a request that came in. `personal` is for what tells who somebody is.
pub(crate) fn request<B>(request: &Request<B>, personal: bool) -> protocol::Request {
    let headers = request.headers().iter();
    let headers: Vec<_> = headers
        .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes())))
        .collect();
    let told = headers.iter().map(|(name, value)| (*name, value.as_ref()));
    protocol::Request {
        method: Some(request.method().to_string()),
        url: Some(url(request.uri(), request.headers())),
        query_string: request
            .uri()
            .query()
            .map(|query| without_secrets(query).into_owned()),
        cookies: cookies(told.clone(), personal),
        headers: self::headers(told, personal),
        data: None,
    }
}

/// The URL of a request without its query, with the host that its headers name.
fn url(uri: &Uri, headers: &HeaderMap) -> String {
    let host = uri.host().map(|host| match uri.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    });
    let named = || headers.get(header::HOST)?.to_str().ok().map(str::to_owned);
    match host.or_else(named) {
        Some(host) => {
            let scheme = uri.scheme_str().unwrap_or("http");
            without_user(&format!("{scheme}://{host}{}", uri.path())).into_owned()
        }
        None => uri.path().to_owned(),
    }
}

/// Tells about a request what may be told of anybody: no cookies, no addresses, no secrets.
///
/// The values of headers and of parts of the query whose names say that they are secret, and of
/// headers that tell who somebody is, are replaced by `[Filtered]`.
///
/// ```
/// let request = http::Request::get("https://shop.example/items?page=2&token=x1")
///     .header("authorization", "Bearer x2")
///     .header("x-forwarded-for", "203.0.113.7")
///     .header("accept", "text/html")
///     .body(())
///     .unwrap();
/// let told = taskspan::Request::from(&request);
/// assert_eq!(told.url.as_deref(), Some("https://shop.example/items"));
/// assert_eq!(told.query_string.as_deref(), Some("page=2&token=[Filtered]"));
/// assert_eq!(told.headers["authorization"], "[Filtered]");
/// assert_eq!(told.headers["x-forwarded-for"], "[Filtered]");
/// assert_eq!(told.headers["accept"], "text/html");
/// ```
impl<B> From<&Request<B>> for protocol::Request {
    fn from(request: &Request<B>) -> Self {
        self::request(request, false)
    }
}

/// Cookies are told apart, one by one.
fn is_cookie(name: &str) -> bool {
    name.eq_ignore_ascii_case("cookie") || name.eq_ignore_ascii_case("set-cookie")
}

/// Whether a name contains one of these lower-case words, in whatever case.
fn contains_any(name: &str, words: &[&str]) -> bool {
    let name = name.as_bytes();
    words.iter().any(|word| {
        let mut windows = name.windows(word.len());
        windows.any(|window| window.eq_ignore_ascii_case(word.as_bytes()))
    })
}

/// What stands in the place of a value that is not told.
pub(crate) const FILTERED: &str = "[Filtered]";

/// Parts of names of what must never be told.
const SECRETS: [&str; 17] = [
    "auth",
    "token",
    "secret",
    "password",
    "passwd",
    "pwd",
    "key",
    "jwt",
    "bearer",
    "sso",
    "saml",
    "csrf",
    "xsrf",
    "credentials",
    "session",
    "sid",
    "identity",
];

/// Parts of names of headers that tell who somebody is.
const PERSONAL: [&str; 5] = ["forwarded", "-ip", "remote-", "via", "-user"];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn secrets_are_known_by_parts_of_their_names() {
        for word in SECRETS {
            for name in [word.to_owned(), word.to_uppercase(), format!("x-{word}-y")] {
                assert!(is_secret(&name), "{name}");
            }
        }
        for name in ["", "accept", "content-type", "page", "x-request-id", "aut"] {
            assert!(!is_secret(name), "{name}");
        }
        for name in [
            "X-Forwarded-For",
            "x-real-ip",
            "Remote-Addr",
            "Via",
            "x-user",
        ] {
            assert!(is_personal(name) && !is_secret(name), "{name}");
        }
    }

    #[test]
    fn the_user_of_a_url_is_not_told() {
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
            ("/a@b", "/a@b"),
            ("", ""),
        ];
        for (url, told) in table {
            assert_eq!(without_user(url), told);
        }
    }

    #[test]
    fn values_of_secrets_in_queries_are_not_told() {
        let table = [
            ("", ""),
            ("a=1&b", "a=1&b"),
            ("a=1&API_KEY=x&b=2", "a=1&API_KEY=[Filtered]&b=2"),
            ("pass%77ord=x", "pass%77ord=[Filtered]"),
            ("token", "token"),
            ("token=a=b&&x=", "token=[Filtered]&&x="),
        ];
        for (query, told) in table {
            assert_eq!(without_secrets(query), told);
        }
    }

    #[test]
    fn values_of_secrets_in_json_are_not_told() {
        let table = [
            ("{", None),
            ("[1,\"a\"]", Some("[1,\"a\"]")),
            (
                r#"{"user":{"password":"x","name":"n"},"list":[{"apiKey":[1]}]}"#,
                Some(
                    r#"{"list":[{"apiKey":"[Filtered]"}],"user":{"name":"n","password":"[Filtered]"}}"#,
                ),
            ),
        ];
        for (text, told) in table {
            assert_eq!(json_without_secrets(text).as_deref(), told);
        }
    }

    #[test]
    fn a_request_is_told_as_far_as_it_may_be() {
        let incoming = || {
            Request::post("/items?sid=1&page=2")
                .header("host", "u@shop.example:8080")
                .header("accept", "text/html")
                .header("accept", "text/plain")
                .header("x-api-key", "hidden")
                .header("x-real-ip", "203.0.113.7")
                .header("cookie", "theme=dark; session_id=hidden")
                .header("cookie", "csrftoken=hidden;lang=de; broken")
                .body("hidden")
                .unwrap()
        };
        let told = request(&incoming(), true);
        assert_eq!(told.method.as_deref(), Some("POST"));
        let url = "http://[Filtered]:[Filtered]@shop.example:8080/items";
        assert_eq!(told.url.as_deref(), Some(url));
        assert_eq!(told.query_string.as_deref(), Some("sid=[Filtered]&page=2"));
        let cookies: Vec<_> = told
            .cookies
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        let expected = [
            ("csrftoken", FILTERED),
            ("lang", "de"),
            ("session_id", FILTERED),
            ("theme", "dark"),
        ];
        assert_eq!(cookies, expected);
        assert_eq!(told.headers["accept"], "text/html, text/plain");
        assert_eq!(told.headers["x-api-key"], FILTERED);
        assert_eq!(told.headers["x-real-ip"], "203.0.113.7");
        assert_eq!(told.headers.get("cookie"), None);

        let told = request(&incoming(), false);
        assert!(told.cookies.is_empty());
        assert_eq!(told.headers["x-real-ip"], FILTERED);
        let text = serde_json::to_string(&told).unwrap();
        assert!(!text.contains("hidden"), "{text}");
    }

    proptest! {
        #[test]
        fn nothing_secret_is_left(name in "[a-z]{0,3}(token|KEY|Session)[a-z]{0,3}", value in "[a-z0-9]{24}") {
            let query = format!("a=1&{name}={value}&b=2");
            prop_assert!(!without_secrets(&query).contains(&value));
            let url = format!("https://{value}:{value}@shop.example/");
            prop_assert!(!without_user(&url).contains(&value));
        }

        #[test]
        fn whatever_comes_in_can_be_looked_at(text in "(?s).{0,100}") {
            without_user(&text);
            without_secrets(&text);
        }
    }
}
