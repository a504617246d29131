//! Attributes of a span, and other free-form JSON objects.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
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
    /// Returns the error of `value`'s own `Serialize` implementation, in which
    /// case nothing is changed.
    pub fn insert<V>(
        &mut self,
        key: impl Into<Cow<'static, str>>,
        value: &V,
    ) -> serde_json::Result<()>
    where
        V: Serialize + ?Sized,
    {
        self.insert_raw(key.into(), serde_json::value::to_raw_value(value)?);
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

fn parse(text: &RawValue) -> Value {
    // A number of over 64 bits is valid JSON but no `Value`.
    serde_json::from_str(text.get()).unwrap_or_else(|_| Value::String(text.get().to_owned()))
}
