//! The random number that a trace is sampled by, the same in every service.

use std::fmt;

use crate::protocol::TraceId;

/// The number that is compared to a rate: at least 0 and below 1.
///
/// It is made once for a trace and travels with it, so that services with the
/// same rate come to the same decision. Made here it has six decimals; made by
/// others it may have any number of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct SampleRand(f64);

impl SampleRand {
    /// The number of a new trace, evenly spread.
    pub(crate) fn of(trace_id: TraceId) -> Self {
        Self::between(trace_id, 0, MILLION)
    }

    /// The number that came in, if it is one.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let number = parse_number(text)?;
        (0.0..1.0).contains(&number).then_some(Self(number))
    }

    /// The number of a trace that came in without one, such that the decision and the rate that
    /// came in follow from it.
    ///
    /// Where no number would do, because nothing is sampled at a rate of 0 and
    /// nothing is left out at a rate of 1, it is any; the decision counts.
    pub(super) fn back_filled(trace_id: TraceId, sampled: Option<bool>, rate: Option<f64>) -> Self {
        let in_millionths = |rate: f64| (rate * f64::from(MILLION)).floor() as u32;
        let (low, high) = match (sampled, rate) {
            (Some(true), Some(rate)) if rate > 0.0 => (0, in_millionths(rate)),
            (Some(false), Some(rate)) if rate < 1.0 => {
                (in_millionths(rate.next_down()) + 1, MILLION)
            }
            _ => (0, MILLION),
        };
        Self::between(trace_id, low.min(MILLION - 1), high)
    }

    /// A number of millionths from `low` to below `high`, or `low` if that is none.
    fn between(trace_id: TraceId, low: u32, high: u32) -> Self {
        let span = u128::from(high.saturating_sub(low));
        let random = u128::from(trace_id.bits() as u64);
        // Below `span`, because the product is below it times 2^64.
        let number = low + ((random * span) >> 64) as u32;
        Self(f64::from(number) / f64::from(MILLION))
    }

    /// Whether a trace with this number is sampled at a rate.
    pub(crate) fn is_below(self, rate: f64) -> bool {
        self.0 < rate
    }
}

impl fmt::Display for SampleRand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.6}", self.0)
    }
}

/// Reads a rate that came in, if it is one.
pub(super) fn parse_rate(text: &str) -> Option<f64> {
    parse_number(text).filter(|rate| (0.0..=1.0).contains(rate))
}

fn parse_number(text: &str) -> Option<f64> {
    text.trim().parse().ok()
}

const MILLION: u32 = 1_000_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_comparison_is_strict_and_to_the_last_digit() {
        // number, rate, sampled
        let table = [
            ("0.250000", 0.25, false),
            ("0.249999", 0.25, true),
            ("0.999999", 1.0, true),
            ("0.000000", 0.0, false),
            ("0.2499999999999999", 0.25, true),
            ("0.25000000000000006", 0.25, false),
            ("2.5e-1", 0.25, false),
        ];
        for (number, rate, sampled) in table {
            let number = SampleRand::parse(number).unwrap();
            assert_eq!(number.is_below(rate), sampled, "{number:?} at {rate}");
        }
    }

    #[test]
    fn only_numbers_from_zero_to_below_one_are_read() {
        for text in ["", "1", "1.0", "-0.1", "NaN", "inf", "half", "0,5", "1e400"] {
            assert_eq!(SampleRand::parse(text), None, "{text}");
        }
        for text in ["0", "0.5", " 0.123456 ", "0.9999999999999999"] {
            assert!(SampleRand::parse(text).is_some(), "{text}");
        }
    }

    #[test]
    fn numbers_are_evenly_spread_over_six_decimals() {
        for (bits, text) in [
            (1, "0.000000"),
            (u128::from(u64::MAX), "0.999999"),
            (1 << 63, "0.500000"),
            (u128::MAX, "0.999999"),
        ] {
            assert_eq!(SampleRand::of(TraceId::from_random(bits)).to_string(), text);
        }
    }

    proptest! {
        #[test]
        fn a_back_filled_number_explains_the_decision(bits: u128, sampled: Option<bool>, rate in prop::option::of(0.0..=1.0_f64)) {
            let number = SampleRand::back_filled(TraceId::from_random(bits), sampled, rate);
            prop_assert!((0.0..1.0).contains(&number.0));
            prop_assert_eq!(SampleRand::parse(&number.to_string()), Some(number));
            match (sampled, rate) {
                // Nothing has six decimals and is below such a rate but zero.
                (Some(sampled), Some(rate)) if rate > 0.0 && rate <= 0.999_999 => {
                    prop_assert_eq!(number.is_below(rate), sampled);
                }
                _ => {}
            }
        }

        #[test]
        fn the_bounds_of_the_protocol_hold(bits: u128) {
            let of = |sampled, rate| SampleRand::back_filled(TraceId::from_random(bits), sampled, rate).0;
            prop_assert!((0.0..=0.249_999).contains(&of(Some(true), Some(0.25))));
            prop_assert!((0.25..=0.999_999).contains(&of(Some(false), Some(0.25))));
            prop_assert!((0.0..=0.999_999).contains(&of(None, Some(0.25))));
            prop_assert!((0.0..=0.999_999).contains(&of(Some(true), Some(0.0))));
            prop_assert!((0.0..=0.999_999).contains(&of(Some(false), Some(1.0))));
        }
    }
}
