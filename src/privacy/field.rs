//! Fields that libraries record.

use std::borrow::Cow;

use super::name::is_secret_field;
use super::request::header_value;
use super::{FILTERED, query, text, url};

/// The text of a field without secrets.
///
/// `personal` is asked whether data that identifies people is sent.
pub(crate) fn field<'a>(
    name: &str,
    value: &'a str,
    personal: impl FnOnce() -> bool,
) -> Cow<'a, str> {
    let header = name.strip_prefix("http.request.header.");
    if let Some(header) = header.or_else(|| name.strip_prefix("http.response.header.")) {
        return header_value(&header.replace('_', "-"), value, personal());
    }
    match name {
        "url.query" | "http.query" => query(value),
        "url.full" | "http.url" | "http.target" | "url" | "uri" => url(value),
        "client.address" | "client.socket.address" | "http.client_ip" => match personal() {
            true => text(value),
            false => FILTERED.into(),
        },
        _ if is_secret_field(name) => FILTERED.into(),
        _ => text(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_a_text_is() {
        // field, text, what is recorded
        let table = [
            ("url.query", "token=S&a=1", "token=[Filtered]&a=1"),
            ("url.query", "?token=S", "?token=[Filtered]"),
            ("uri", "/a?sig=S", "/a?sig=[Filtered]"),
            ("uri", "//u:S@h/", "//[Filtered]:[Filtered]@h/"),
            ("http.request.header.authorization", "S", FILTERED),
            ("http.request.header.x_api_key", "S", FILTERED),
            ("http.request.header.x_forwarded_for", "S", FILTERED),
            ("http.request.header.cookie", "a=S", FILTERED),
            ("http.response.header.set_cookie", "a=S", FILTERED),
            (
                "http.response.header.location",
                "/a?token=S",
                "/a?token=[Filtered]",
            ),
            ("http.request.header.accept", "text/html", "text/html"),
            ("client.address", "203.0.113.7", FILTERED),
            ("password", "S", FILTERED),
            ("api_key", "S", FILTERED),
            ("cache.key", "user:7", "user:7"),
            (
                "note",
                "at https://u:S@h/",
                "at https://[Filtered]:[Filtered]@h/",
            ),
        ];
        for (name, text, told) in table {
            assert_eq!(field(name, text, || false), told, "{name}");
        }
        for name in ["http.request.header.x_forwarded_for", "client.address"] {
            assert_eq!(field(name, "203.0.113.7", || true), "203.0.113.7");
        }
    }
}
