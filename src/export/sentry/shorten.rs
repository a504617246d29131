//! Makes single values shorter that are too long to be sent.

use std::io;

use serde::Serialize;
use serde_json::Value;

/// How many bytes a value has as JSON.
pub(crate) fn length(value: &(impl Serialize + ?Sized)) -> serde_json::Result<usize> {
    let mut counter = Counter(0);
    serde_json::to_writer(&mut counter, value)?;
    Ok(counter.0)
}

/// Makes a value fit into so many bytes of JSON. Returns how many values in it were cut or left out.
///
/// The longest are cut first, all to about the same length, so that short ones
/// stay whole. An object stays an object and a list stays a list.
pub(crate) fn shorten(value: &mut Value, budget: usize) -> serde_json::Result<u64> {
    if length(value)? <= budget {
        return Ok(0);
    }
    match value {
        Value::String(text) => {
            cut(text, budget);
            Ok(1)
        }
        Value::Array(list) => {
            let parts = list.iter().map(|value| Ok((1, length(value)?)));
            let share = Share::new(&parts.collect::<serde_json::Result<Vec<_>>>()?, budget);
            let mut stays = share.stays.iter();
            list.retain(|_| stays.next() == Some(&true));
            share.apply(list.iter_mut())
        }
        Value::Object(map) => {
            let parts = map.iter().map(|(key, value)| {
                // A colon and a comma.
                Ok((length(key)? + 2, length(value)?))
            });
            let share = Share::new(&parts.collect::<serde_json::Result<Vec<_>>>()?, budget);
            let mut stays = share.stays.iter();
            map.retain(|_, _| stays.next() == Some(&true));
            share.apply(map.values_mut())
        }
        _ => Ok(0),
    }
}

/// How the parts of a list or an object share the room that there is.
struct Share {
    stays: Vec<bool>,
    /// How long each of those that stay may be.
    longest: usize,
}

impl Share {
    /// `parts` are the lengths of what goes along with each value, and of the value.
    fn new(parts: &[(usize, usize)], budget: usize) -> Self {
        // What is left once everything that stays has its smallest form.
        let mut room = budget.saturating_sub(2);
        let stays: Vec<bool> = parts
            .iter()
            .map(|(around, value)| {
                let left = room.checked_sub(around + (*value).min(SMALLEST));
                room = left.unwrap_or(room);
                left.is_some()
            })
            .collect();
        let mut lengths: Vec<usize> = parts
            .iter()
            .zip(&stays)
            .filter(|(_, stays)| **stays)
            .map(|((_, value), _)| *value)
            .collect();
        lengths.sort_unstable();
        room += lengths
            .iter()
            .map(|value| value.min(&SMALLEST))
            .sum::<usize>();
        let mut longest = SMALLEST;
        for (place, value) in lengths.iter().enumerate() {
            // Those that come are at least as long as this one.
            longest = room / (lengths.len() - place);
            if *value > longest {
                break;
            }
            room -= value;
        }
        Self { stays, longest }
    }

    fn apply<'a>(&self, values: impl Iterator<Item = &'a mut Value>) -> serde_json::Result<u64> {
        let mut changed = self.stays.iter().filter(|stays| !**stays).count() as u64;
        for value in values {
            changed += shorten(value, self.longest)?;
        }
        Ok(changed)
    }
}

/// Cuts a text at a character, so that it has at most so many bytes as JSON.
fn cut(text: &mut String, budget: usize) {
    let mut room = budget.saturating_sub(2 + ELLIPSIS.len());
    let end = text.char_indices().find_map(|(place, c)| {
        let left = room.checked_sub(escaped_length(c));
        room = left.unwrap_or(room);
        left.is_none().then_some(place)
    });
    if let Some(end) = end {
        text.truncate(end);
        text.push_str(ELLIPSIS);
    }
}

/// How many bytes a character has inside a JSON string.
fn escaped_length(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..='\u{1f}' => 6,
        _ => c.len_utf8(),
    }
}

/// Counts what is written to it.
struct Counter(usize);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Stands where a text was cut.
const ELLIPSIS: &str = "…";
/// No value is cut to less than this, and no number is longer.
const SMALLEST: usize = 32;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_longest_are_cut_and_the_short_ones_stay() {
        let mut value = json!({
            "long": "x".repeat(10_000),
            "longer": ["y".repeat(20_000), 1],
            "number": 12,
            "short": "as it is",
        });
        assert_eq!(shorten(&mut value, 1_000).unwrap(), 2);
        assert!(length(&value).unwrap() <= 1_000);
        assert!(length(&value).unwrap() > 900);
        assert_eq!(value["short"], "as it is");
        assert_eq!(value["number"], 12);
        assert!(value["long"].as_str().unwrap().ends_with("x…"));
        assert_eq!(value["longer"][1], 1);
    }

    #[test]
    fn what_cannot_be_cut_is_left_out() {
        let mut value = json!((0..10_000).collect::<Vec<u32>>());
        assert!(shorten(&mut value, 100).unwrap() > 9_000);
        assert!(length(&value).unwrap() <= 100);
        assert_eq!(value[0], 0);

        let mut value = json!({ "a": 1, "z".repeat(10_000): 2 });
        assert_eq!(shorten(&mut value, 100).unwrap(), 1);
        assert_eq!(value, json!({ "a": 1 }));
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            "[\u{0}-\u{40}é😀]{0,200}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                prop::collection::btree_map(".{0,40}", inner, 0..8)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn everything_fits_afterwards(mut value in any_value(), budget in 32..2_000_usize) {
            let before = value.clone();
            let changed = shorten(&mut value, budget).unwrap();
            prop_assert!(length(&value).unwrap() <= budget, "{value}");
            prop_assert_eq!(changed == 0, value == before);
        }
    }
}
