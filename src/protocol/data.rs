//! Attributes of a span, and other free-form JSON objects.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Index;

use serde::Serialize;
use serde_json::{Map, Value};

use super::value::to_value;

/// A map from keys to JSON values, ordered by key.
///
/// ```
/// use taskspan::protocol::Data;
///
/// let mut data = Data::default();
/// data.insert("rows", &10)?;
/// assert_eq!(data["rows"], 10);
/// assert!(data["columns"].is_null());
/// assert!(data.get("columns").is_none());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Data {
    entries: BTreeMap<Cow<'static, str>, Value>,
}

impl Data {
    /// The value under `key`.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entries.get(key)
    }

    /// Whether there is a value under `key`.
    pub fn contains_key(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Puts `value` under `key` in place of any value that was there.
    ///
    /// Integers over 64 bits become strings and numbers that are not finite `null`, as JSON has
    /// neither.
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
        self.insert_value(key.into(), to_value(value)?);
        Ok(())
    }

    /// Removes the value under `key` and returns it.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        self.entries.remove(key)
    }

    /// Keys and values, ordered by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.entries
            .iter()
            .map(|(key, value)| (key.as_ref(), value))
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
            .map(|(key, value)| (key.into_owned(), value))
            .collect()
    }

    /// Puts a value that servers take under `key` in place of any value that was there.
    pub(crate) fn insert_value(&mut self, key: Cow<'static, str>, value: Value) {
        self.entries.insert(key, value);
    }
}

impl Index<&str> for Data {
    type Output = Value;

    /// The value under a key, `null` if there is none.
    fn index(&self, key: &str) -> &Value {
        self.get(key).unwrap_or(&Value::Null)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nests_too_deeply_is_not_taken() {
        let nested = |depth| (0..depth).fold(Value::Null, |inner, _| Value::from(vec![inner]));
        let mut data = Data::default();
        data.insert("a", &nested(100)).unwrap();
        assert!(data.insert("a", &nested(101)).is_err());
        assert_eq!(data["a"], nested(100));
        let brackets = r#"\"[[{"#.repeat(200);
        data.insert("a", &brackets).unwrap();
        assert_eq!(data["a"], brackets);
    }
}
