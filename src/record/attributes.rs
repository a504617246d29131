//! Tags and data of spans, while they are recorded.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::span::SpanNumber;
use crate::diagnostics::{self, Topic};
use crate::protocol::value::Borrowed;

/// The attributes of many spans in one vector, with the text of their values beside it.
///
/// Setting the same key again adds an entry, and the last one counts. What is
/// overwritten is thrown out whenever the memory for it has doubled, so that a
/// span which counts its progress for hours keeps one value.
#[derive(Debug, Default)]
pub(crate) struct Attributes {
    entries: Vec<Attribute>,
    text: Vec<u8>,
    /// How many bytes the keys hold that are not borrowed.
    keys: usize,
    /// The number of entries at which to look for what was overwritten. Zero before the first.
    tidy_at: usize,
    /// How many entries and bytes there were after that was last done.
    tidied: usize,
    tidied_bytes: usize,
    /// How many bytes of text and keys were reserved of what the transaction may hold.
    reserved: usize,
}

#[derive(Debug)]
pub(crate) struct Attribute {
    pub(crate) span: SpanNumber,
    pub(crate) kind: Kind,
    pub(crate) key: Cow<'static, str>,
    value: Stored,
}

/// What an attribute is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// A text to search by.
    Tag,
    /// A value of any type.
    Data,
    /// Nothing; the key is a trace id and a span id, with a dash between them.
    #[cfg(feature = "tracing")]
    Link,
    /// Bytes as [`RecordedRequest`](super::request::RecordedRequest) reads them, of a root.
    #[cfg(feature = "_http-server")]
    Request,
    /// Bytes as [`CallSite`](super::call_site::CallSite) reads them.
    #[cfg(feature = "_call-sites")]
    CallSite,
}

/// What an attribute is set to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Content<'a> {
    Value(Borrowed<'a>),
    Bytes(&'a [u8]),
}

/// A value, its text apart.
#[derive(Clone, Copy, Debug)]
enum Stored {
    Bool(bool),
    Integer(i64),
    Unsigned(u64),
    Double(f64),
    Single(f32),
    Text(Part),
    Json(Part),
    Bytes(Part),
}

/// A part of the text. There are never as many bytes as 32 bits can count.
#[derive(Clone, Copy, Debug)]
struct Part {
    start: u32,
    length: u32,
}

/// How much of what one transaction may hold in attributes is reserved.
#[derive(Debug, Default)]
pub(crate) struct AttributeRoom {
    reserved: AtomicUsize,
}

impl AttributeRoom {
    /// Reserves some bytes, and returns whether there was room.
    fn reserve(&self, bytes: usize) -> bool {
        let before = self.reserved.fetch_add(bytes, Ordering::Relaxed);
        let fits = before.saturating_add(bytes) <= MAX_BYTES;
        if !fits {
            self.give_back(bytes);
        }
        fits
    }

    fn give_back(&self, bytes: usize) {
        self.reserved.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Attributes {
    #[inline]
    pub(crate) fn push(
        &mut self,
        span: SpanNumber,
        kind: Kind,
        key: Cow<'static, str>,
        content: Content<'_>,
        room: &AttributeRoom,
    ) {
        let more = content.bytes().len() + owned(&key);
        if self.entries.len() >= self.tidy_at || self.held() + more > self.reserved {
            return self.push_tidily(span, kind, key, content, room);
        }
        self.push_within(span, kind, key, content);
    }

    #[inline]
    fn push_within(
        &mut self,
        span: SpanNumber,
        kind: Kind,
        key: Cow<'static, str>,
        content: Content<'_>,
    ) {
        self.keys += owned(&key);
        let value = match content {
            Content::Value(Borrowed::Bool(value)) => Stored::Bool(value),
            Content::Value(Borrowed::Integer(value)) => Stored::Integer(value),
            Content::Value(Borrowed::Unsigned(value)) => Stored::Unsigned(value),
            Content::Value(Borrowed::Double(value)) => Stored::Double(value),
            Content::Value(Borrowed::Single(value)) => Stored::Single(value),
            Content::Value(Borrowed::Text(text)) => Stored::Text(self.add(text.as_bytes())),
            Content::Value(Borrowed::Json(text)) => Stored::Json(self.add(text.as_bytes())),
            Content::Bytes(bytes) => Stored::Bytes(self.add(bytes)),
        };
        self.entries.push(Attribute {
            span,
            kind,
            key,
            value,
        });
    }

    #[inline]
    fn add(&mut self, bytes: &[u8]) -> Part {
        let start = self.text.len() as u32;
        self.text.extend_from_slice(bytes);
        Part {
            start,
            length: bytes.len() as u32,
        }
    }

    /// Throws out what was overwritten before it pushes, and keeps within the limit.
    #[cold]
    fn push_tidily(
        &mut self,
        span: SpanNumber,
        kind: Kind,
        key: Cow<'static, str>,
        content: Content<'_>,
        room: &AttributeRoom,
    ) {
        // Only if much was added since, so that it is worth looking at all there is.
        let many = self.entries.len() >= (self.tidied * 2).max(TIDY_AT);
        let large = self.held() >= (self.tidied_bytes + self.tidied_bytes / 4).max(TIDY_AT_BYTES);
        if many || large {
            self.tidy();
            (self.tidied, self.tidied_bytes) = (self.entries.len(), self.held());
        }
        self.tidy_at = (self.entries.len() * 2).max(TIDY_AT);
        let needed = self.held() + content.bytes().len() + owned(&key);
        if needed > self.reserved {
            // Twice as much each time, so that room is seldom asked for.
            let doubled = (needed * 2).max(FIRST_RESERVED) - self.reserved;
            let exact = needed - self.reserved;
            let Some(more) = [doubled, exact]
                .into_iter()
                .find(|more| room.reserve(*more))
            else {
                diagnostics::once(&TOO_MANY_ATTRIBUTES);
                return;
            };
            self.reserved += more;
        }
        self.push_within(span, kind, key, content);
    }

    /// All entries, and the content of each.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Attribute, Content<'_>)> {
        self.entries
            .iter()
            .map(|entry| (entry, self.content(entry.value)))
    }

    fn content(&self, value: Stored) -> Content<'_> {
        let part = |part: Part| {
            let start = part.start as usize;
            &self.text[start..start + part.length as usize]
        };
        // What came as text is UTF-8.
        let text = |text| str::from_utf8(part(text)).unwrap_or_default();
        match value {
            Stored::Bool(value) => Content::Value(Borrowed::Bool(value)),
            Stored::Integer(value) => Content::Value(Borrowed::Integer(value)),
            Stored::Unsigned(value) => Content::Value(Borrowed::Unsigned(value)),
            Stored::Double(value) => Content::Value(Borrowed::Double(value)),
            Stored::Single(value) => Content::Value(Borrowed::Single(value)),
            Stored::Text(value) => Content::Value(Borrowed::Text(text(value))),
            Stored::Json(value) => Content::Value(Borrowed::Json(text(value))),
            Stored::Bytes(value) => Content::Bytes(part(value)),
        }
    }

    /// Takes over all entries of another, which is empty afterwards.
    ///
    /// What was reserved for them stays so, and what they did not need is given back.
    pub(crate) fn append(&mut self, other: &mut Self, room: &AttributeRoom) {
        room.give_back(other.reserved.saturating_sub(other.held()));
        let start = self.text.len() as u32;
        self.text.append(&mut other.text);
        self.keys += other.keys;
        let entries = other.entries.drain(..).map(|mut entry| {
            if let Some(part) = entry.value.part() {
                part.start += start;
            }
            entry
        });
        self.entries.extend(entries);
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
        (self.keys, self.tidy_at, self.reserved) = (0, 0, 0);
        (self.tidied, self.tidied_bytes) = (0, 0);
    }

    /// How many bytes of memory it holds on to.
    pub(crate) fn capacity(&self) -> usize {
        self.entries.capacity() * size_of::<Attribute>() + self.text.capacity() + self.keys
    }

    /// How many bytes of text and keys it holds.
    #[inline]
    fn held(&self) -> usize {
        self.text.len() + self.keys
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
        self.keys = 0;
        for (mut entry, last) in entries.into_iter().zip(last.into_iter().rev()) {
            if !last {
                continue;
            }
            if let Some(part) = entry.value.part() {
                let start = part.start as usize;
                *part = self.add(&text[start..start + part.length as usize]);
            }
            self.keys += owned(&entry.key);
            self.entries.push(entry);
        }
    }
}

impl Stored {
    fn part(&mut self) -> Option<&mut Part> {
        match self {
            Self::Text(part) | Self::Json(part) | Self::Bytes(part) => Some(part),
            _ => None,
        }
    }
}

impl Content<'_> {
    /// The text that is kept apart.
    #[inline]
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Value(Borrowed::Text(text) | Borrowed::Json(text)) => text.as_bytes(),
            Self::Value(_) => &[],
            Self::Bytes(bytes) => bytes,
        }
    }
}

/// How many bytes a key holds on to.
#[inline]
#[expect(
    clippy::ptr_arg,
    reason = "a key that is borrowed for good holds on to nothing"
)]
fn owned(key: &Cow<'static, str>) -> usize {
    match key {
        Cow::Borrowed(_) => 0,
        Cow::Owned(key) => key.capacity(),
    }
}

/// What the attributes of one transaction hold at most, in bytes of text and keys: a fraction of
/// it is more than servers take.
const MAX_BYTES: usize = 8 * 1_024 * 1_024;

/// How much a task reserves with its first attribute.
const FIRST_RESERVED: usize = 1_024;

/// Below these numbers of entries and bytes it is not worth looking for what was overwritten.
const TIDY_AT: usize = 4_096;
const TIDY_AT_BYTES: usize = 256 * 1_024;

static TOO_MANY_ATTRIBUTES: Topic =
    Topic::new("a transaction has set 8 MiB of attributes: further ones are not kept");

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Content<'_> {
        Content::Value(Borrowed::Text(text))
    }

    #[test]
    fn what_is_over_the_limit_is_not_kept() {
        let room = AttributeRoom::default();
        let mut tasks: Vec<_> = (0..4).map(|_| Attributes::default()).collect();
        let span = SpanNumber::new(1, 0);
        let value = "1".repeat(1_024);
        for n in 0..20_000 {
            let key = format!("{n:05}").into_boxed_str().into_string();
            tasks[n % 4].push(span, Kind::Data, key.into(), text(&value), &room);
        }
        let kept =
            |tasks: &[Attributes]| tasks.iter().map(|task| task.iter().count()).sum::<usize>();
        let each = value.len() + 5;
        assert!(kept(&tasks) <= MAX_BYTES / each, "{}", kept(&tasks));
        assert!(
            kept(&tasks) >= MAX_BYTES / each * 9 / 10,
            "{}",
            kept(&tasks)
        );
    }

    #[test]
    fn what_a_task_did_not_need_is_there_for_others() {
        let room = AttributeRoom::default();
        let mut all = Attributes::default();
        for n in 0..100_000 {
            let mut task = Attributes::default();
            task.push(
                SpanNumber::new(n, 0),
                Kind::Data,
                "k".into(),
                text("1"),
                &room,
            );
            all.append(&mut task, &room);
        }
        assert_eq!(all.iter().count(), 100_000);
        assert_eq!(room.reserved.load(Ordering::Relaxed), 100_000);
    }

    #[test]
    fn values_are_what_they_were_after_moving() {
        let room = AttributeRoom::default();
        let (mut one, mut other) = (Attributes::default(), Attributes::default());
        let span = SpanNumber::new(1, 0);
        one.push(span, Kind::Data, "a".into(), text("first"), &room);
        other.push(span, Kind::Data, "b".into(), text("second"), &room);
        other.push(
            span,
            Kind::Data,
            "c".into(),
            Content::Value(Borrowed::Unsigned(3)),
            &room,
        );
        one.append(&mut other, &room);
        one.tidy();
        let shown: Vec<_> = one
            .iter()
            .map(|(entry, content)| format!("{} {content:?}", entry.key))
            .collect();
        assert_eq!(
            shown,
            [
                r#"a Value(Text("first"))"#,
                r#"b Value(Text("second"))"#,
                "c Value(Unsigned(3))"
            ]
        );
    }

    #[test]
    fn overwritten_values_take_no_memory() {
        let room = AttributeRoom::default();
        let mut attributes = Attributes::default();
        let span = SpanNumber::new(1, 0);
        attributes.push(span, Kind::Data, "kept".into(), text("1"), &room);
        for _ in 0..1_000_000 {
            attributes.push(span, Kind::Data, "progress".into(), text("12345"), &room);
        }
        assert!(
            attributes.capacity() < 1024 * 1024,
            "{}",
            attributes.capacity()
        );
        assert!(attributes.iter().any(|(entry, _)| entry.key == "kept"));
    }
}
