//! What servers take in the fields of a span.

use std::borrow::Cow;

/// The name of a transaction in the form that servers take: they cut off the rest.
pub(crate) fn name(name: Cow<'static, str>) -> Cow<'static, str> {
    cut(name, 200)
}

/// An operation in the form that servers take: they cut off the rest.
pub(crate) fn op(op: Cow<'static, str>) -> Cow<'static, str> {
    cut(op, 128)
}

/// An origin in the form that servers take: they refuse other characters.
pub(crate) fn origin(origin: Cow<'static, str>) -> Cow<'static, str> {
    let valid = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    if origin.is_empty() {
        return "manual".into();
    }
    if origin.chars().all(valid) {
        return cut(origin, 128);
    }
    let replaced = origin.chars().take(128);
    replaced.map(|c| if valid(c) { c } else { '_' }).collect()
}

/// The beginning of a text that is longer than this, with a mark in the place of its end.
pub(crate) fn shortened(text: &str, max_chars: usize) -> String {
    match text.char_indices().nth(max_chars) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// The first characters of a text.
fn cut(text: Cow<'static, str>, max_chars: usize) -> Cow<'static, str> {
    match text.char_indices().nth(max_chars) {
        None => text,
        Some((end, _)) => Cow::Owned(text[..end].to_owned()),
    }
}
