//! JSON objects whose fields are checked.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::SystemTime;

use serde_json::{Map, Value};

use super::invalid::InvalidTransaction;
use super::timestamp::parse_timestamp;
use crate::id::SpanId;
use crate::protocol::SpanStatus;

/// A JSON object that knows its place, to name its fields in errors.
pub(super) struct Object<'a> {
    place: &'a str,
    fields: &'a Map<String, Value>,
}

pub(super) type Field<T> = Result<Option<T>, InvalidTransaction>;

impl<'a> Object<'a> {
    pub(super) fn new(place: &'a str, value: &'a Value) -> Result<Self, InvalidTransaction> {
        match value {
            Value::Object(fields) => Ok(Self { place, fields }),
            _ => {
                let name = match place.trim_end_matches('.') {
                    "" => "payload",
                    name => name,
                };
                Err(InvalidTransaction::Malformed(name.to_owned()))
            }
        }
    }

    pub(super) fn of_fields(place: &'a str, fields: &'a Map<String, Value>) -> Self {
        Self { place, fields }
    }

    pub(super) fn fields(&self) -> &'a Map<String, Value> {
        self.fields
    }

    /// A field, unless it is missing or null, which are the same to servers.
    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        self.fields.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn need(&self, name: &str) -> Result<&'a Value, InvalidTransaction> {
        self.needed(name, Ok(self.get(name)))
    }

    pub(super) fn needed<T>(&self, name: &str, field: Field<T>) -> Result<T, InvalidTransaction> {
        field?.ok_or_else(|| InvalidTransaction::Missing(format!("{}{name}", self.place)))
    }

    pub(super) fn malformed(&self, name: &str) -> InvalidTransaction {
        InvalidTransaction::Malformed(format!("{}{name}", self.place))
    }

    fn read<T>(&self, name: &str, read: impl FnOnce(&Value) -> Option<T>) -> Field<T> {
        self.get(name)
            .map(|value| read(value).ok_or_else(|| self.malformed(name)))
            .transpose()
    }

    pub(super) fn text(&self, name: &str) -> Result<String, InvalidTransaction> {
        let text = self.read(name, |value| value.as_str().map(str::to_owned))?;
        Ok(text.unwrap_or_default())
    }

    pub(super) fn time(&self, name: &str) -> Field<SystemTime> {
        self.read(name, parse_timestamp)
    }

    pub(super) fn span_id(&self, name: &str) -> Field<SpanId> {
        self.read(name, |value| {
            value.as_str()?.to_ascii_lowercase().parse().ok()
        })
    }

    /// An identifier of 32 digits, which some SDKs write with dashes.
    pub(super) fn uuid<T: FromStr>(&self, name: &str) -> Field<T> {
        self.read(name, |value| {
            let digits = value.as_str()?.replace('-', "");
            digits.to_ascii_lowercase().parse().ok()
        })
    }

    /// The field `status`, unless servers do not know its value.
    pub(super) fn status(&self) -> Option<SpanStatus> {
        self.get("status").and_then(read_status)
    }

    /// A field with strings by name, empty if it is missing.
    pub(super) fn strings(&self, name: &str) -> BTreeMap<String, String> {
        self.get(name).map(read_strings).unwrap_or_default()
    }
}

/// Reads a status by its name, by a name that older SDKs have for it, or by its gRPC number.
fn read_status(value: &Value) -> Option<SpanStatus> {
    match value {
        Value::Number(number) => SpanStatus::from_grpc(usize::try_from(number.as_u64()?).ok()?),
        Value::String(name) => match name.as_str() {
            "success" => Some(SpanStatus::Ok),
            "failure" | "unknown_error" => Some(SpanStatus::InternalError),
            name => name.parse().ok(),
        },
        _ => None,
    }
}

/// Reads an object of strings, or a list of pairs, as some SDKs write tags.
fn read_strings(value: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    match value {
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| (key.clone(), text(value)))
            .collect(),
        Value::Array(pairs) => pairs
            .iter()
            .filter_map(|pair| match pair.as_array()?.as_slice() {
                [key, value] => Some((text(key), text(value))),
                _ => None,
            })
            .collect(),
        _ => BTreeMap::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn old_names_of_statuses_are_read() {
        for (sent, read) in [
            (json!("success"), Some(SpanStatus::Ok)),
            (json!("unknown_error"), Some(SpanStatus::InternalError)),
            (json!("unset"), None),
            (json!(16), Some(SpanStatus::Unauthenticated)),
            (json!(17), None),
            (json!([]), None),
        ] {
            assert_eq!(read_status(&sent), read, "{sent}");
        }
    }
}
