//! The identifiers of the protocol: traces, spans and events.

use std::cell::RefCell;
use std::fmt;
use std::str::FromStr;

use rand::distr::{Distribution, StandardUniform};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::{Builder, Uuid};

/// The identifier of a trace: a UUID that is never nil, written as 32 lowercase hex digits.
///
/// Log it, store it and compare it as the [`Uuid`] that a program may have already:
///
/// ```
/// use taskspan::{ParseIdError, TraceId};
/// use uuid::Uuid;
///
/// let trace_id: TraceId = "3f0c2a9be41d4f7c9a60b1d2c3e4f506".parse()?;
/// let uuid = Uuid::from(trace_id);
/// assert_eq!(uuid.to_string(), "3f0c2a9b-e41d-4f7c-9a60-b1d2c3e4f506");
///
/// assert_eq!(TraceId::try_from(uuid)?, trace_id);
/// assert_eq!(TraceId::try_from(Uuid::nil()), Err(ParseIdError::Zero));
/// # Ok::<(), ParseIdError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TraceId(Uuid);

/// The identifier of a span: 8 bytes, never all zero, written as 16 lowercase hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpanId(u64);

/// The identifier of an event: a UUID, written as 32 lowercase hex digits without dashes.
///
/// Log it, store it and compare it as the [`Uuid`] that a program may have already:
///
/// ```
/// use taskspan::EventId;
/// use uuid::Uuid;
///
/// let event_id: EventId = "5a1c9f3e7b2d4c60a8e1f4d39b7c2e10".parse()?;
/// let uuid = Uuid::from(event_id);
/// assert_eq!(uuid.to_string(), "5a1c9f3e-7b2d-4c60-a8e1-f4d39b7c2e10");
/// assert_eq!(EventId::from(uuid), event_id);
/// # Ok::<(), taskspan::ParseIdError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId(Uuid);

/// The error returned when a text or a UUID is not an identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParseIdError {
    /// The text does not have the exact number of lowercase hex digits.
    Malformed,
    /// It is all zero, which servers refuse.
    Zero,
}

impl TraceId {
    /// Creates an identifier from random bits.
    pub(crate) fn from_random(bits: u128) -> Self {
        Self(Uuid::from_u128(bits.max(1)))
    }

    /// The number behind the digits.
    pub(crate) fn bits(self) -> u128 {
        self.0.as_u128()
    }

    fn from_parsed(bits: u128) -> Result<Self, ParseIdError> {
        Self::try_from(Uuid::from_u128(bits))
    }
}

impl SpanId {
    /// An identifier for where any will do.
    pub(crate) const ONE: Self = Self(1);

    /// Creates an identifier from any bits but zero.
    pub(crate) fn from_bits(bits: u64) -> Option<Self> {
        (bits != 0).then_some(Self(bits))
    }

    fn bits(self) -> u128 {
        self.0.into()
    }

    /// No more bits than 16 digits have are read, so none is cut off.
    fn from_parsed(bits: u128) -> Result<Self, ParseIdError> {
        Self::from_bits(bits as u64).ok_or(ParseIdError::Zero)
    }
}

impl EventId {
    /// Creates a version 4 UUID from random bits.
    pub(crate) fn from_random(bits: u128) -> Self {
        Self(Builder::from_random_bytes(bits.to_be_bytes()).into_uuid())
    }

    fn bits(self) -> u128 {
        self.0.as_u128()
    }

    fn from_parsed(bits: u128) -> Result<Self, ParseIdError> {
        Ok(Self(Uuid::from_u128(bits)))
    }
}

impl From<TraceId> for Uuid {
    fn from(id: TraceId) -> Self {
        id.0
    }
}

impl TryFrom<Uuid> for TraceId {
    type Error = ParseIdError;

    /// Refuses the nil UUID, as servers do.
    fn try_from(uuid: Uuid) -> Result<Self, Self::Error> {
        match uuid.is_nil() {
            true => Err(ParseIdError::Zero),
            false => Ok(Self(uuid)),
        }
    }
}

impl From<EventId> for Uuid {
    fn from(id: EventId) -> Self {
        id.0
    }
}

impl From<Uuid> for EventId {
    fn from(uuid: Uuid) -> Self {
        Self(uuid)
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
    ($name:ident, $digits:literal) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let text = hex::<$digits>(self.bits());
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
                Self::from_parsed(parse_hex(text, $digits)?)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let text = hex::<$digits>(self.bits());
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

identifier!(TraceId, 32);
identifier!(SpanId, 16);
identifier!(EventId, 32);

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
    use proptest::prelude::*;

    use super::*;

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
        // Forms of a UUID that are not the protocol's.
        for text in [
            "3f0c2a9b-e41d-4f7c-9a60-b1d2c3e4f506",
            "{3f0c2a9be41d4f7c9a60b1d2c3e4f506}",
            "3F0C2A9BE41D4F7C9A60B1D2C3E4F506",
            "urn:uuid:3f0c2a9b-e41d-4f7c-9a60-b1d2c3e4f506",
        ] {
            let malformed = ParseIdError::Malformed;
            assert_eq!(text.parse::<TraceId>(), Err(malformed), "{text}");
            assert_eq!(text.parse::<EventId>(), Err(malformed), "{text}");
        }
    }

    #[test]
    fn only_an_event_id_may_be_zero() {
        let zero = "0".repeat(32);
        assert_eq!(zero[..16].parse::<SpanId>(), Err(ParseIdError::Zero));
        assert_eq!(zero.parse::<TraceId>(), Err(ParseIdError::Zero));
        assert_eq!(TraceId::try_from(Uuid::nil()), Err(ParseIdError::Zero));
        assert_eq!(zero.parse(), Ok(EventId::from(Uuid::nil())));
        assert!(!Uuid::from(TraceId::from_random(0)).is_nil());
    }

    #[test]
    fn an_event_id_is_a_version_4_uuid() {
        for bits in [0, u128::MAX] {
            let uuid = Uuid::from(EventId::from_random(bits));
            assert_eq!(uuid.get_version_num(), 4);
            assert_eq!(uuid.get_variant(), uuid::Variant::RFC4122);
        }
    }

    proptest! {
        #[test]
        fn every_form_of_an_identifier_is_the_same_one(bits in 1..=u128::MAX) {
            let uuid = Uuid::from_u128(bits);
            let text = uuid.simple().to_string();

            let trace_id = TraceId::try_from(uuid).unwrap();
            prop_assert_eq!(Uuid::from(trace_id), uuid);
            prop_assert_eq!(trace_id.bits(), bits);
            prop_assert_eq!(TraceId::from_random(bits), trace_id);
            prop_assert_eq!(trace_id.to_string(), text.as_str());
            prop_assert_eq!(text.parse(), Ok(trace_id));

            let event_id = EventId::from(uuid);
            prop_assert_eq!(Uuid::from(event_id), uuid);
            prop_assert_eq!(event_id.to_string(), text.as_str());
            prop_assert_eq!(text.parse(), Ok(event_id));

            let json = serde_json::to_string(&(trace_id, event_id)).unwrap();
            prop_assert_eq!(&json, &format!(r#"["{text}","{text}"]"#));
            prop_assert_eq!(serde_json::from_str(&json).ok(), Some((trace_id, event_id)));
        }

        #[test]
        fn a_span_id_is_its_digits(bits in 1..=u64::MAX) {
            let id = SpanId::from_bits(bits).unwrap();
            prop_assert_eq!(id.to_string(), format!("{bits:016x}"));
            prop_assert_eq!(id.to_string().parse(), Ok(id));
        }
    }
}
