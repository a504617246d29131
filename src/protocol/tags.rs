//! What servers take as a tag.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::Data;
use crate::diagnostics::{self, Topic};

/// The tags of a span or an event, as they were set.
#[derive(Default)]
pub(crate) struct Tags {
    set: BTreeMap<Cow<'static, str>, String>,
}

impl Tags {
    /// Sets a tag, over what was set before.
    pub(crate) fn set(&mut self, key: Cow<'static, str>, value: String) {
        self.set.insert(key, value);
    }

    /// Takes over all tags of others, which win over those that are here.
    pub(crate) fn extend(&mut self, other: Self) {
        self.set.extend(other.set);
    }

    /// The tags in the form that servers take.
    ///
    /// Where that form is not exactly what was set, the value is kept whole in
    /// `data` under the key as it was set, unless something else is there.
    pub(crate) fn finish(self, data: &mut Data) -> BTreeMap<Cow<'static, str>, String> {
        let mut tags = BTreeMap::new();
        for (key, value) in self.set {
            let valid_key = valid_key(&key);
            let valid_value = valid_value(&value);
            let exact = valid_key.as_ref() == Some(&key) && valid_value.as_deref() == Some(&*value);
            match (valid_key, valid_value) {
                (Some(key), Some(value)) => {
                    tags.insert(key, value.into_owned());
                }
                _ => diagnostics::once_with(&OMITTED, &format_args!("{key:?}")),
            }
            if !exact && !data.contains_key(&key) {
                // A string always serialises.
                let _ = data.insert(key, &value);
            }
        }
        tags
    }
}

/// Makes tags fit that were changed after they had been made to fit. See [`Tags::finish`].
pub(crate) fn make_valid(tags: &mut BTreeMap<Cow<'static, str>, String>, data: &mut Data) {
    let set = std::mem::take(tags);
    *tags = Tags { set }.finish(data);
}

/// The key as servers take it, `None` if there is no such form.
#[expect(clippy::ptr_arg, reason = "a key that is borrowed for good stays so")]
fn valid_key(key: &Cow<'static, str>) -> Option<Cow<'static, str>> {
    if key.is_empty() || RESERVED.contains(&key.as_ref()) {
        return None;
    }
    let valid = |c: char| c.is_ascii_alphanumeric() || "_.:-".contains(c);
    if key.len() <= MAX_CHARS && key.chars().all(valid) {
        return Some(key.clone());
    }
    let replaced = key
        .chars()
        .take(MAX_CHARS)
        .map(|c| if valid(c) { c } else { '-' });
    Some(Cow::Owned(replaced.collect()))
}

/// The value as servers take it, `None` if there is no such form.
fn valid_value(value: &str) -> Option<Cow<'_, str>> {
    let end = value
        .char_indices()
        .nth(MAX_CHARS)
        .map_or(value.len(), |(at, _)| at);
    let cut = &value[..end];
    // Servers trim it before they look.
    if cut.trim().is_empty() {
        return None;
    }
    if cut.contains(['\n', '\r']) {
        return Some(Cow::Owned(cut.replace(['\n', '\r'], " ")));
    }
    Some(Cow::Borrowed(cut))
}

static OMITTED: Topic = Topic::new(
    "a tag that servers would refuse is sent as data instead: its key is empty or reserved, or its value blank",
);

/// Longer keys and values are cut by servers.
const MAX_CHARS: usize = 200;

/// Keys that servers drop, because events have a field of that name.
const RESERVED: [&str; 6] = [
    "release",
    "environment",
    "user",
    "dist",
    "filename",
    "function",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_made_to_fit_and_kept_whole_beside() {
        let long = "é".repeat(201);
        let cut = "é".repeat(200);
        let blank_where_it_is_cut = format!("{}acme", " ".repeat(200));
        // key, value, tag, whether the whole value is kept in the data
        let table = [
            ("tenant", "acme", Some(("tenant", "acme")), false),
            ("tenant", &long, Some(("tenant", &cut)), true),
            ("tenant", "two\nlines", Some(("tenant", "two lines")), true),
            ("tenant", "", None, true),
            ("tenant", " ", None, true),
            ("tenant", "\n\t\u{2003}", None, true),
            ("tenant", &blank_where_it_is_cut, None, true),
            ("tenant", " acme ", Some(("tenant", " acme ")), false),
            ("", "acme", None, true),
            ("release", "1.0", None, true),
            ("a key", "acme", Some(("a-key", "acme")), true),
            ("größe", "acme", Some(("gr--e", "acme")), true),
        ];
        for (key, value, tag, kept) in table {
            let (mut tags, mut data) = (Tags::default(), Data::default());
            tags.set(Cow::Owned(key.to_owned()), value.to_owned());
            let tags = tags.finish(&mut data);
            let found = tags
                .iter()
                .next()
                .map(|(key, value)| (key.as_ref(), value.as_str()));
            assert_eq!(found, tag, "{key}={value}");
            assert_eq!(
                data.get(key).cloned(),
                kept.then(|| value.into()),
                "{key}={value}"
            );
        }
    }
    #[test]
    fn the_last_value_counts_also_where_it_does_not_fit() {
        let long = |letter: &str| letter.repeat(201);
        // values in the order in which they were set, tag, what is kept in the data
        let table = [
            (
                [long("a"), long("b")],
                Some(&long("b")[..200]),
                Some(long("b")),
            ),
            ([long("a"), "b".into()], Some("b"), None),
            (["a".into(), String::new()], None, Some(String::new())),
        ];
        for (values, tag, kept) in table {
            let (mut tags, mut data) = (Tags::default(), Data::default());
            for value in values {
                tags.set("key".into(), value);
            }
            let tags = tags.finish(&mut data);
            assert_eq!(tags.get("key").map(String::as_str), tag);
            assert_eq!(data.get("key").cloned(), kept.map(Into::into));
        }
    }

    #[test]
    fn data_that_was_set_under_the_same_key_stays() {
        let (mut tags, mut data) = (Tags::default(), Data::default());
        data.insert("a key", &1).unwrap();
        tags.set("a key".into(), "acme".into());
        assert_eq!(tags.finish(&mut data)["a-key"], "acme");
        assert_eq!(data.get("a key").cloned(), Some(1.into()));
    }
}
