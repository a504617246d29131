//! Tags and data of spans, while they are recorded.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashSet;
use std::fmt::Display;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{Formatter, Serializer};

use super::span::SpanNumber;
use crate::diagnostics::{self, Topic};

/// The attributes of many spans in one vector, their values in one text.
///
/// Setting the same key again adds an entry, and the last one counts. What is
/// overwritten is thrown out whenever the memory for it has doubled, so that a
/// span which counts its progress for hours keeps one value.
#[derive(Debug)]
pub(crate) struct Attributes {
    entries: Vec<Attribute>,
    text: Vec<u8>,
    // The lengths at which to look for what was overwritten.
    tidy_at: usize,
    tidy_at_text: usize,
    // How many entries there were after that was last done.
    tidied: usize,
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
    /// Nothing; the key is a trace id and a span id, with a dash between them.
    #[cfg(feature = "tracing")]
    Link,
    /// A request as [`RecordedRequest`](super::recorded_request::RecordedRequest) reads it, of a root.
    #[cfg(feature = "_http-server")]
    Request,
    /// Addresses as [`CallSite`](super::call_site::CallSite) reads them.
    #[cfg(feature = "_call-sites")]
    CallSite,
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
        let end = start + value.len();
        if self.entries.len() >= self.tidy_at || end > self.tidy_at_text {
            return self.push_tidily(span, kind, key, value);
        }
        self.text.extend_from_slice(value);
        self.entries.push(Attribute {
            span,
            kind,
            key,
            start,
            end,
        });
    }

    /// Throws out what was overwritten before it pushes, and keeps within the limit.
    #[cold]
    fn push_tidily(&mut self, span: SpanNumber, kind: Kind, key: Cow<'static, str>, value: &[u8]) {
        if self.entries.len() > self.tidied {
            self.tidy();
            self.tidied = self.entries.len();
        }
        if self.text.len() + value.len() > MAX_TEXT {
            diagnostics::once(&TOO_MANY_ATTRIBUTES);
            return;
        }
        self.tidy_at = (self.entries.len() * 2).max(TIDY_AT);
        self.tidy_at_text = ((self.text.len() + value.len()) * 2).clamp(TIDY_AT_TEXT, MAX_TEXT);
        self.push(span, kind, key, value);
    }

    /// All entries, and the text of each.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Attribute, &[u8])> {
        self.entries
            .iter()
            .map(|entry| (entry, &self.text[entry.start..entry.end]))
    }

    /// Takes over all entries of another, which is empty afterwards.
    pub(crate) fn append(&mut self, other: &mut Self) {
        for entry in std::mem::take(&mut other.entries) {
            let value = &other.text[entry.start..entry.end];
            self.push(entry.span, entry.kind, entry.key, value);
        }
        other.clear();
    }

    /// Whether there are addresses in it that have to be looked up.
    #[cfg(feature = "_call-sites")]
    pub(crate) fn has_call_sites(&self) -> bool {
        self.entries
            .iter()
            .any(|entry| entry.kind == Kind::CallSite)
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.text.clear();
        (self.tidy_at, self.tidy_at_text, self.tidied) = (TIDY_AT, TIDY_AT_TEXT, 0);
    }

    /// How many bytes are reserved.
    pub(crate) fn capacity(&self) -> usize {
        self.entries.capacity() * size_of::<Attribute>() + self.text.capacity()
    }

    /// Throws out what was overwritten.
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
    }
}

impl Default for Attributes {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            text: Vec::new(),
            tidy_at: TIDY_AT,
            tidy_at_text: TIDY_AT_TEXT,
            tidied: 0,
        }
    }
}

/// Writes a value as JSON and calls `f` with the text.
///
/// A value that can't be written is replaced by the reason as a string. The
/// memory for the text is kept for the next value on this thread.
pub(crate) fn with_json(value: impl Serialize, f: impl FnOnce(&[u8])) {
    with_scratch(f, |text| {
        let mut serializer = Serializer::with_formatter(&mut *text, JsonForServers::default());
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

/// Writes bytes and calls `f` with them.
#[cfg(any(feature = "_call-sites", feature = "_http-server"))]
pub(crate) fn with_bytes(f: impl FnOnce(&[u8]), write: impl FnOnce(&mut Vec<u8>)) {
    with_scratch(f, write);
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

/// Compact JSON that servers can read: integers over 64 bits are strings, and
/// what nests too deeply is an error.
#[derive(Clone, Default)]
struct JsonForServers {
    depth: u32,
}

impl JsonForServers {
    fn descend(&mut self) -> io::Result<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(io::Error::other("nested too deeply"));
        }
        Ok(())
    }
}

impl Formatter for JsonForServers {
    #[inline]
    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.descend()?;
        writer.write_all(b"[")
    }

    #[inline]
    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth -= 1;
        writer.write_all(b"]")
    }

    #[inline]
    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.descend()?;
        writer.write_all(b"{")
    }

    #[inline]
    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth -= 1;
        writer.write_all(b"}")
    }

    /// JSON that came as text may be more than servers read, and is a string then.
    fn write_raw_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        match serde_json::from_str::<Value>(fragment) {
            Ok(value) => value.serialize(&mut Serializer::with_formatter(writer, self.clone()))?,
            Err(_) => serde_json::to_writer(writer, fragment)?,
        }
        Ok(())
    }

    fn write_i128<W>(&mut self, writer: &mut W, value: i128) -> io::Result<()>
    where
        W: ?Sized + Write,
    {
        match i64::try_from(value) {
            Ok(value) => self.write_i64(writer, value),
            Err(_) => write!(writer, "\"{value}\""),
        }
    }

    fn write_u128<W>(&mut self, writer: &mut W, value: u128) -> io::Result<()>
    where
        W: ?Sized + Write,
    {
        match u64::try_from(value) {
            Ok(value) => self.write_u64(writer, value),
            Err(_) => write!(writer, "\"{value}\""),
        }
    }
}

/// Readers refuse JSON that is nested 128 levels deep, and with it the whole
/// transaction, of which an attribute is the fifth level.
const MAX_DEPTH: u32 = 100;

/// Below these lengths it is not worth looking for what was overwritten.
const TIDY_AT: usize = 4_096;
const TIDY_AT_TEXT: usize = 256 * 1_024;

/// What is longer than this, in bytes and all in all, is not kept: a fraction of
/// it is more than servers take.
const MAX_TEXT: usize = 8 * 1_024 * 1_024;

/// A scratch text that has grown past this is not kept.
const KEPT_SCRATCH: usize = 16 * 1_024;

static TOO_MANY_ATTRIBUTES: Topic =
    Topic::new("a task has set 8 MiB of attributes: further ones are not kept");

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
    fn what_makes_readers_refuse_the_whole_transaction_is_replaced() {
        let nested = |depth| (0..depth).fold(Value::Null, |inner, _| Value::from(vec![inner]));
        assert_eq!(json(nested(100)), nested(100).to_string());
        assert_eq!(json(nested(101)), "\"nested too deeply\"");
        let raw = |text| json(serde_json::from_str::<&serde_json::value::RawValue>(text).unwrap());
        assert_eq!(raw(r#"{ "b": [1, 2] }"#), r#"{"b":[1,2]}"#);
        assert_eq!(raw("1e999"), r#""1e999""#);
        assert_eq!(raw(r#""\ud800""#), r#""\"\\ud800\"""#);
        let deep = format!("{}{}", "[".repeat(110), "]".repeat(110));
        assert_eq!(raw(&deep), "\"nested too deeply\"");
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
    fn what_is_over_the_limit_is_not_kept() {
        let mut attributes = Attributes::default();
        let span = SpanNumber::new(1, 0);
        let value = [b'1'; 1_024];
        for n in 0..20_000 {
            attributes.push(span, Kind::Data, n.to_string().into(), &value);
        }
        assert_eq!(attributes.iter().count(), MAX_TEXT / value.len());
        attributes.clear();
        attributes.push(span, Kind::Data, "next".into(), b"1");
        assert_eq!(attributes.iter().count(), 1);
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
