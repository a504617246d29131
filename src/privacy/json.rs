//! JSON.

use serde_json::Value;

use super::{FILTERED, is_secret, text};

/// A JSON text without the values of secrets, `None` if it is not JSON.
pub(crate) fn json(json: &str) -> Option<String> {
    let mut value = serde_json::from_str(json).ok()?;
    hide(&mut value);
    Some(value.to_string())
}

fn hide(value: &mut Value) {
    match value {
        Value::Object(map) => map.iter_mut().for_each(|(name, value)| match value {
            _ if is_secret(name) => *value = FILTERED.into(),
            value => hide(value),
        }),
        Value::Array(list) => list.iter_mut().for_each(hide),
        Value::String(string) => {
            let told = text(string);
            if told != *string {
                *string = told.into_owned();
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_secrets_are_removed() {
        let table = [
            ("{", None),
            ("[1,\"a\"]", Some("[1,\"a\"]")),
            (
                r#"{"user":{"password":"x","name":"n"},"list":[{"apiKey":[1]}]}"#,
                Some(
                    r#"{"list":[{"apiKey":"[Filtered]"}],"user":{"name":"n","password":"[Filtered]"}}"#,
                ),
            ),
            (
                r#"{"link":"https://u:p@h/?sig=x"}"#,
                Some(r#"{"link":"https://[Filtered]:[Filtered]@h/?sig=[Filtered]"}"#),
            ),
        ];
        for (text, told) in table {
            assert_eq!(json(text).as_deref(), told);
        }
    }
}
