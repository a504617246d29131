//! Attributes of a span, and other free-form JSON objects.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde::ser::Error as _;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// A map from keys to JSON values, ordered by key.
///
/// Values are held as JSON text: they are made once, where they are recorded,
/// and copied from there to the wire.
#[derive(Clone, Default, Serialize)]
#[serde(transparent)]
pub struct Data {
    entries: BTreeMap<Cow<'static, str>, Box<RawValue>>,
}

impl Data {
    /// The value under `key`.
    pub fn get(&self, key: &str) -> Option<Value> {
        self.entries.get(key).map(|value| parse(value))
    }

    /// Whether there is a value under `key`.
    pub fn contains_key(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Puts `value` under `key` in place of any value that was there.
    ///
    /// # Errors
    ///
    /// Returns the error of `value`'s own `Serialize` implementation, and one if
    /// the value nests deeper than 100 levels, for which servers would refuse
    /// everything. Nothing is changed then.
    pub fn insert<V>(
        &mut self,
        key: impl Into<Cow<'static, str>>,
        value: &V,
    ) -> serde_json::Result<()>
    where
        V: Serialize + ?Sized,
    {
        let value = serde_json::value::to_raw_value(value)?;
        if depth(value.get()) > MAX_DEPTH {
            return Err(serde_json::Error::custom("nested too deeply"));
        }
        self.insert_raw(key.into(), value);
        Ok(())
    }

    /// Removes the value under `key` and returns it.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        self.entries.remove(key).map(|value| parse(&value))
    }

    /// Keys and values, ordered by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Value)> {
        self.entries
            .iter()
            .map(|(key, value)| (key.as_ref(), parse(value)))
    }

    /// The number of keys.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Takes everything out.
    pub(crate) fn take_values(&mut self) -> Map<String, Value> {
        std::mem::take(&mut self.entries)
            .into_iter()
            .map(|(key, value)| (key.into_owned(), parse(&value)))
            .collect()
    }

    /// Puts JSON text under `key` in place of any value that was there.
    pub(crate) fn insert_raw(&mut self, key: Cow<'static, str>, value: Box<RawValue>) {
        self.entries.insert(key, value);
    }
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.entries.iter().map(|(key, value)| (key, value.get())))
            .finish()
    }
}

/// How many levels of lists and objects JSON text has.
fn depth(json: &str) -> usize {
    let (mut depth, mut deepest, mut in_string) = (0_usize, 0, false);
    let mut bytes = json.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            // What follows is part of the string, whatever it is.
            b'\\' => drop(bytes.next()),
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

fn parse(text: &RawValue) -> Value {
    // A number of over 64 bits is valid JSON but no `Value`.
    serde_json::from_str(text.get()).unwrap_or_else(|_| Value::String(text.get().to_owned()))
}

/// Readers refuse JSON that is nested 128 levels deep, and with it the whole
/// transaction, of which an attribute is the fifth level.
const MAX_DEPTH: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nests_too_deeply_is_not_taken() {
        let nested = |depth| (0..depth).fold(Value::Null, |inner, _| Value::from(vec![inner]));
        let mut data = Data::default();
        data.insert("a", &nested(100)).unwrap();
        assert!(data.insert("a", &nested(101)).is_err());
        assert_eq!(data.get("a"), Some(nested(100)));
        let brackets = r#"\"[[{"#.repeat(200);
        data.insert("a", &brackets).unwrap();
        assert_eq!(data.get("a"), Some(brackets.into()));
    }
}
