//! Everything that reads input from outside, one test for each.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use http::header::{CONTENT_ENCODING, COOKIE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Request, StatusCode, Uri};
use serde_json::json;
use tokio::time::Instant;

use super::{Read, Target};
use crate::export::RateLimits;
use crate::http::is_exempt;
use crate::local::{Delivery, ReceivedEnvelope, Waterfall, sentry_key};
use crate::propagation::{Policy, PropagationContext, SentryTrace};
use crate::protocol::DynamicSamplingContext;
use crate::{Dsn, IncomingTrace, Options, OutgoingTrace, TraceCarrier, privacy};

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
    target.attack();
}

#[test]
fn sentry_trace() {
    let target = Target {
        valid: &[
            b"3f0c2a9be41d4f7c9a60b1d2c3e4f506-b7e4a1930c5d2f68-1",
            b"  3f0c2a9be41d4f7c9a60b1d2c3e4f506-b7e4a1930c5d2f68-0, x",
            b"3f0c2a9be41d4f7c9a60b1d2c3e4f506-b7e4a1930c5d2f68",
        ],
        tokens: &["0000000000000000", "a", "F", "-0", "-1"],
        around: &[("3f0c2a9be41d4f7c9a60b1d2c3e4f506-b7e4a1930c5d2f68", "")],
        allocated: (0, 256),
        read: Read::Text(|text| {
            let Some(header) = SentryTrace::parse(text) else {
                return false;
            };
            let written = header.to_string();
            assert!(text.contains(&written), "{written}");
            assert_eq!(SentryTrace::parse(&written), Some(header));
            true
        }),
    };
    target.attack();
}

#[test]
fn traceparent() {
    let target = Target {
        valid: &[
            b"00-3f0c2a9be41d4f7c9a60b1d2c3e4f506-b7e4a1930c5d2f68-01",
            b"00-3f0c2a9be41d4f7c9a60b1d2c3e4f506-b7e4a1930c5d2f68-00",
            b"cc-3f0c2a9be41d4f7c9a60b1d2c3e4f506-b7e4a1930c5d2f68-01-more",
        ],
        tokens: &["0000000000000000", "a", "F", "ff", "-01"],
        around: &[(
            "cc-3f0c2a9be41d4f7c9a60b1d2c3e4f506-b7e4a1930c5d2f68-01",
            "",
        )],
        allocated: (0, 256),
        read: Read::Text(|text| {
            let Some(header) = SentryTrace::parse_traceparent(text) else {
                return false;
            };
            let written = header.to_traceparent();
            assert!(text.contains(&written[3..52]), "{written}");
            assert_eq!(SentryTrace::parse_traceparent(&written), Some(header));
            true
        }),
    };
    target.attack();
}

#[test]
fn baggage() {
    let target = Target {
        valid: &[
            b"vendor=1, sentry-trace_id=3f0c2a9be41d4f7c9a60b1d2c3e4f506,sentry-release=a%20b",
            b"sentry-sample_rand=0.104211,sentry-sample_rate=0.25,sentry-sampled=true",
            " sentry-a = 1 ;ttl=5 , b=2,sentry-transaction=GET /\u{e9}".as_bytes(),
        ],
        tokens: &[
            "sentry-",
            "sentry-a=",
            "sentry-a=1,",
            "sentry-\u{e9}=\",",
            ",sentry-%41=%41",
            "=1,sentry-",
        ],
        around: &[("sentry-a=1,sentry-", "=1"), ("sentry-a=", ",sentry-b=1")],
        allocated: (20, 40_000),
        read: Read::Text(|text| {
            let context = DynamicSamplingContext::from_baggage(text);
            let written = context.as_baggage();
            assert!(written.len() <= 8_192);
            assert!(written.bytes().all(|byte| byte.is_ascii_graphic()));
            assert!(context.iter().count() <= 64);
            let again = DynamicSamplingContext::from_baggage(written);
            assert_eq!(again, context);
            !context.is_empty()
        }),
    };
    target.attack();
}

/// The headers on the lines of an input, without those that no request could have.
fn headers(input: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    // Requests have no more than these. The map has assertions that take quadratic
    // time, though not in releases.
    for line in input.split(|byte| *byte == b'\n').take(50) {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let name = parts
            .next()
            .and_then(|name| HeaderName::from_bytes(name).ok());
        let value = parts
            .next()
            .and_then(|value| HeaderValue::from_bytes(value).ok());
        if let (Some(name), Some(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    headers
}

#[test]
fn incoming_headers() {
    let target = Target {
        valid: &[
            b"sentry-trace:3f0c2a9be41d4f7c9a60b1d2c3e4f506-b7e4a1930c5d2f68-1\n\
              baggage:sentry-trace_id=3f0c2a9be41d4f7c9a60b1d2c3e4f506,sentry-sample_rand=0.104211",
            b"sentry-trace:3f0c2a9be41d4f7c9a60b1d2c3e4f506-b7e4a1930c5d2f68-0\n\
              baggage:v=\xff\nbaggage:sentry-sample_rate=0.25\nbaggage:sentry-org_id=17",
            b"traceparent:00-3f0c2a9be41d4f7c9a60b1d2c3e4f506-b7e4a1930c5d2f68-01",
        ],
        tokens: &[
            "\nsentry-trace:",
            "\nbaggage:a=1",
            "\nbaggage:sentry-sample_rand=",
            "\nbaggage:sentry-sample_rate=",
            "\ntraceparent:",
        ],
        around: &[(
            "sentry-trace:3f0c2a9be41d4f7c9a60b1d2c3e4f506-b7e4a1930c5d2f68\n\
             baggage:sentry-sample_rand=",
            "",
        )],
        allocated: (100, 40_000),
        read: Read::Bytes(|input| {
            let incoming = IncomingTrace::from_carrier(&headers(input));
            let policy = Policy {
                accept_traceparent: true,
                ..Policy::default()
            };
            let Some(context) = PropagationContext::continuing(&incoming, &policy) else {
                return false;
            };
            assert!(context.rand.is_below(1.0) && !context.rand.is_below(0.0));
            let rate = context.remote.and_then(|remote| remote.rate);
            assert!(rate.is_none_or(|rate| (0.0..=1.0).contains(&rate)));
            true
        }),
    };
    target.attack();
}

#[test]
fn baggage_of_others_in_outgoing_headers() {
    let target = Target {
        valid: &[
            b"baggage:vendor=1;p=2,sentry-release=old\nsentry-trace:old",
            b"baggage:a=\xff\nbaggage:b=\xc3\xa9 , ,c=%zz\nBaggage:sentry-x=1",
        ],
        tokens: &["\nbaggage:", "\nbaggage:a=1", "sentry-a=1,", "v=1,"],
        around: &[("baggage:", ""), ("baggage:", "\nbaggage:\u{e9}")],
        allocated: (100, 40_000),
        read: Read::Bytes(|input| {
            let ours = "sentry-trace_id=3f0c2a9be41d4f7c9a60b1d2c3e4f506,sentry-release=shop";
            let trace = OutgoingTrace::new(
                SentryTrace::parse("3f0c2a9be41d4f7c9a60b1d2c3e4f506-b7e4a1930c5d2f68-1").unwrap(),
                Arc::new(DynamicSamplingContext::from_baggage(ours)),
                &Policy::default(),
            );
            let before = headers(input);
            let mut after = before.clone();
            trace.inject(&mut after);

            assert_eq!(after.get_all("sentry-trace").iter().count(), 1);
            let before_text = TraceCarrier::get(&before, "baggage").unwrap_or_default();
            let after_text = TraceCarrier::get(&after, "baggage").unwrap_or_default();
            assert!(after_text.len() <= before_text.len().max(8_192));
            let (after_ours, after_others) = by_owner(&after_text);
            assert!(ours.starts_with(&after_ours.join(",")), "{after_text}");
            assert_eq!(after_others, by_owner(&before_text).1);
            let unreadable = |headers: &HeaderMap| {
                let values = headers.get_all("baggage").iter();
                values
                    .filter(|value| str::from_utf8(value.as_bytes()).is_err())
                    .count()
            };
            assert_eq!(unreadable(&after), unreadable(&before));
            before.contains_key("baggage")
        }),
    };
    target.attack();
}

/// Sentry's members of a `baggage`, and those of others.
fn by_owner(baggage: &str) -> (Vec<&str>, Vec<&str>) {
    let members = baggage.split(',').map(str::trim);
    let members = members.filter(|member| !member.is_empty());
    members.partition(|member| member.starts_with("sentry-"))
}

const RATE_LIMITS: HeaderName = HeaderName::from_static("x-sentry-rate-limits");

/// The longest that any limit may hold.
const LONGEST_WAIT: Duration = Duration::from_secs(366 * 24 * 60 * 60);

#[test]
fn rate_limits() {
    let target = Target {
        valid: &[
            b"60:transaction:key, 2700:default;error;security:organization",
            b"30::organization",
            b"10.2:span:project:quota_exceeded:ns:future, 20:transaction;span:key",
        ],
        tokens: &["60:", "60::,", "transaction", ";span", ":span:key", "1e"],
        around: &[("60:", ":key"), ("", ":span:key")],
        allocated: (1, 4_096),
        read: Read::Bytes(|input| {
            let Ok(value) = HeaderValue::from_bytes(input) else {
                return false;
            };
            let headers = HeaderMap::from_iter([(RATE_LIMITS, value)]);
            let mut limits = RateLimits::default();
            let now = Instant::now();
            limits.update(StatusCode::OK, &headers, now);
            assert!(!limits.is_any_active(now + LONGEST_WAIT));
            limits.is_any_active(now)
        }),
    };
    target.attack();
}

#[test]
fn retry_after() {
    let target = Target {
        valid: &[
            b"7",
            b" 12.5 ",
            b"Fri, 31 Dec 9999 23:59:59 GMT",
            b"Friday, 31-Dec-60 23:59:59 GMT",
            b"Fri Dec 31 23:59:59 9999",
        ],
        tokens: &["Sun, ", "Feb", "29", "30", "24:60:60", "GMT", "1e", "0."],
        around: &[("Fri, 31 Dec 9", " 23:59:59 GMT"), ("0.", "1")],
        allocated: (1, 4_096),
        read: Read::Bytes(|input| {
            let Ok(value) = HeaderValue::from_bytes(input) else {
                return false;
            };
            let headers = HeaderMap::from_iter([(RETRY_AFTER, value)]);
            let mut limits = RateLimits::default();
            let now = Instant::now();
            limits.update(StatusCode::TOO_MANY_REQUESTS, &headers, now);
            assert!(!limits.is_any_active(now + LONGEST_WAIT));
            // A minute stands for what cannot be read.
            let minute = Duration::from_secs(60);
            let is_default = !limits.is_any_active(now + minute)
                && limits.is_any_active(now + minute - Duration::from_nanos(1));
            !is_default
        }),
    };
    target.attack();
}

#[test]
fn envelope() {
    let target = Target {
        valid: &[
            b"{}",
            b"{\"event_id\":\"5a1c9f3e\"}\n{\"type\":\"a\",\"length\":3}\nx\ny\n",
            b"{}\n{\"type\":\"a\"}\n\n{\"type\":\"b\",\"length\":0}\n\n{\"type\":\"c\"}\nx",
        ],
        tokens: &[
            "{}",
            "{",
            "}",
            "[",
            "]",
            "null",
            "\\u0000",
            "\\ud800",
            "\"a\":",
            "\n{\"type\":\"a\"}\n",
            "\"length\":",
            "\"length\":0,",
            "\":0,\"",
        ],
        around: &[
            ("{}", ""),
            ("{\"a\":", "}"),
            ("{\"a", "\":0}"),
            ("{}\n{\"type\":\"a\"}\n", ""),
        ],
        allocated: (100, 4_096),
        read: Read::Bytes(|body| {
            let Ok(envelope) = ReceivedEnvelope::parse(body) else {
                return false;
            };
            assert!(envelope.items.len() <= ReceivedEnvelope::MAX_ITEMS);
            let payloads: usize = envelope.items.iter().map(|item| item.payload.len()).sum();
            assert!(payloads < body.len());
            true
        }),
    };
    target.attack();
}

/// What a receiver makes of a body, if it accepts it. Bodies may have 64 KiB when decoded.
fn receive(encoding: &[u8], body: &[u8]) -> Option<Delivery> {
    const LIMIT: usize = 64 * 1024;
    let encoding = HeaderValue::from_bytes(encoding).ok()?;
    let request = Request::post("/api/1/envelope/").header(CONTENT_ENCODING, encoding);
    let (head, ()) = request.body(()).unwrap().into_parts();
    let delivery = Delivery::read(&head, body.to_vec(), LIMIT).ok()?;
    assert!(delivery.length <= LIMIT);
    Some(delivery)
}

/// An envelope with a transaction, up to where its payload goes on.
macro_rules! transaction {
    () => {
        "{\"event_id\":\"5a1c9f3e7b2d4c60a8e1f4d39b7c2e10\"}\n{\"type\":\"transaction\"}\n\
         {\"start_timestamp\":1.5,\"contexts\":{\"trace\":{\"span_id\":\"b7e4a1930c5d2f68\",\
         \"trace_id\":\"3f0c2a9be41d4f7c9a60b1d2c3e4f506\"}},"
    };
}

/// A span of it.
macro_rules! span {
    () => {
        "{\"trace_id\":\"3f0c2a9be41d4f7c9a60b1d2c3e4f506\",\"span_id\":\"1d2e3f4051627384\",\
         \"start_timestamp\":2}"
    };
}

const TRANSACTION: &str = concat!(
    transaction!(),
    "\"tags\":[[\"a\",1]],\"spans\":[",
    span!(),
    "]}"
);
const SPANS: &str = "{\"trace\":{\"trace_id\":\"3f0c2a9be41d4f7c9a60b1d2c3e4f506\"}}\n\
    {\"type\":\"span\",\"item_count\":1,\
    \"content_type\":\"application/vnd.sentry.items.span.v2+json\"}\n\
    {\"version\":2,\"items\":[{\"trace_id\":\"3f0c2a9be41d4f7c9a60b1d2c3e4f506\"}]}";
const REPORT: &str = "{}\n{\"type\":\"client_report\"}\n\
    {\"discarded_events\":[{\"reason\":\"a\",\"category\":\"span\",\"quantity\":4}]}";

#[test]
fn received_items() {
    let target = Target {
        valid: &[TRANSACTION.as_bytes(), SPANS.as_bytes(), REPORT.as_bytes()],
        tokens: &[
            "{",
            "}",
            "[",
            "]",
            "[[0,0]],",
            "null",
            "\"\":0,",
            "\"tags\":",
            "\"data\":{},",
            "\\u001b",
            "-",
            "T",
            "\"parent_span_id\":\"1d2e3f4051627384\",",
            concat!(span!(), ","),
        ],
        around: &[
            (
                concat!(transaction!(), "\"spans\":["),
                concat!(span!(), "]}"),
            ),
            (concat!(transaction!(), "\"tags\":["), "[0,0]]}"),
        ],
        allocated: (500, 60_000),
        read: Read::Bytes(|body| {
            let Some(delivery) = receive(b"identity", body) else {
                return false;
            };
            // Nothing in it has an effect on the terminal that it is drawn in.
            if let Some(transaction) = &delivery.transaction {
                let drawing = Waterfall::new(transaction).to_string();
                let is_effective = |c: char| c.is_control() && c != '\n';
                assert!(!drawing.contains(is_effective), "{drawing:?}");
            }
            true
        }),
    };
    target.attack();
}

#[test]
fn content_encodings() {
    const ENVELOPE: &[u8] = b"{}\n{\"type\":\"a\"}\nx";
    const BROTLI: &[u8] = b"br\n\x0b\x08\x80{}\n{\"type\":\"a\"}\nx\x03";
    let target = Target {
        valid: &[
            &gzip(ENVELOPE),
            &deflate(ENVELOPE),
            &zstd(ENVELOPE),
            BROTLI,
            b"identity\n{}",
        ],
        tokens: &[
            "gzip\n",
            "x-gzip\n",
            "deflate\n",
            "br\n",
            "zstd\n",
            "gzip, br\n",
        ],
        around: &[
            ("gzip\n\x1f", ""),
            ("deflate\n\x78\x01", ""),
            ("br\n", ""),
            ("zstd\n", ""),
        ],
        // The window of brotli has up to 16 MiB, whatever the body.
        allocated: (100, 20_000_000),
        read: Read::Bytes(|input| receive_encoded(input).is_some()),
    };
    target.attack();
}

#[test]
fn bombs() {
    let zeros = vec![0; 4 * 1024 * 1024];
    // 16 MiB of zeros, in a window of 4 MiB.
    let brotli = b"br\n\xcb\xff\xff\x3f\xf8\x27\x00\xe2\xb1\x40\x20\xf7\xfe\x2f\
                   \xff\xff\xff\xf0\x4f\x00\xc4\x61\x11\x80\xee\xfd\x1f";
    for (bomb, most) in [
        (gzip(&zeros), 500_000),
        (deflate(&zeros), 500_000),
        (zstd(&zeros), 500_000),
        (brotli.to_vec(), 5_000_000),
    ] {
        let receive = || assert_eq!(receive_encoded(&bomb), None);
        let allocated = allocation_counter::measure(receive).bytes_max;
        assert!(
            allocated < most,
            "{allocated} for {:?}",
            bomb.escape_ascii()
        );
    }
}

/// What a receiver makes of a body after a line with its encoding.
fn receive_encoded(input: &[u8]) -> Option<Delivery> {
    let mut parts = input.splitn(2, |byte| *byte == b'\n');
    receive(parts.next()?, parts.next()?)
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(b"gzip\n".to_vec(), Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn deflate(body: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(b"deflate\n".to_vec(), Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn zstd(body: &[u8]) -> Vec<u8> {
    [b"zstd\n", &*zstd::encode_all(body, 1).unwrap()].concat()
}

#[test]
fn received_times() {
    let target = Target {
        valid: &[
            b"1795169730.10125",
            b"2026-11-20T10:15:30.101250Z",
            b"2026-11-20 12:45:30+02:30",
            b"9999-12-31t23:59:59.999999999-00:00",
        ],
        tokens: &[
            "T", "Z", "02-29", "23:59:60", "24", "+23:59", "-23:59", "1e", "0.",
        ],
        around: &[("2026-11-20T10:15:30.", "Z"), ("1.", "")],
        allocated: (150, 30_000),
        read: Read::Text(|text| {
            let time = serde_json::from_str::<serde_json::Number>(text);
            let time = time.map_or_else(|_| json!(text), |number| json!(number));
            let trace = json!({
                "trace_id": "3f0c2a9be41d4f7c9a60b1d2c3e4f506",
                "span_id": "b7e4a1930c5d2f68",
            });
            let payload = json!({
                "event_id": "5a1c9f3e7b2d4c60a8e1f4d39b7c2e10",
                "contexts": { "trace": trace },
                "start_timestamp": time,
                "timestamp": time,
            });
            let body = format!("{{}}\n{{\"type\":\"transaction\"}}\n{payload}");
            let Some(delivery) = receive(b"", body.as_bytes()) else {
                return false;
            };
            let start = delivery.transaction.unwrap().start;
            let since_1970 = start.duration_since(SystemTime::UNIX_EPOCH).unwrap();
            assert!(
                since_1970 < Duration::from_secs(253_402_300_800),
                "{start:?}"
            );
            true
        }),
    };
    target.attack();
}

#[test]
fn sentry_auth() {
    let target = Target {
        valid: &[
            b"Sentry sentry_version=7, sentry_key=abc, sentry_client=x/1",
            b"sentry sentry_key = abc ,sentry_version=7",
        ],
        tokens: &["Sentry ", "sentry_key", "sentry_key=", "sentry_key=,"],
        around: &[("Sentry ", "sentry_key=abc")],
        allocated: (0, 0),
        read: Read::Text(|text| {
            let key = sentry_key(text);
            assert!(key.is_none_or(|key| !key.is_empty() && key.trim() == key));
            key.is_some()
        }),
    };
    target.attack();
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
            let mut accepted = 0;
            for name in names {
                match Options::from_vars(|asked| (asked == name).then(|| text.into())) {
                    Ok(options) => {
                        assert_eq!(options.validate(), Ok(()));
                        accepted += 1;
                    }
                    Err(error) => {
                        assert_eq!(error.field(), name);
                        assert!(error.value().chars().count() <= 101, "{error}");
                    }
                }
            }
            accepted > 0
        }),
    };
    target.attack();
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
    target.attack();
}

#[test]
fn requests_that_are_told() {
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
            let without_user = privacy::without_user(text);
            assert_eq!(privacy::without_user(&without_user), without_user);

            let mut request = Request::new(());
            if let Ok(uri) = format!("/?{text}").parse() {
                *request.uri_mut() = uri;
            }
            if let Ok(value) = HeaderValue::from_str(text) {
                request.headers_mut().insert(COOKIE, value);
            }
            let told = privacy::request(&request, true);
            let query = told.query_string.unwrap_or_default();
            assert_eq!(privacy::without_secrets(&query), query);
            for (name, value) in told.cookies {
                assert!(!privacy::is_secret(&name) || value == privacy::FILTERED);
            }
            true
        }),
    };
    target.attack();
}
