//! Rate limits in answers of servers.

use std::time::Duration;

use http::StatusCode;
use http::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use tokio::time::Instant;

use super::target::{Read, Target};
use crate::export::RateLimits;

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
    target.run();
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
    target.run();
}
