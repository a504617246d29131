//! Tags and data of spans, while they are recorded.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashSet;
use std::fmt::Display;
use std::io::Write as _;

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

use super::record::SpanNumber;

/// The attributes of many spans in one vector, their values in one text.
///
/// Setting the same key again adds an entry, and the last one counts. What is
/// overwritten is thrown out whenever the memory for it has doubled, so that a
/// span which counts its progress for hours keeps one value.
#[derive(Debug, Default)]
pub(crate) struct Attributes {
    entries: Vec<Attribute>,
    text: Vec<u8>,
    // The lengths at which to look for what was overwritten, 0 for the default.
    tidy_at: usize,
    tidy_at_text: usize,
}

#[derive(Debug)]
pub(crate) struct Attribute {
    pub(crate) span: SpanNumber,
    pub(crate) kind: Kind,
    pub(crate) key: Cow<'static, str>,
    start: usize,
    end: usize,
}

/// What an attribute's text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// Plain text.
    Tag,
    /// JSON.
    Data,
}

impl Attributes {
    #[inline]
    pub(crate) fn push(
        &mut self,
        span: SpanNumber,
        kind: Kind,
        key: Cow<'static, str>,
        value: &[u8],
    ) {
        let start = self.text.len();
        self.text.extend_from_slice(value);
        let end = self.text.len();
        self.entries.push(Attribute {
            span,
            kind,
            key,
            start,
            end,
        });
        if self.entries.len() > self.tidy_at.max(TIDY_AT)
            || end > self.tidy_at_text.max(TIDY_AT_TEXT)
        {
            self.tidy();
        }
    }

    /// All entries, and the text of each.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Attribute, &[u8])> {
        self.entries
            .iter()
            .map(|entry| (entry, &self.text[entry.start..entry.end]))
    }

    /// Parts what belongs to some spans from the rest.
    pub(crate) fn partition(self, first: impl Fn(SpanNumber) -> bool) -> (Self, Self) {
        let (mut taken, mut rest) = (Self::default(), Self::default());
        for entry in self.entries {
            let into = if first(entry.span) {
                &mut taken
            } else {
                &mut rest
            };
            into.push(
                entry.span,
                entry.kind,
                entry.key,
                &self.text[entry.start..entry.end],
            );
        }
        (taken, rest)
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.text.clear();
        (self.tidy_at, self.tidy_at_text) = (0, 0);
    }

    /// How many bytes are reserved.
    pub(crate) fn capacity(&self) -> usize {
        self.entries.capacity() * size_of::<Attribute>() + self.text.capacity()
    }

    /// Throws out what was overwritten.
    #[cold]
    fn tidy(&mut self) {
        let mut seen = HashSet::new();
        let last: Vec<bool> = self
            .entries
            .iter()
            .rev()
            .map(|entry| seen.insert((entry.span, entry.kind, &entry.key)))
            .collect();
        let text = std::mem::take(&mut self.text);
        let entries = std::mem::take(&mut self.entries);
        for (mut entry, last) in entries.into_iter().zip(last.into_iter().rev()) {
            if last {
                let start = self.text.len();
                self.text.extend_from_slice(&text[entry.start..entry.end]);
                (entry.start, entry.end) = (start, self.text.len());
                self.entries.push(entry);
            }
        }
        self.tidy_at = self.entries.len() * 2;
        self.tidy_at_text = self.text.len() * 2;
    }
}

/// Writes a value as JSON and calls `f` with the text.
///
/// A value that can't be written is replaced by the reason as a string. The
/// memory for the text is kept for the next value on this thread.
pub(crate) fn with_json(value: impl Serialize, f: impl FnOnce(&[u8])) {
    with_scratch(f, |text| {
        let mut serializer = Serializer::with_formatter(&mut *text, JsonForServers);
        if let Err(error) = value.serialize(&mut serializer) {
            text.clear();
            // Writing a string into memory can't fail.
            let _ = serde_json::to_writer(text, &error.to_string());
        }
    });
}

/// Writes a value as plain text and calls `f` with it.
pub(crate) fn with_text(value: impl Display, f: impl FnOnce(&[u8])) {
    // Only an implementation of `Display` can fail, and then there is no text.
    with_scratch(f, |text| drop(write!(text, "{value}")));
}

fn with_scratch(f: impl FnOnce(&[u8]), write: impl FnOnce(&mut Vec<u8>)) {
    thread_local! {
        static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    }
    // The value's own code runs in `write` and may come back here: it then
    // finds an empty vector and works with one of its own.
    let mut text = SCRATCH.try_with(Cell::take).unwrap_or_default();
    write(&mut text);
    f(&text);
    if text.capacity() <= KEPT_SCRATCH {
        text.clear();
        let _ = SCRATCH.try_with(|scratch| scratch.set(text));
    }
}

/// Compact JSON whose integers servers can read: those over 64 bits are strings.
struct JsonForServers;

impl Formatter for JsonForServers {
    fn write_i128<W>(&mut self, writer: &mut W, value: i128) -> std::io::Result<()>
    where
        W: ?Sized + std::io::Write,
    {
        match i64::try_from(value) {
            Ok(value) => self.write_i64(writer, value),
            Err(_) => write!(writer, "\"{value}\""),
        }
    }

    fn write_u128<W>(&mut self, writer: &mut W, value: u128) -> std::io::Result<()>
    where
        W: ?Sized + std::io::Write,
    {
        match u64::try_from(value) {
            Ok(value) => self.write_u64(writer, value),
            Err(_) => write!(writer, "\"{value}\""),
        }
    }
}

/// Below these lengths it is not worth looking for what was overwritten.
const TIDY_AT: usize = 4_096;
const TIDY_AT_TEXT: usize = 256 * 1_024;

/// A scratch text that has grown past this is not kept.
const KEPT_SCRATCH: usize = 16 * 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    fn json(value: impl Serialize) -> String {
        let mut written = String::new();
        with_json(value, |text| {
            written = String::from_utf8(text.to_vec()).unwrap();
        });
        written
    }

    #[test]
    fn what_json_cannot_say_is_replaced() {
        assert_eq!(json(f64::NAN), "null");
        assert_eq!(json(u64::MAX), "18446744073709551615");
        assert_eq!(
            json(u128::MAX),
            "\"340282366920938463463374607431768211455\""
        );
        assert_eq!(json(-5_i128), "-5");
        let keys_are_lists = std::collections::BTreeMap::from([([1], 2)]);
        assert_eq!(json(keys_are_lists), "\"key must be a string\"");
    }

    #[test]
    fn a_value_may_record_while_it_is_written() {
        struct Nested;
        impl Serialize for Nested {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&json("inner"))
            }
        }
        assert_eq!(json(Nested), r#""\"inner\"""#);
    }

    #[test]
    fn overwritten_values_take_no_memory() {
        let mut attributes = Attributes::default();
        let span = SpanNumber::new(1, 0);
        attributes.push(span, Kind::Data, "kept".into(), b"1");
        for _ in 0..1_000_000 {
            attributes.push(span, Kind::Data, "progress".into(), b"12345");
        }
        assert!(
            attributes.capacity() < 1024 * 1024,
            "{}",
            attributes.capacity()
        );
        assert!(
            attributes
                .iter()
                .any(|(entry, text)| entry.key == "kept" && text == b"1")
        );
    }
}
