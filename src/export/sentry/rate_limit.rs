//! The rate limits that a server asked for.

use std::time::{Duration, SystemTime};

use http::StatusCode;
use http::header::{HeaderMap, HeaderName, RETRY_AFTER};
use tokio::time::Instant;

use crate::protocol::Category;

/// Until when the server wants to be sent nothing of a kind.
///
/// Limits overlap; the longer one counts. Categories that this SDK never
/// sends are not kept.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RateLimits {
    everything: Option<Instant>,
    transactions: Option<Instant>,
    spans: Option<Instant>,
}

impl RateLimits {
    /// Takes note of what a response says about limits.
    pub(crate) fn update(&mut self, status: StatusCode, headers: &HeaderMap, now: Instant) {
        let mut readable = false;
        for header in headers.get_all(&RATE_LIMITS) {
            // What is not text holds no limit that could be read.
            readable |= self.apply(header.to_str().unwrap_or_default(), now);
        }
        if !readable && status == StatusCode::TOO_MANY_REQUESTS {
            let wait = headers
                .get(RETRY_AFTER)
                .and_then(|header| parse_retry_after(header.to_str().ok()?));
            extend(&mut self.everything, now, wait.unwrap_or(DEFAULT_WAIT));
        }
    }

    /// Whether things of this category have to be dropped now.
    pub(crate) fn is_limited(&self, category: Category, now: Instant) -> bool {
        let own = match category {
            Category::Transaction => self.transactions,
            Category::Span => self.spans,
        };
        self.limits_everything(now) || own.is_some_and(|until| now < until)
    }

    /// Whether any limit holds now.
    pub(crate) fn is_any_active(&self, now: Instant) -> bool {
        let limits = [self.everything, self.transactions, self.spans];
        limits.into_iter().flatten().any(|until| now < until)
    }

    /// Whether nothing at all may be sent now, client reports included.
    pub(crate) fn limits_everything(&self, now: Instant) -> bool {
        self.everything.is_some_and(|until| now < until)
    }

    /// Reads one header: limits with commas between them. What is malformed is skipped alone.
    /// Returns whether any limit could be read, whatever it is for.
    fn apply(&mut self, header: &str, now: Instant) -> bool {
        let mut readable = false;
        for limit in header.split(',') {
            let mut fields = limit.split(':').map(str::trim);
            let wait = fields.next().and_then(parse_seconds);
            let (Some(wait), Some(categories)) = (wait, fields.next()) else {
                continue;
            };
            readable = true;
            if categories.is_empty() {
                extend(&mut self.everything, now, wait);
            }
            for category in categories.split(';').map(str::trim) {
                if category == Category::Transaction.as_str() {
                    extend(&mut self.transactions, now, wait);
                } else if category == Category::Span.as_str() {
                    extend(&mut self.spans, now, wait);
                }
            }
        }
        readable
    }
}

/// Moves a deadline later, never earlier.
fn extend(deadline: &mut Option<Instant>, now: Instant, wait: Duration) {
    *deadline = (*deadline).max(Some(now + wait));
}

/// Reads seconds, whole or with decimals, and rounds them up.
fn parse_seconds(text: &str) -> Option<Duration> {
    let seconds: f64 = text.parse().ok()?;
    if !seconds.is_finite() {
        return None;
    }
    let seconds = seconds.ceil().min(LONGEST_WAIT.as_secs_f64());
    Duration::try_from_secs_f64(seconds).ok()
}

/// Reads a number of seconds or an HTTP date.
fn parse_retry_after(text: &str) -> Option<Duration> {
    let text = text.trim();
    parse_seconds(text).or_else(|| {
        let date = httpdate::parse_http_date(text).ok()?;
        let wait = date.duration_since(SystemTime::now()).unwrap_or_default();
        Some(wait.min(LONGEST_WAIT))
    })
}

const RATE_LIMITS: HeaderName = HeaderName::from_static("x-sentry-rate-limits");
/// How long a 429 without any header holds.
const DEFAULT_WAIT: Duration = Duration::from_secs(60);
/// The longest limit that is obeyed. A server that means more will say so again.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

#[cfg(test)]
mod tests {
    use tokio::time;

    use super::*;

    const OK: u16 = 200;
    const LIMITS: &str = "x-sentry-rate-limits";
    const WAIT: &str = "retry-after";

    fn update(limits: &mut RateLimits, status: u16, headers: &[(&'static str, &str)]) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        limits.update(StatusCode::from_u16(status).unwrap(), &map, Instant::now());
    }

    /// Until when everything, transactions and spans are limited, in seconds from `start`.
    fn deadlines(limits: &RateLimits, start: Instant) -> [Option<u64>; 3] {
        [limits.everything, limits.transactions, limits.spans]
            .map(|deadline| Some(deadline?.duration_since(start).as_secs()))
    }

    #[tokio::test(start_paused = true)]
    async fn headers_are_read_as_the_protocol_says() {
        type Case = (
            u16,
            &'static [(&'static str, &'static str)],
            [Option<u64>; 3],
        );
        let table: &[Case] = &[
            (
                OK,
                &[(
                    LIMITS,
                    "60:transaction:key, 2700:default;error;security:organization",
                )],
                [None, Some(60), None],
            ),
            (OK, &[(LIMITS, "30::organization")], [Some(30), None, None]),
            (
                OK,
                &[(LIMITS, "10.2:span:project:quota_exceeded:ns:future")],
                [None, None, Some(11)],
            ),
            (OK, &[(LIMITS, "45:made_up_category:key")], [None; 3]),
            (
                OK,
                &[(LIMITS, "45:made_up_category;transaction:key")],
                [None, Some(45), None],
            ),
            (
                OK,
                &[(LIMITS, "garbage, 20:transaction:key")],
                [None, Some(20), None],
            ),
            (
                OK,
                &[(LIMITS, "20:transaction:key, 5:transaction:key")],
                [None, Some(20), None],
            ),
            (429, &[], [Some(60), None, None]),
            (429, &[(WAIT, "7")], [Some(7), None, None]),
            (429, &[(WAIT, "soon")], [Some(60), None, None]),
            // Limits that can't be read are none.
            (429, &[(LIMITS, "")], [Some(60), None, None]),
            (429, &[(LIMITS, ""), (WAIT, "7")], [Some(7), None, None]),
            (
                429,
                &[(WAIT, "7"), (LIMITS, "soon, 20, :span:key")],
                [Some(7), None, None],
            ),
            // One for others can be.
            (429, &[(WAIT, "7"), (LIMITS, "60:error:key")], [None; 3]),
            // A day at most.
            (
                OK,
                &[(LIMITS, "99999999999::key")],
                [Some(86_400), None, None],
            ),
            (
                429,
                &[(WAIT, "Fri, 31 Dec 9999 23:59:59 GMT")],
                [Some(86_400), None, None],
            ),
            (429, &[(WAIT, "31536000")], [Some(86_400), None, None]),
            (
                429,
                &[(WAIT, "Thu, 01 Jan 1970 00:00:01 GMT")],
                [Some(0), None, None],
            ),
            (
                429,
                &[(WAIT, "7"), (LIMITS, "60:transaction:key")],
                [None, Some(60), None],
            ),
            (
                200,
                &[(LIMITS, "60:transaction:key")],
                [None, Some(60), None],
            ),
            (
                413,
                &[(LIMITS, "9:span:key"), (LIMITS, " 8 : transaction : key ")],
                [None, Some(8), Some(9)],
            ),
            (
                200,
                &[(LIMITS, "86400:transaction;span:organization")],
                [None, Some(86400), Some(86400)],
            ),
            (503, &[(WAIT, "7")], [None; 3]),
            (
                OK,
                &[(
                    LIMITS,
                    "-1:transaction:key, NaN::key, inf::key, 20, :span:key, ::",
                )],
                [None; 3],
            ),
            (
                OK,
                &[(LIMITS, "1e300:transaction:key")],
                [None, Some(LONGEST_WAIT.as_secs()), None],
            ),
        ];
        for (status, headers, expected) in table {
            let mut limits = RateLimits::default();
            update(&mut limits, *status, headers);
            assert_eq!(
                deadlines(&limits, Instant::now()),
                *expected,
                "{status} {headers:?}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_later_date_is_waited_for() {
        let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(100));
        let mut limits = RateLimits::default();
        update(&mut limits, 429, &[(WAIT, &date)]);
        let [Some(seconds), None, None] = deadlines(&limits, Instant::now()) else {
            panic!("{limits:?}");
        };
        assert!((90..=100).contains(&seconds), "{seconds}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_longer_limit_counts() {
        let start = Instant::now();
        let mut limits = RateLimits::default();
        update(&mut limits, OK, &[(LIMITS, "20:transaction:key")]);
        time::advance(Duration::from_secs(1)).await;
        update(&mut limits, OK, &[(LIMITS, "5:transaction:key")]);
        assert_eq!(deadlines(&limits, start), [None, Some(20), None]);
        update(&mut limits, OK, &[(LIMITS, "30:transaction:key")]);
        assert_eq!(deadlines(&limits, start), [None, Some(31), None]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_ends_at_its_deadline() {
        let mut limits = RateLimits::default();
        update(
            &mut limits,
            OK,
            &[(LIMITS, "60:transaction:organization, 30::key")],
        );
        assert!(limits.is_limited(Category::Span, Instant::now()));
        time::advance(Duration::from_secs(30)).await;
        assert!(!limits.limits_everything(Instant::now()));
        assert!(!limits.is_limited(Category::Span, Instant::now()));
        time::advance(Duration::from_secs(29)).await;
        assert!(limits.is_limited(Category::Transaction, Instant::now()));
        time::advance(Duration::from_secs(1)).await;
        assert!(!limits.is_limited(Category::Transaction, Instant::now()));
    }
}
