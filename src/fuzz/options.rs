//! What users configure, and what is recorded of requests.

use http::header::{COOKIE, HeaderValue};
use http::{Request, Uri};

use super::target::{Read, Target};
use crate::http::is_exempt;
use crate::{Dsn, Options, privacy};

#[test]
fn dsn() {
    let target = Target {
        valid: &[
            b"https://0123456789abcdef0123456789abcdef@o17.ingest.de.sentry.io/4501",
            b"http://k@127.0.0.1:9000/3",
            b"https://k:s3cr@sentry.example.com:443/mount/deep/42",
            b"https://k@[2001:DB8:0::1]:9000/a/1",
            "https://k@bücher.example/caf%C3%A9/1".as_bytes(),
        ],
        tokens: &[
            "http://", "https://", "@", "[", "]", "[::1]", "a.", "xn--", "o17.", "/1", "?", "#",
        ],
        around: &[
            ("https://", "@h/1"),
            ("https://k@", "/1"),
            ("https://k@h/", "/1"),
        ],
        allocated: (250, 4_096),
        read: Read::Text(|text| {
            let Ok(dsn) = text.parse::<Dsn>() else {
                return false;
            };
            let shown = dsn.to_string();
            let again: Dsn = shown.parse().unwrap();
            assert_eq!(again.to_string(), shown);
            assert_eq!(again.envelope_url(), dsn.envelope_url());
            true
        }),
    };
    target.run();
}

#[test]
fn variables() {
    let target = Target {
        valid: &[
            b"https://k:s3cr@sentry.example.com:443/mount/deep/42",
            b"shop@2.3.1",
            b"production",
            b"0.25",
            b" Yes ",
        ],
        tokens: &[
            "@",
            "..",
            "None",
            "1.0000000000000001",
            "true",
            "://",
            "\u{2003}",
        ],
        around: &[("https://k@", "/1"), ("0.", "1")],
        allocated: (100, 20_000),
        read: Read::Text(|text| {
            let names = [
                "SENTRY_DSN",
                "SENTRY_RELEASE",
                "SENTRY_ENVIRONMENT",
                "SENTRY_TRACES_SAMPLE_RATE",
                "SENTRY_DEBUG",
            ];
            let defaults = format!("{:?}", Options::disabled());
            let mut accepted = 0;
            for name in names {
                let options = Options::from_vars(|asked| (asked == name).then(|| text.into()));
                assert_eq!(options.validate(), Ok(()));
                accepted += usize::from(format!("{options:?}") != defaults);
            }
            accepted > 0
        }),
    };
    target.run();
}

#[test]
fn proxies() {
    let target = Target {
        valid: &[
            b"http://user:pass%20word@proxy.example:3128",
            b"https://[::1]:3128/",
            b"proxy:3128",
        ],
        tokens: &[
            "http://",
            "https://",
            "@",
            "[::1]",
            "a.",
            ":3128",
            "*",
            ".example",
            "10.0.0.0/8",
        ],
        around: &[("http://u:", "@proxy:1"), ("http://", ":1")],
        allocated: (300, 20_000),
        read: Read::Text(|text| {
            is_exempt(&Uri::from_static("https://sentry.example/"), text);
            let options = Options::disabled().http_proxy(text);
            options.validate().is_ok()
        }),
    };
    target.run();
}

#[test]
fn recorded_requests() {
    let target = Target {
        valid: &[
            b"https://u:p@shop.example/a?b=1&token=x#c",
            b"/items?sid=1&pass%77ord=2&page=3",
            b"theme=dark; session_id=hidden;broken",
        ],
        tokens: &["://", "@", "?", "&", "#", "&key=", "; sid=", "to", "ken="],
        around: &[("https://", "@h/"), ("/?", "&token=x"), ("", "=1")],
        allocated: (500, 4_096),
        read: Read::Text(|text| {
            privacy::url(text);
            privacy::text(text);

            let mut request = Request::new(());
            if let Ok(uri) = format!("/?{text}").parse() {
                *request.uri_mut() = uri;
            }
            if let Ok(value) = HeaderValue::from_str(text) {
                request.headers_mut().insert(COOKIE, value);
            }
            let told = privacy::request(&request, true);
            let query = told.query_string.unwrap_or_default();
            for pair in query.split(['&', ';']) {
                if let Some((name, value)) = pair.split_once('=') {
                    assert!(!privacy::is_secret(name) || value == privacy::FILTERED);
                }
            }
            for (name, value) in told.cookies {
                assert!(!privacy::is_secret(&name) || value == privacy::FILTERED);
            }
            true
        }),
    };
    target.run();
}
