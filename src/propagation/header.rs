//! The headers `sentry-trace` and `traceparent`: which trace, which span, and whether it is sampled.

use std::fmt;

use crate::protocol::{SpanId, TraceId};

/// The content of a `sentry-trace` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SentryTrace {
    pub(crate) trace_id: TraceId,
    /// The span that makes the call.
    pub(crate) span_id: SpanId,
    /// `None` leaves the decision to whoever reads it.
    pub(crate) sampled: Option<bool>,
}

impl SentryTrace {
    /// Reads a `sentry-trace` header. Of several with commas between them the last valid one counts.
    ///
    /// A dash at the end leaves the decision open, as Ruby and older Python write it. Any other
    /// header that is not exactly as it is written here is ignored.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        text.split(',').rev().find_map(|text| {
            let mut parts = text.trim_matches([' ', '\t']).split('-');
            let header = Self {
                trace_id: parts.next()?.parse().ok()?,
                span_id: parts.next()?.parse().ok()?,
                sampled: match parts.next() {
                    None | Some("") => None,
                    Some("1") => Some(true),
                    Some("0") => Some(false),
                    Some(_) => return None,
                },
            };
            parts.next().is_none().then_some(header)
        })
    }

    /// Reads a `traceparent` header, as W3C's Trace Context has it.
    ///
    /// Its flag says whether the caller may have recorded the trace. Only that
    /// it did is a decision; without the flag it is left to whoever reads it.
    pub(crate) fn parse_traceparent(text: &str) -> Option<Self> {
        let mut parts = text.trim_matches([' ', '\t']).split('-');
        let version = parse_byte(parts.next()?)?;
        let trace_id = parts.next()?.parse().ok()?;
        let span_id = parts.next()?.parse().ok()?;
        let flags = parse_byte(parts.next()?)?;
        // Later versions may append parts; there is no version 255.
        let more = parts.next().is_some();
        let valid = version != 0xff && (version > 0 || !more);
        valid.then_some(Self {
            trace_id,
            span_id,
            sampled: (flags & 1 == 1).then_some(true),
        })
    }

    /// The header in the form of W3C's Trace Context.
    pub(crate) fn to_traceparent(self) -> String {
        let flag = u8::from(self.sampled == Some(true));
        format!("00-{}-{}-{flag:02}", self.trace_id, self.span_id)
    }
}

impl fmt::Display for SentryTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.trace_id, self.span_id)?;
        match self.sampled {
            None => Ok(()),
            Some(true) => f.write_str("-1"),
            Some(false) => f.write_str("-0"),
        }
    }
}

/// Reads two lowercase hex digits.
fn parse_byte(text: &str) -> Option<u8> {
    let lowercase_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if text.len() != 2 || !text.bytes().all(lowercase_hex) {
        return None;
    }
    u8::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TRACE: &str = "3f0c2a9be41d4f7c9a60b1d2c3e4f506";
    const SPAN: &str = "b7e4a1930c5d2f68";

    fn header(sampled: Option<bool>) -> Option<SentryTrace> {
        Some(SentryTrace {
            trace_id: TRACE.parse().unwrap(),
            span_id: SPAN.parse().unwrap(),
            sampled,
        })
    }

    #[test]
    fn sentry_trace_is_read_as_the_protocol_says() {
        let zeros = "0".repeat(32);
        let table = [
            (format!("{TRACE}-{SPAN}-1"), header(Some(true))),
            (format!("{TRACE}-{SPAN}"), header(None)),
            (format!("  \t{TRACE}-{SPAN}-0 "), header(Some(false))),
            (format!("{TRACE}-{SPAN}-1").to_uppercase(), None),
            ("1".into(), None),
            ("0".into(), None),
            (format!("{TRACE}-{SPAN}-2"), None),
            (format!("{TRACE}-{SPAN}-"), header(None)),
            (format!(" {TRACE}-{SPAN}-\t"), header(None)),
            (format!("{TRACE}-{SPAN}--"), None),
            (format!("{TRACE}-{SPAN}--1"), None),
            (format!("{TRACE}-{SPAN}-1-"), None),
            (format!("{TRACE}-{SPAN}-,{TRACE}-{SPAN}"), header(None)),
            (format!("{TRACE}-{SPAN}-1-1"), None),
            (format!("{}-{SPAN}-1", &TRACE[1..]), None),
            (format!("{TRACE}-{}-1", &SPAN[1..]), None),
            (format!("00-{TRACE}-{SPAN}-01"), None),
            (format!("00-{TRACE}-{SPAN}-00"), None),
            (TRACE.into(), None),
            (format!("{TRACE}-1"), None),
            (format!("{zeros}-{SPAN}-1"), None),
            (format!("{TRACE}-{}-1", &zeros[..16]), None),
            (String::new(), None),
            ("-".into(), None),
            // Several of them.
            (
                format!("{TRACE}-{SPAN}-0, {TRACE}-{SPAN}-1"),
                header(Some(true)),
            ),
            (format!("{TRACE}-{SPAN}-0,garbage"), header(Some(false))),
        ];
        for (text, expected) in table {
            assert_eq!(SentryTrace::parse(&text), expected, "{text}");
        }
    }

    #[test]
    fn traceparent_is_read_as_w3c_says() {
        let zeros = "0".repeat(32);
        let table = [
            (format!("00-{TRACE}-{SPAN}-01"), header(Some(true))),
            (format!("00-{TRACE}-{SPAN}-03"), header(Some(true))),
            (format!("00-{TRACE}-{SPAN}-00"), header(None)),
            (format!("cc-{TRACE}-{SPAN}-01-more"), header(Some(true))),
            (format!("00-{TRACE}-{SPAN}-01-more"), None),
            (format!("ff-{TRACE}-{SPAN}-01"), None),
            (format!("00-{TRACE}-{SPAN}-1"), None),
            (format!("00-{TRACE}-{SPAN}-0X"), None),
            (format!("0-{TRACE}-{SPAN}-01"), None),
            (format!("00-{TRACE}-{SPAN}"), None),
            (format!("00-{zeros}-{SPAN}-01"), None),
            (format!("00-{}-{SPAN}-01", TRACE.to_uppercase()), None),
            (format!("{TRACE}-{SPAN}-1"), None),
            (String::new(), None),
        ];
        for (text, expected) in table {
            assert_eq!(SentryTrace::parse_traceparent(&text), expected, "{text}");
        }
    }

    #[test]
    fn a_decision_that_is_open_or_negative_is_not_sampled_for_w3c() {
        for (sampled, flag) in [(Some(true), "01"), (Some(false), "00"), (None, "00")] {
            let written = header(sampled).unwrap().to_traceparent();
            assert_eq!(written, format!("00-{TRACE}-{SPAN}-{flag}"));
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(trace in 1..=u128::MAX, span in 1..=u64::MAX, sampled: Option<bool>) {
            let header = SentryTrace {
                trace_id: TraceId::from_random(trace),
                span_id: SpanId::from_bits(span).unwrap(),
                sampled,
            };
            prop_assert_eq!(SentryTrace::parse(&header.to_string()), Some(header));
            let read = SentryTrace::parse_traceparent(&header.to_traceparent()).unwrap();
            prop_assert_eq!((read.trace_id, read.span_id), (header.trace_id, header.span_id));
            prop_assert_eq!(read.sampled, sampled.filter(|sampled| *sampled));
        }

        #[test]
        fn whatever_is_read_has_the_form_that_is_written(text in "[0-9a-f]{30,34}-[0-9a-f]{15,17}(-[01]?)?", garbage in "(?s).{0,80}") {
            for text in [text, garbage] {
                if let Some(header) = SentryTrace::parse(&text) {
                    let text = text.trim_matches([' ', '\t']);
                    prop_assert_eq!(header.to_string(), text.strip_suffix('-').unwrap_or(text));
                }
                SentryTrace::parse_traceparent(&text);
            }
        }
    }
}
