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

/// Makes a user one that readers take: they refuse everything for a key that stands twice, or for a
/// field of another type.
pub(crate) fn make_valid(user: &mut User) {
    let User {
        id,
        username,
        email,
        ip_address,
        other,
    } = user;
    for (name, field) in [("id", id), ("username", username), ("email", email)] {
        let misplaced = other.remove(name);
        *field = field.take().or_else(|| as_text(misplaced?));
    }
    let misplaced = other.remove("ip_address");
    *ip_address = ip_address.or_else(|| as_text(misplaced?)?.parse().ok());
    other.values_mut().for_each(limit_depth);
}

fn as_text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
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

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use serde_json::json;

    use super::*;

    fn user(other: &Value) -> User {
        let other = other.as_object().unwrap().clone().into_iter().collect();
        let mut user = User {
            email: Some("ada@shop.example".to_owned()),
            other,
            ..User::default()
        };
        make_valid(&mut user);
        user
    }

    #[test]
    fn a_field_of_a_user_stands_in_its_own_place() {
        let valid = user(&json!({ "id": 7, "email": "x", "ip_address": "::1", "plan": "free" }));
        assert_eq!(valid.id.as_deref(), Some("7"));
        assert_eq!(valid.email.as_deref(), Some("ada@shop.example"));
        assert_eq!(
            valid.ip_address,
            Some(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]))
        );
        assert_eq!(
            Vec::from_iter(valid.other),
            [("plan".to_owned(), json!("free"))]
        );
    }

    /// Readers refuse the whole envelope for it.
    #[test]
    fn what_does_not_fit_a_field_of_a_user_is_dropped() {
        let valid = user(&json!({ "id": [7], "username": null, "ip_address": "somewhere" }));
        let expected = User {
            email: Some("ada@shop.example".to_owned()),
            ..User::default()
        };
        assert_eq!(valid, expected);
    }
}
