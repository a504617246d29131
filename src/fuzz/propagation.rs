//! Trace headers, incoming and outgoing.

use std::sync::Arc;

use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::target::{Read, Target};
use crate::propagation::{Policy, PropagationContext, SentryTrace};
use crate::protocol::DynamicSamplingContext;
use crate::{IncomingTrace, OutgoingTrace, TraceCarrier};

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
    target.run();
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
    target.run();
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
    target.run();
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
    target.run();
}

#[test]
fn third_party_baggage() {
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
    target.run();
}

/// Sentry's members of a `baggage`, and those of others.
fn by_owner(baggage: &str) -> (Vec<&str>, Vec<&str>) {
    let members = baggage.split(',').map(str::trim);
    let members = members.filter(|member| !member.is_empty());
    members.partition(|member| member.starts_with("sentry-"))
}
