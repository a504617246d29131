//! The identifiers of the protocol: traces, spans and events.

use std::cell::RefCell;
use std::fmt;
use std::str::FromStr;

use rand::distr::{Distribution, StandardUniform};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The identifier of a trace: 16 bytes, never all zero, written as 32 lowercase hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TraceId(u128);

/// The identifier of a span: 8 bytes, never all zero, written as 16 lowercase hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpanId(u64);

/// The identifier of an event: 16 bytes, written as 32 lowercase hex digits without dashes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId(u128);

/// The error returned when parsing an identifier fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParseIdError {
    /// The text does not have the exact number of lowercase hex digits.
    Malformed,
    /// All digits are zero, which servers refuse.
    Zero,
}

impl TraceId {
    /// Makes an identifier of random bits.
    pub(crate) fn from_random(bits: u128) -> Self {
        Self(bits.max(1))
    }

    /// The number behind the digits.
    pub(crate) fn bits(self) -> u128 {
        self.0
    }
}

impl SpanId {
    /// An identifier for where any will do.
    pub(crate) const ONE: Self = Self(1);

    /// Makes an identifier of any bits but zero.
    pub(crate) fn from_bits(bits: u64) -> Option<Self> {
        (bits != 0).then_some(Self(bits))
    }
}

impl EventId {
    /// Makes a version 4 UUID of random bits.
    pub(crate) fn from_random(bits: u128) -> Self {
        const VERSION: u128 = 0xf << 76;
        const VARIANT: u128 = 0b11 << 62;
        Self(bits & !VERSION & !VARIANT | 0x4 << 76 | 0b10 << 62)
    }
}

/// Random bits for identifiers, which have to be unique and may be guessed.
pub(crate) fn random<T>() -> T
where
    StandardUniform: Distribution<T>,
{
    thread_local! {
        static GENERATOR: RefCell<SmallRng> = RefCell::new(SmallRng::from_rng(&mut rand::rng()));
    }
    GENERATOR.with_borrow_mut(|generator| generator.random())
}

/// Reads exactly `digits` lowercase hex digits.
fn parse_hex(text: &str, digits: usize) -> Result<u128, ParseIdError> {
    let lowercase_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if text.len() != digits || !text.bytes().all(lowercase_hex) {
        return Err(ParseIdError::Malformed);
    }
    u128::from_str_radix(text, 16).map_err(|_| ParseIdError::Malformed)
}

/// Writes a number as lowercase hex digits into a buffer on the stack.
fn hex<const N: usize>(bits: u128) -> [u8; N] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [b'0'; N];
    for (place, byte) in text.iter_mut().rev().enumerate() {
        *byte = DIGITS[(bits >> (4 * place)) as usize & 0xf];
    }
    text
}

macro_rules! identifier {
    ($name:ident, $digits:literal, $bits:ty, $zero:expr) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let text = hex::<$digits>(u128::from(self.0));
                f.pad(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let bits = parse_hex(text, $digits)?;
                if bits == 0 && !$zero {
                    return Err(ParseIdError::Zero);
                }
                // As many bits as digits were read, so nothing is cut off.
                Ok(Self(bits as $bits))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let text = hex::<$digits>(u128::from(self.0));
                let text = std::str::from_utf8(&text).map_err(serde::ser::Error::custom)?;
                serializer.serialize_str(text)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    };
}

identifier!(TraceId, 32, u128, false);
identifier!(SpanId, 16, u64, false);
identifier!(EventId, 32, u128, true);

impl fmt::Display for ParseIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "not the expected number of lowercase hex digits",
            Self::Zero => "all digits are zero",
        })
    }
}

impl std::error::Error for ParseIdError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips() {
        let text = "3f0c2a9be41d4f7c9a60b1d2c3e4f506";
        assert_eq!(text.parse::<TraceId>().unwrap().to_string(), text);
        let text = "00000000000000a1";
        assert_eq!(text.parse::<SpanId>().unwrap().to_string(), text);
    }

    #[test]
    fn only_the_exact_form_is_read() {
        for text in [
            "",
            "b7e4a1930c5d2f6",
            "b7e4a1930c5d2f688",
            "B7E4A1930C5D2F68",
            "+7e4a1930c5d2f68",
            "b7e4a1930c5d2f6é",
        ] {
            assert_eq!(
                text.parse::<SpanId>(),
                Err(ParseIdError::Malformed),
                "{text}"
            );
        }
        assert_eq!(
            "0000000000000000".parse::<SpanId>(),
            Err(ParseIdError::Zero)
        );
    }

    #[test]
    fn an_event_id_is_a_version_4_uuid() {
        for bits in [0, u128::MAX] {
            let text = EventId::from_random(bits).to_string();
            assert_eq!(&text[12..13], "4");
            assert!(matches!(&text[16..17], "8" | "9" | "a" | "b"), "{text}");
        }
    }
}
