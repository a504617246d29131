//! Queries of URLs, and forms.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::{FILTERED, is_secret, text};

/// A query or a form without the values of secrets, also in URLs that are values.
pub(crate) fn query(query: &str) -> Cow<'_, str> {
    query_at(query, 0)
}

/// `depth` counts the URLs around it.
pub(super) fn query_at(query: &str, depth: usize) -> Cow<'_, str> {
    let mut kept = String::new();
    let mut done = 0;
    let mut begin = 0;
    for pair in query.split(['&', ';']) {
        let end = begin + pair.len();
        if let Some((name, value)) = pair.split_once('=') {
            let told = match is_secret_in_url(name) {
                true => Cow::Borrowed(FILTERED),
                false => self::value(value, depth),
            };
            if told != value {
                kept.push_str(&query[done..end - value.len()]);
                kept.push_str(&told);
                done = end;
            }
        }
        // The separator too.
        begin = end + 1;
    }
    if done == 0 {
        return Cow::Borrowed(query);
    }
    kept.push_str(&query[done..]);
    Cow::Owned(kept)
}

/// Whether the value of a parameter is a secret by its name, encoded or not.
pub(super) fn is_secret_in_url(name: &str) -> bool {
    is_secret(name) || name.contains('%') && is_secret(&decoded(name))
}

/// The value of a parameter that is not secret by its name.
pub(super) fn value(value: &str, depth: usize) -> Cow<'_, str> {
    if !value.contains('%') {
        return text::text_at(value, depth + 1);
    }
    let plain = decoded(value);
    match text::text_at(&plain, depth + 1) == plain {
        true => Cow::Borrowed(value),
        false => Cow::Borrowed(FILTERED),
    }
}

/// A text without percent encoding, also if it is encoded more than once.
pub(super) fn decoded(text: &str) -> Cow<'_, str> {
    let mut plain = Cow::Borrowed(text);
    for _ in 0..MAX_ENCODINGS {
        if !plain.contains('%') {
            break;
        }
        plain = Cow::Owned(percent_decode_str(&plain).decode_utf8_lossy().into_owned());
    }
    plain
}

/// Nobody encodes anything more often than this.
const MAX_ENCODINGS: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_secrets_are_removed() {
        let table = [
            ("", ""),
            ("a=1&b", "a=1&b"),
            ("a=1&API_KEY=x&b=2", "a=1&API_KEY=[Filtered]&b=2"),
            ("a=1;token=x;b=2", "a=1;token=[Filtered];b=2"),
            ("pass%77ord=x", "pass%77ord=[Filtered]"),
            ("pass%2577ord=x", "pass%2577ord=[Filtered]"),
            ("user[password]=x", "user[password]=[Filtered]"),
            ("token", "token"),
            ("token=a=b&&x=", "token=[Filtered]&&x="),
            (
                "next=/reset?token=x&b=2",
                "next=/reset?token=[Filtered]&b=2",
            ),
            ("next=%2Freset%3Ftoken%3Dx&b=2", "next=[Filtered]&b=2"),
            ("next=%252Freset%253Ftoken%253Dx", "next=[Filtered]"),
            ("next=https%3A%2F%2Fu%3Ap%40h%2F", "next=[Filtered]"),
            ("filter=%7B%22token%22%3A%22x%22%7D", "filter=[Filtered]"),
            ("next=%2Fitems%3Fpage%3D2", "next=%2Fitems%3Fpage%3D2"),
            ("q=100%&token=x", "q=100%&token=[Filtered]"),
        ];
        for (text, told) in table {
            assert_eq!(query(text), told);
            assert_eq!(query(told), told);
        }
    }
}
