//! What readers take of values that programs set, and how large such values are.

use serde::Serialize;
use serde_json::Value;

use super::user::User;

/// A value as an object that servers read.
pub(crate) fn context_of(value: impl Serialize) -> Value {
    let mut context = match serde_json::to_value(value) {
        Ok(object @ Value::Object(_)) => object,
        Ok(other) => serde_json::json!({ "value": other }),
        Err(error) => serde_json::json!({ "value": error.to_string() }),
    };
    limit_depth(&mut context);
    context
}

/// About how many bytes a value takes.
pub(crate) fn size_of_value(value: &Value) -> usize {
    let within: usize = match value {
        Value::String(text) => text.len(),
        Value::Array(list) => list.iter().map(size_of_value).sum(),
        Value::Object(map) => {
            let entries = map.iter();
            entries
                .map(|(key, value)| key.len() + size_of_value(value))
                .sum()
        }
        _ => 0,
    };
    size_of::<Value>() + within
}

/// Makes a user one that readers take: a key that stands twice has them refuse everything.
pub(crate) fn make_valid(user: &mut User) {
    let User {
        id,
        username,
        email,
        ip_address,
        other,
    } = user;
    for (name, field) in [
        ("id", id),
        ("username", username),
        ("email", email),
        ("ip_address", ip_address),
    ] {
        if field.is_some() {
            other.remove(name);
        }
    }
    other.values_mut().for_each(limit_depth);
}

/// Takes out of a value what nests deeper than readers take.
pub(crate) fn limit_depth(value: &mut Value) {
    limit(value, MAX_DEPTH);
}

/// Takes out what nests deeper than `depth` levels.
fn limit(value: &mut Value, depth: u32) {
    match value {
        Value::Array(_) | Value::Object(_) if depth == 0 => *value = "nested too deeply".into(),
        Value::Array(list) => list.iter_mut().for_each(|value| limit(value, depth - 1)),
        Value::Object(map) => map.values_mut().for_each(|value| limit(value, depth - 1)),
        _ => {}
    }
}

/// Readers refuse JSON that is nested 128 levels deep, and with it the whole
/// transaction, of which this is the fourth level.
const MAX_DEPTH: u32 = 100;
