//! Texts of any kind: messages, headers, what `Debug` writes.

use std::borrow::Cow;

use super::name::is_secret_field;
use super::url::{Host, url_at};
use super::{FILTERED, is_secret};

/// A text without the secrets that can be recognised in it: in URLs, behind names as in
/// `password=1`, `password: "1"` and `"password": "1"`, and behind `Bearer` and `Basic`.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    text_at(text, 0)
}

/// `depth` counts the URLs around it.
pub(super) fn text_at(text: &str, depth: usize) -> Cow<'_, str> {
    // Most texts have none of these.
    let may_hide = |byte: &u8| matches!(byte, b'=' | b':' | b' ' | b'?' | b'#' | b';');
    if !text.as_bytes().iter().any(may_hide) {
        return Cow::Borrowed(text);
    }
    if depth > MAX_DEPTH {
        return Cow::Borrowed(FILTERED);
    }
    let told = then(Cow::Borrowed(text), |text| urls(text, depth));
    then(then(told, named_values), credentials)
}

/// Applies a step to the outcome of the one before.
fn then<'a>(text: Cow<'a, str>, step: impl Fn(&str) -> Option<String>) -> Cow<'a, str> {
    match step(&text) {
        None => text,
        Some(told) => Cow::Owned(told),
    }
}

/// Pieces between blanks and quotes as URLs. `None` if nothing changes.
fn urls(text: &str, depth: usize) -> Option<String> {
    let mut told = Edit::of(text);
    let mut begin = 0;
    for piece in text.split(is_around_urls) {
        if piece.contains("://") || piece.contains(['?', '#', ';']) {
            let url = url_at(piece, depth, Host::Never);
            if url != piece {
                told.replace(begin, begin + piece.len(), &url);
            }
        }
        // What splits them has one byte.
        begin += piece.len() + 1;
    }
    told.finish()
}

fn is_around_urls(char: char) -> bool {
    char.is_ascii_whitespace() || matches!(char, '"' | '<' | '>' | '`')
}

/// The values of names that are secret. `None` if nothing changes.
fn named_values(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut told = Edit::of(text);
    for (at, byte) in bytes.iter().enumerate() {
        if !matches!(byte, b':' | b'=') || at < told.done {
            continue;
        }
        let Some((name, quote)) = name_before(text, at) else {
            continue;
        };
        let is_secret = match quote {
            // JSON, or a map of headers.
            Some(_) => is_secret(name) || name.eq_ignore_ascii_case("cookie"),
            None => is_secret_field(name),
        };
        if is_secret && let Some((begin, end)) = value_after(text, at + 1, *byte, (name, quote)) {
            told.replace(begin, end, FILTERED);
        }
    }
    told.finish()
}

/// The name that ends here, and its quotes if it has some.
fn name_before(text: &str, end: usize) -> Option<(&str, Option<&'static str>)> {
    let before = &text[..end];
    for quote in ["\\\"", "\""] {
        if let Some(inside) = before.strip_suffix(quote) {
            let begin = inside.rfind(quote)? + quote.len();
            let name = &inside[begin..];
            return (!name.is_empty() && name.len() <= MAX_NAME).then_some((name, Some(quote)));
        }
    }
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let length = before.bytes().rev().take_while(is_name).take(MAX_NAME + 1);
    let length = length.count();
    (1..=MAX_NAME)
        .contains(&length)
        .then(|| (&before[end - length..], None))
}

/// Where the value begins and ends that a name has.
fn value_after(
    text: &str,
    begin: usize,
    sign: u8,
    (name, quote): (&str, Option<&'static str>),
) -> Option<(usize, usize)> {
    let rest = &text[begin..];
    let blanks = rest.len() - rest.trim_start_matches(' ').len();
    let mut begin = begin + blanks;
    let rest = &text[begin..];
    let rest = match rest.strip_prefix("Some(") {
        Some(inside) => {
            begin += "Some(".len();
            inside
        }
        None => rest,
    };
    for quote in ["\\\"", "\""] {
        if rest.starts_with(quote) {
            let begin = begin + quote.len();
            return Some((begin, begin + quoted_length(&text[begin..], quote)));
        }
    }
    // A list, an object, or a value that was removed before.
    if rest.starts_with(['{', '[', '(']) {
        return None;
    }
    // A name with a colon and no quotes is prose, unless it is a header.
    let ends =
        |char: char| char.is_ascii_whitespace() || matches!(char, ',' | '}' | ']' | ')' | '"');
    let length = match (sign, quote) {
        (b'=', None) if blanks == 0 => rest.find(|char| ends(char) || char == '&'),
        (b':', Some(_)) => rest.find(ends),
        (b':', None) if is_header(name) => rest.find(['\n', '\r', '"']),
        _ => return None,
    };
    let length = length.unwrap_or(rest.len());
    (length > 0).then_some((begin, begin + length))
}

/// Whether it is one of the headers with credentials.
fn is_header(name: &str) -> bool {
    let headers = [
        "authorization",
        "proxy-authorization",
        "cookie",
        "set-cookie",
    ];
    headers
        .iter()
        .any(|header| header.eq_ignore_ascii_case(name))
}

/// How long a text is up to the quote that ends it, or to the end.
fn quoted_length(text: &str, quote: &str) -> usize {
    let mut from = 0;
    while let Some(at) = text[from..].find(quote) {
        let before = &text[..from + at];
        let backslashes = before
            .bytes()
            .rev()
            .take_while(|byte| *byte == b'\\')
            .count();
        if backslashes % 2 == 0 {
            return before.len();
        }
        from += at + quote.len();
    }
    text.len()
}

/// What `Authorization` has behind its scheme. `None` if nothing changes.
fn credentials(text: &str) -> Option<String> {
    let mut told = Edit::of(text);
    for (at, _) in text.match_indices(' ') {
        let scheme = ["bearer", "basic"].iter().any(|scheme| {
            let begin = at.checked_sub(scheme.len());
            begin.is_some_and(|begin| {
                let found = &text.as_bytes()[begin..at];
                let is_word = begin == 0 || !text.as_bytes()[begin - 1].is_ascii_alphanumeric();
                is_word && found.eq_ignore_ascii_case(scheme.as_bytes())
            })
        });
        if !scheme {
            continue;
        }
        let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte);
        let length = text[at + 1..].bytes().take_while(is_token).count();
        if length >= MIN_TOKEN {
            told.replace(at + 1, at + 1 + length, FILTERED);
        }
    }
    told.finish()
}

/// A text in which pieces are replaced, from the first to the last.
struct Edit<'a> {
    text: &'a str,
    told: String,
    done: usize,
}

impl<'a> Edit<'a> {
    fn of(text: &'a str) -> Self {
        Self {
            text,
            told: String::new(),
            done: 0,
        }
    }

    fn replace(&mut self, begin: usize, end: usize, by: &str) {
        if begin >= self.done && end > begin {
            self.told.push_str(&self.text[self.done..begin]);
            self.told.push_str(by);
            self.done = end;
        }
    }

    fn finish(mut self) -> Option<String> {
        if self.done == 0 {
            return None;
        }
        self.told.push_str(&self.text[self.done..]);
        Some(self.told)
    }
}

/// Longer names are none.
const MAX_NAME: usize = 64;

/// Shorter words behind `basic` are more likely words.
const MIN_TOKEN: usize = 8;

/// URLs in URLs in URLs: what is further inside is not looked into, but removed.
const MAX_DEPTH: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_removed() {
        let table = [
            ("", ""),
            ("did it work? yes: 3 = 3; #1", "did it work? yes: 3 = 3; #1"),
            (
                "GET https://u:p@h/a?token=S failed",
                "GET https://[Filtered]:[Filtered]@h/a?token=[Filtered] failed",
            ),
            ("uri=/a?sig=S b", "uri=/a?sig=[Filtered] b"),
            (
                "<https://h/?sig=S>; rel=next",
                "<https://h/?sig=[Filtered]>; rel=next",
            ),
            ("a@b.example wrote", "a@b.example wrote"),
            (
                "login password=S user=n",
                "login password=[Filtered] user=n",
            ),
            ("password=S&b=1", "password=[Filtered]&b=1"),
            (
                r#"User { name: "n", password: "S\"S", key: "k" }"#,
                r#"User { name: "n", password: "[Filtered]", key: "k" }"#,
            ),
            (
                r#"Url { username: "u", password: Some("S"), query: Some("token=S") }"#,
                r#"Url { username: "u", password: Some("[Filtered]"), query: Some("token=[Filtered]") }"#,
            ),
            (
                r#"{"authorization": "Bearer S", "cookie": "a=S", "accept": "x"}"#,
                r#"{"authorization": "[Filtered]", "cookie": "[Filtered]", "accept": "x"}"#,
            ),
            (r#"{"token":1234,"a":1}"#, r#"{"token":[Filtered],"a":1}"#),
            (
                r#""{\"password\":\"S\",\"a\":1}""#,
                r#""{\"password\":\"[Filtered]\",\"a\":1}""#,
            ),
            ("sent Bearer abcdefgh.ijk now", "sent Bearer [Filtered] now"),
            ("a basic idea", "a basic idea"),
            ("Authorization: Basic dTpw", "Authorization: [Filtered]"),
            ("cookie: a=S; b=S\nhost: h", "cookie: [Filtered]\nhost: h"),
            ("unexpected token: x", "unexpected token: x"),
            ("token: Token { id: 1 }", "token: Token { id: 1 }"),
            (
                "https://u:p@a/,https://u:p@b/",
                "https://[Filtered]:[Filtered]@a/,https://[Filtered]:[Filtered]@b/",
            ),
            ("password = S", "password = S"),
            (
                "größe?schlüssel=ß token=ß",
                "größe?schlüssel=ß token=[Filtered]",
            ),
        ];
        for (given, told) in table {
            assert_eq!(text(given), told);
            assert_eq!(text(told), told);
        }
    }

    #[test]
    fn the_time_is_linear() {
        for piece in [
            "?a=", "\"", "\\\"", "a:", "\":", "://", "%25", "=", "&", " bearer ", ";a=",
        ] {
            let hostile = piece.repeat(100_000);
            text(&hostile);
            super::super::query(&hostile);
            super::super::url(&hostile);
        }
    }
}
