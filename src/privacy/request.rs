//! What is recorded of a request.

use std::borrow::Cow;
use std::collections::BTreeMap;

use http::{HeaderMap, Request, Uri, header};

use super::query::value;
use super::{FILTERED, is_personal, is_secret, known_method, query, request_url, text, url};
use crate::protocol;

/// The headers without secrets and cookies. `personal` is whether those that identify people are
/// sent.
pub(crate) fn headers<'a>(
    headers: impl Iterator<Item = (&'a str, &'a str)>,
    personal: bool,
) -> BTreeMap<String, String> {
    let mut told: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in headers.filter(|(name, _)| !is_cookie(name)) {
        let value = header_value(name, value, personal);
        match told.get_mut(name) {
            Some(values) if values != FILTERED => {
                values.push_str(", ");
                values.push_str(&value);
            }
            Some(_) => {}
            None => drop(told.insert(name.to_owned(), value.into_owned())),
        }
    }
    told
}

/// The value of a header without secrets.
pub(super) fn header_value<'a>(name: &str, value: &'a str, personal: bool) -> Cow<'a, str> {
    let is = |names: &[&str]| names.iter().any(|one| one.eq_ignore_ascii_case(name));
    let lower = || name.to_ascii_lowercase();
    if is_secret(name) || lower().contains("cookie") || !personal && is_personal(name) {
        return Cow::Borrowed(FILTERED);
    }
    let is_url = is(&[
        "referer",
        "referrer",
        "origin",
        "location",
        "destination",
        "host",
    ]) || ["url", "uri", "-path", "-host", "-location"]
        .iter()
        .any(|part| lower().contains(part));
    if !is_url {
        return text(value);
    }
    match url(value) {
        Cow::Borrowed(value) => text(value),
        Cow::Owned(value) => Cow::Owned(text(&value).into_owned()),
    }
}

/// The cookies of a request without the values of secrets. All of them identify people.
pub(crate) fn cookies<'a>(
    headers: impl Iterator<Item = (&'a str, &'a str)>,
    personal: bool,
) -> BTreeMap<String, String> {
    let cookies = headers.filter(|(name, _)| personal && name.eq_ignore_ascii_case("cookie"));
    let pairs = cookies.flat_map(|(_, value)| value.split(';'));
    let pairs = pairs.filter_map(|pair| pair.split_once('='));
    let pairs = pairs.map(|(name, value)| (name.trim(), value.trim()));
    // Servers report one without a name.
    let named = pairs.filter(|(name, _)| !name.is_empty());
    named
        .map(|(name, text)| {
            let told = match is_secret(name) {
                true => Cow::Borrowed(FILTERED),
                false => value(text, 0),
            };
            (name.to_owned(), told.into_owned())
        })
        .collect()
}

/// What is recorded of an incoming request. `personal` is whether data that identifies people is
/// sent.
pub(crate) fn request<B>(request: &Request<B>, personal: bool) -> protocol::Request {
    let headers = request.headers().iter();
    let headers: Vec<_> = headers
        .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes())))
        .collect();
    let told = headers.iter().map(|(name, value)| (*name, value.as_ref()));
    protocol::Request {
        method: known_method(request.method().as_str()).map(str::to_owned),
        url: Some(url_of(request.uri(), request.headers())).filter(|url| !url.is_empty()),
        query_string: request.uri().query().map(|text| query(text).into_owned()),
        cookies: cookies(told.clone(), personal),
        headers: self::headers(told, personal),
        data: None,
    }
}

/// The URL of a request without its query, with the host that its headers name.
fn url_of(uri: &Uri, headers: &HeaderMap) -> String {
    let named = || headers.get(header::HOST)?.to_str().ok();
    let authority = uri.authority().map(|authority| authority.as_str());
    let scheme = uri.scheme_str().unwrap_or("http");
    request_url(
        scheme,
        authority.or_else(named).unwrap_or_default(),
        uri.path(),
    )
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
                .header("cookie", "csrftoken=hidden;lang=de; broken; =; =x")
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
            prop_assert!(!super::super::query(&query).contains(&value));
            let address = format!("https://{value}:{value}@shop.example/?{query}");
            prop_assert!(!url(&address).contains(&value));
            let message = format!("at {address} now");
            prop_assert!(!text(&message).contains(&value));
        }

        #[test]
        fn whatever_comes_in_can_be_looked_at(text in "(?s).{0,100}") {
            for read in [url, query, super::super::text] {
                let told = read(&text);
                prop_assert!(told.len() <= text.len() * FILTERED.len() + FILTERED.len());
            }
        }
    }
}
