//! JSON objects whose fields are checked.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::SystemTime;

use serde_json::Value;

use super::invalid::InvalidTransaction;
use super::json::{Fields, scalar, value};
use super::timestamp::parse_timestamp;
use crate::protocol::SpanId;
use crate::protocol::SpanStatus;

/// A JSON object that knows its place, to name its fields in errors.
pub(super) struct Object<'a> {
    place: &'a str,
    fields: Fields<'a>,
}

pub(super) type Field<T> = Result<Option<T>, InvalidTransaction>;

impl<'a> Object<'a> {
    pub(super) fn new(place: &'a str, json: &'a str) -> Result<Self, InvalidTransaction> {
        match Fields::read(json) {
            Some(fields) => Ok(Self { place, fields }),
            None => {
                let name = match place.trim_end_matches('.') {
                    "" => "payload",
                    name => name,
                };
                Err(InvalidTransaction::Malformed(name.to_owned()))
            }
        }
    }

    /// A field, unless it is missing or null, which are the same to servers.
    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        self.fields.get(name).filter(|json| *json != "null")
    }

    pub(super) fn need(&self, name: &str) -> Result<&'a str, InvalidTransaction> {
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
            .map(|json| {
                let scalar = scalar(json);
                let read = scalar.as_ref().and_then(read);
                read.ok_or_else(|| self.malformed(name))
            })
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

    pub(super) fn uuid<T: FromStr>(&self, name: &str) -> Field<T> {
        self.read(name, read_uuid)
    }

    /// The field `status`, unless servers do not know its value.
    pub(super) fn status(&self) -> Option<SpanStatus> {
        read_status(&scalar(self.get("status")?)?)
    }

    /// A field with strings by name, empty if it is missing.
    pub(super) fn strings(&self, name: &str) -> BTreeMap<String, String> {
        let strings = self.get(name).map(|json| read_strings(&value(json)));
        strings.unwrap_or_default()
    }
}

/// Reads an identifier of 32 digits, which some SDKs write with dashes.
pub(super) fn read_uuid<T: FromStr>(value: &Value) -> Option<T> {
    let digits = value.as_str()?.replace('-', "");
    digits.to_ascii_lowercase().parse().ok()
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
pub(super) fn read_strings(value: &Value) -> BTreeMap<String, String> {
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
