//! The values of attributes, by their types.
//!
//! An attribute is a truth value, an integer, a floating-point number, a text, a list of these or,
//! for anything else that serialises, JSON. The first four are told apart without writing them:
//! that is left to whoever sends them.

use std::fmt::{self, Display, Write as _};

use serde::ser::{self, Serialize};
use serde_json::ser::Compound;
use serde_json::{Error, Number, Value};

use super::json::{JsonForServers, JsonWriter, Scratch, writer};

/// A value as it is recorded, borrowed from where it was set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Borrowed<'a> {
    Bool(bool),
    Integer(i64),
    Unsigned(u64),
    Double(f64),
    Single(f32),
    Text(&'a str),
    /// JSON text of anything else, lists among it.
    Json(&'a str),
}

/// Finds out what a value is, and calls `keep` with it.
///
/// Nothing is formatted or allocated for a primitive or a text. The memory for JSON is kept for
/// the next value on this thread.
///
/// # Errors
///
/// Returns the error of the value's own `Serialize` implementation, and one if the value nests
/// deeper than 100 levels, for which servers would refuse everything. `keep` is not called then.
#[inline]
pub(crate) fn with<V, F>(value: &V, keep: F) -> Result<(), Error>
where
    V: Serialize + ?Sized,
    F: FnOnce(Borrowed<'_>),
{
    let mut keep = Some(keep);
    let mut json = writer(Scratch::default());
    value.serialize(Typed {
        keep: &mut keep,
        json: &mut json,
    })?;
    if let Some(keep) = keep {
        let mut scratch = json.into_inner();
        // Whatever is written as JSON is UTF-8.
        keep(Borrowed::Json(
            str::from_utf8(scratch.text()).unwrap_or("null"),
        ));
    }
    Ok(())
}

/// As [`with`], but a value that does not serialise is replaced by the reason.
#[inline]
pub(crate) fn with_or_reason<V, F>(value: &V, keep: F)
where
    V: Serialize + ?Sized,
    F: FnOnce(Borrowed<'_>),
{
    let mut keep = Some(keep);
    let result = with(value, |borrowed| {
        if let Some(keep) = keep.take() {
            keep(borrowed);
        }
    });
    if let (Err(error), Some(keep)) = (result, keep) {
        keep(Borrowed::Text(&error.to_string()));
    }
}

/// A value in the form that is sent.
///
/// # Errors
///
/// As [`with`].
pub(crate) fn to_value<V: Serialize + ?Sized>(value: &V) -> Result<Value, Error> {
    let mut owned = Value::Null;
    with(value, |borrowed| owned = borrowed.to_value())?;
    Ok(owned)
}

impl Borrowed<'_> {
    /// The value in the form that is sent. A number that is not finite is null, as JSON has none.
    pub(crate) fn to_value(self) -> Value {
        match self {
            Self::Bool(value) => value.into(),
            Self::Integer(value) => value.into(),
            Self::Unsigned(value) => value.into(),
            Self::Double(value) => value.into(),
            // By its shortest form: 0.1 is not 0.10000000149011612.
            Self::Single(value) => {
                let double = value.to_string().parse().ok();
                double
                    .and_then(Number::from_f64)
                    .map_or(Value::Null, Value::Number)
            }
            Self::Text(text) => text.into(),
            // A number of over 64 bits is valid JSON but no value.
            Self::Json(json) => serde_json::from_str(json).unwrap_or_else(|_| json.into()),
        }
    }
}

/// Keeps what is a value of its own, and writes everything else as JSON.
struct Typed<'a, F> {
    keep: &'a mut Option<F>,
    json: &'a mut JsonWriter,
}

impl<F: FnOnce(Borrowed<'_>)> Typed<'_, F> {
    #[inline]
    fn keep(self, value: Borrowed<'_>) {
        if let Some(keep) = self.keep.take() {
            keep(value);
        }
    }
}

type Json<'a> = Compound<'a, Scratch, JsonForServers>;

impl<'a, F: FnOnce(Borrowed<'_>)> ser::Serializer for Typed<'a, F> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Json<'a>;
    type SerializeTuple = Json<'a>;
    type SerializeTupleStruct = Json<'a>;
    type SerializeTupleVariant = Json<'a>;
    type SerializeMap = Json<'a>;
    type SerializeStruct = Json<'a>;
    type SerializeStructVariant = Json<'a>;

    #[inline]
    fn serialize_bool(self, value: bool) -> Result<(), Error> {
        self.keep(Borrowed::Bool(value));
        Ok(())
    }

    #[inline]
    fn serialize_i8(self, value: i8) -> Result<(), Error> {
        self.serialize_i64(value.into())
    }

    #[inline]
    fn serialize_i16(self, value: i16) -> Result<(), Error> {
        self.serialize_i64(value.into())
    }

    #[inline]
    fn serialize_i32(self, value: i32) -> Result<(), Error> {
        self.serialize_i64(value.into())
    }

    #[inline]
    fn serialize_i64(self, value: i64) -> Result<(), Error> {
        self.keep(Borrowed::Integer(value));
        Ok(())
    }

    fn serialize_i128(self, value: i128) -> Result<(), Error> {
        match i64::try_from(value) {
            Ok(value) => self.serialize_i64(value),
            Err(_) => self.collect_str(&value),
        }
    }

    #[inline]
    fn serialize_u8(self, value: u8) -> Result<(), Error> {
        self.serialize_u64(value.into())
    }

    #[inline]
    fn serialize_u16(self, value: u16) -> Result<(), Error> {
        self.serialize_u64(value.into())
    }

    #[inline]
    fn serialize_u32(self, value: u32) -> Result<(), Error> {
        self.serialize_u64(value.into())
    }

    #[inline]
    fn serialize_u64(self, value: u64) -> Result<(), Error> {
        self.keep(Borrowed::Unsigned(value));
        Ok(())
    }

    fn serialize_u128(self, value: u128) -> Result<(), Error> {
        match u64::try_from(value) {
            Ok(value) => self.serialize_u64(value),
            Err(_) => self.collect_str(&value),
        }
    }

    #[inline]
    fn serialize_f32(self, value: f32) -> Result<(), Error> {
        self.keep(Borrowed::Single(value));
        Ok(())
    }

    #[inline]
    fn serialize_f64(self, value: f64) -> Result<(), Error> {
        self.keep(Borrowed::Double(value));
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), Error> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    #[inline]
    fn serialize_str(self, value: &str) -> Result<(), Error> {
        self.keep(Borrowed::Text(value));
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Error> {
        self.json.serialize_bytes(value)
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.keep(Borrowed::Json("null"));
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), Error> {
        self.serialize_str(variant)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.json
            .serialize_newtype_variant(name, index, variant, value)
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Json<'a>, Error> {
        self.json.serialize_seq(length)
    }

    fn serialize_tuple(self, length: usize) -> Result<Json<'a>, Error> {
        self.json.serialize_tuple(length)
    }

    fn serialize_tuple_struct(self, name: &'static str, length: usize) -> Result<Json<'a>, Error> {
        self.json.serialize_tuple_struct(name, length)
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Json<'a>, Error> {
        self.json
            .serialize_tuple_variant(name, index, variant, length)
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Json<'a>, Error> {
        self.json.serialize_map(length)
    }

    fn serialize_struct(self, name: &'static str, length: usize) -> Result<Json<'a>, Error> {
        self.json.serialize_struct(name, length)
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Json<'a>, Error> {
        self.json
            .serialize_struct_variant(name, index, variant, length)
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<(), Error> {
        with_text(value, |text| self.keep(Borrowed::Text(text)));
        Ok(())
    }
}

/// Writes a value as plain text and calls `keep` with it.
///
/// The memory for the text is kept for the next value on this thread.
pub(crate) fn with_text(value: impl Display, keep: impl FnOnce(&str)) {
    let mut text = Text(Scratch::default());
    // Only an implementation of `Display` can fail, and then what it has written is all there is.
    let _ = write!(text, "{value}");
    keep(str::from_utf8(text.0.text()).unwrap_or_default());
}

/// Calls `work` with empty memory that is kept for the next value on this thread.
#[cfg(feature = "_http-server")]
pub(crate) fn with_bytes<R>(work: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    work(Scratch::default().text())
}

struct Text(Scratch);

impl fmt::Write for Text {
    #[inline]
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.text().extend_from_slice(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn json(value: impl Serialize) -> String {
        let mut written = String::new();
        with_or_reason(&value, |value| written = value.to_value().to_string());
        written
    }

    #[test]
    fn what_json_cannot_say_is_replaced() {
        assert_eq!(json(f64::NAN), "null");
        assert_eq!(json(f32::INFINITY), "null");
        assert_eq!(json(u64::MAX), "18446744073709551615");
        assert_eq!(
            json(u128::MAX),
            "\"340282366920938463463374607431768211455\""
        );
        assert_eq!(json(-5_i128), "-5");
        let keys_are_lists = std::collections::BTreeMap::from([([1], 2)]);
        assert_eq!(json(keys_are_lists), "\"key must be a string\"");
    }

    #[test]
    fn what_makes_readers_refuse_the_whole_transaction_is_replaced() {
        let nested = |depth| (0..depth).fold(Value::Null, |inner, _| Value::from(vec![inner]));
        assert_eq!(json(nested(100)), nested(100).to_string());
        assert_eq!(json(nested(101)), "\"nested too deeply\"");
        let raw = |text| json(serde_json::from_str::<&serde_json::value::RawValue>(text).unwrap());
        assert_eq!(raw(r#"{ "b": [1, 2] }"#), r#"{"b":[1,2]}"#);
        assert_eq!(raw("1e999"), r#""1e999""#);
        assert_eq!(raw(r#""\ud800""#), r#""\"\\ud800\"""#);
        let deep = format!("{}{}", "[".repeat(110), "]".repeat(110));
        assert_eq!(raw(&deep), "\"nested too deeply\"");
    }

    #[test]
    fn a_value_may_record_while_it_is_written() {
        struct Nested;
        impl Serialize for Nested {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&json("inner"))
            }
        }
        assert_eq!(json(Nested), r#""\"inner\"""#);
        assert_eq!(json([Nested]), r#"["\"inner\""]"#);
    }

    #[test]
    fn primitives_and_texts_keep_their_types() {
        #[derive(serde::Serialize)]
        enum Unit {
            Byte,
        }
        #[derive(serde::Serialize)]
        struct Wrapped<T>(T);
        fn kept(value: impl Serialize, expected: Borrowed<'_>) {
            let mut seen = false;
            with_or_reason(&value, |value| {
                assert_eq!(value, expected);
                seen = true;
            });
            assert!(seen, "{expected:?}");
        }
        kept(true, Borrowed::Bool(true));
        kept(-3_i8, Borrowed::Integer(-3));
        kept(3_usize, Borrowed::Unsigned(3));
        kept(0.5, Borrowed::Double(0.5));
        kept(0.5_f32, Borrowed::Single(0.5));
        kept("é", Borrowed::Text("é"));
        kept('é', Borrowed::Text("é"));
        kept(Some(String::from("a")), Borrowed::Text("a"));
        kept(Wrapped(Wrapped(7_u8)), Borrowed::Unsigned(7));
        kept(Unit::Byte, Borrowed::Text("Byte"));
        kept(None::<u8>, Borrowed::Json("null"));
        kept((), Borrowed::Json("null"));
        kept([1, 2], Borrowed::Json("[1,2]"));
        kept(format_args!("{}-{}", 1, 2), Borrowed::Text("1-2"));
    }

    proptest! {
        #[test]
        fn a_single_is_sent_by_its_shortest_form(value in any::<f32>()) {
            let sent = json(value);
            let expected = value.is_finite().then_some(value);
            prop_assert_eq!(sent.parse::<f32>().ok(), expected, "{}", sent);
        }
    }
}
