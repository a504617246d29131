//! What servers take as the origin of a span.

use std::borrow::Cow;

/// The origin in the form that servers take: they refuse other characters.
pub(crate) fn valid(origin: Cow<'static, str>) -> Cow<'static, str> {
    let valid = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    if origin.is_empty() {
        return "manual".into();
    }
    if origin.len() <= MAX_CHARS && origin.chars().all(valid) {
        return origin;
    }
    let replaced = origin.chars().take(MAX_CHARS);
    replaced.map(|c| if valid(c) { c } else { '_' }).collect()
}

/// Servers cut it to so many characters.
const MAX_CHARS: usize = 128;
