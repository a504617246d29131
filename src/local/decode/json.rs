//! JSON that is checked and searched as text. Values take many times the memory of their text, so
//! none are built before a program asks for them.

use std::collections::HashSet;
use std::fmt;
use std::ops::ControlFlow;

use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// Checks that bytes are JSON of which a [`Value`] can be built, and returns them as text.
pub(super) fn check_json(bytes: &[u8]) -> Result<&str, serde_json::Error> {
    serde_json::from_slice::<Json>(bytes)?;
    let text = str::from_utf8(bytes).map_err(de::Error::custom)?;
    Ok(text.trim_ascii())
}

/// Builds the value of checked JSON. A string or a number takes little more than its text.
pub(super) fn value(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_default()
}

/// Builds the value of checked JSON, unless it is a list or an object.
pub(super) fn scalar(json: &str) -> Option<Value> {
    match json.as_bytes().first() {
        Some(b'[' | b'{') => None,
        _ => Some(value(json)),
    }
}

/// Visits the elements of a list until one of them breaks. `None` if it is no list.
pub(super) fn visit_list<'a, B>(
    json: &'a str,
    visit: impl FnMut(&'a str) -> ControlFlow<B>,
) -> Option<ControlFlow<B>> {
    let mut found = ControlFlow::Continue(());
    let elements = Elements {
        visit,
        found: &mut found,
    };
    // A visitor that breaks fails on purpose.
    let read = serde_json::Deserializer::from_str(json).deserialize_seq(elements);
    (read.is_ok() || found.is_break()).then_some(found)
}

/// The fields of an object that this crate knows.
#[derive(Default)]
pub(super) struct Fields<'a>(Vec<(&'static str, &'a str)>);

impl<'a> Fields<'a> {
    /// Reads the fields of checked JSON. `None` if it is no object.
    pub(super) fn read(json: &'a str) -> Option<Self> {
        let mut fields = Self::default();
        let visitor = FieldsVisitor {
            fields: &mut fields,
            check_key: |_: &str| ControlFlow::Continue(()),
        };
        let read = serde_json::Deserializer::from_str(json).deserialize_map(visitor);
        read.is_ok().then_some(fields)
    }

    /// Reads the fields of a checked object, or returns the first key that stands twice in it.
    pub(super) fn read_unique(json: &'a str) -> Result<Self, String> {
        let (mut fields, mut keys, mut twice) = (Self::default(), HashSet::new(), None);
        let visitor = FieldsVisitor {
            fields: &mut fields,
            check_key: |key: &str| {
                if keys.contains(key) {
                    twice = Some(key.to_owned());
                    return ControlFlow::Break(());
                }
                keys.insert(key.to_owned());
                ControlFlow::Continue(())
            },
        };
        // A key that stands twice is an error here, and the only one.
        let _ = serde_json::Deserializer::from_str(json).deserialize_map(visitor);
        match twice {
            Some(key) => Err(key),
            None => Ok(fields),
        }
    }

    /// The field of that name, which has to be one of [`NAMES`].
    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        debug_assert!(NAMES.contains(&name), "{name}");
        let mut fields = self.0.iter();
        fields.find(|field| field.0 == name).map(|field| field.1)
    }
}

/// Collects the fields of an object as long as its keys are as they should be.
struct FieldsVisitor<'f, 'a, C> {
    fields: &'f mut Fields<'a>,
    check_key: C,
}

impl<'de, C> Visitor<'de> for FieldsVisitor<'_, 'de, C>
where
    C: FnMut(&str) -> ControlFlow<()>,
{
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key_seed(Key(&mut self.check_key))? {
            let value: &RawValue = map.next_value()?;
            let Some(name) = name else { continue };
            let fields = &mut self.fields.0;
            // The last of several with the same name counts, as in values.
            fields.retain(|field| field.0 != name);
            fields.push((name, value.get()));
        }
        Ok(())
    }
}

/// Reads a key, and returns the name if this crate knows it.
struct Key<'c, C>(&'c mut C);

impl<'de, C: FnMut(&str) -> ControlFlow<()>> DeserializeSeed<'de> for Key<'_, C> {
    type Value = Option<&'static str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de, C: FnMut(&str) -> ControlFlow<()>> Visitor<'de> for Key<'_, C> {
    type Value = Option<&'static str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<Self::Value, E> {
        match (self.0)(key) {
            ControlFlow::Continue(()) => Ok(NAMES.iter().copied().find(|name| *name == key)),
            ControlFlow::Break(()) => Err(E::custom(format_args!("the key {key:?} is refused"))),
        }
    }
}

/// Any JSON, of which nothing is kept.
struct Json;

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Json {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self, A::Error> {
        while list.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        let check_key = &mut |key: &str| match key {
            RESERVED => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        };
        while map.next_key_seed(Key(check_key))?.is_some() {
            map.next_value::<Self>()?;
        }
        Ok(self)
    }
}

/// The elements of a list, one at a time.
struct Elements<'f, F, B> {
    visit: F,
    found: &'f mut ControlFlow<B>,
}

impl<'de, F, B> Visitor<'de> for Elements<'_, F, B>
where
    F: FnMut(&'de str) -> ControlFlow<B>,
{
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        while let Some(element) = list.next_element::<&RawValue>()? {
            *self.found = (self.visit)(element.get());
            if self.found.is_break() {
                return Err(de::Error::custom("the rest is not needed"));
            }
        }
        Ok(())
    }
}

/// An object with this key is something else to serde_json than an object.
const RESERVED: &str = "$serde_json::private::RawValue";

/// The names of all fields that are looked up.
const NAMES: &[&str] = &[
    "category",
    "content_type",
    "contexts",
    "data",
    "description",
    "discarded_events",
    "event_id",
    "item_count",
    "items",
    "length",
    "op",
    "parent_span_id",
    "quantity",
    "reason",
    "span_id",
    "spans",
    "start_timestamp",
    "status",
    "tags",
    "timestamp",
    "trace",
    "trace_id",
    "transaction",
    "type",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_text_is_json_as_for_values() {
        let deep = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let texts = [
            r#" {"a": [1, -2, 3.5, null, true, "\u00e9\ud83d\ude00", {"b": {}}]} "#.to_owned(),
            deep(127),
            deep(128),
            deep(100_000),
            "[1e309]".to_owned(),
            r#"["\ud800"]"#.to_owned(),
            r#"{"\ud800":0}"#.to_owned(),
            "{\"a\":\"\n\"}".to_owned(),
            "[1,]".to_owned(),
            "{} {}".to_owned(),
            String::new(),
        ];
        for text in texts {
            let checked = check_json(text.as_bytes()).map(value);
            let built = serde_json::from_str::<Value>(&text);
            assert_eq!(checked.ok(), built.ok(), "{text:.100}");
        }
        assert!(check_json(b"[\"\xff\"]").is_err());
        let reserved = format!("[{{\"{RESERVED}\":\"1\"}}]");
        assert!(check_json(reserved.as_bytes()).is_err());
    }

    #[test]
    fn the_last_of_several_fields_with_one_name_counts() {
        let json = check_json(br#"{"op":1,"other":2,"o\u0070":[3]}"#).unwrap();
        let fields = Fields::read(json).unwrap();
        assert_eq!(fields.get("op"), Some("[3]"));
        assert!(fields.get("data").is_none());
        assert!(Fields::read(check_json(b"[]").unwrap()).is_none());
        assert_eq!(Fields::read_unique(json).err().as_deref(), Some("op"));
    }

    #[test]
    fn a_list_is_visited_up_to_where_the_visitor_breaks() {
        let json = check_json(b"[1,[2],3]").unwrap();
        let mut seen = Vec::new();
        let found = visit_list(json, |element| {
            seen.push(element);
            match element {
                "[2]" => ControlFlow::Break("found"),
                _ => ControlFlow::Continue(()),
            }
        });
        assert_eq!(found, Some(ControlFlow::Break("found")));
        assert_eq!(seen, ["1", "[2]"]);
        let object = check_json(b"{}").unwrap();
        assert_eq!(
            visit_list(object, |_| ControlFlow::<()>::Continue(())),
            None
        );
    }

    #[test]
    fn checking_takes_no_memory() {
        let text = format!("[{}0]", "{\"\":[{}]},".repeat(10_000));
        let allocated = allocation_counter::measure(|| {
            let json = check_json(text.as_bytes()).unwrap();
            assert!(Fields::read(json).is_none());
            let visited = visit_list(json, |_| ControlFlow::<()>::Continue(()));
            assert!(visited.is_some());
        });
        assert!(allocated.bytes_total < 1_000, "{allocated:?}");
    }
}
