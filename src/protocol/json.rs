//! JSON that every server can read.

use std::cell::Cell;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{Formatter, Serializer};

/// Writes compact JSON into memory that is kept for the next value on this thread.
pub(super) type JsonWriter = Serializer<Scratch, JsonForServers>;

/// A writer of JSON which allocates nothing before something is written.
pub(super) fn writer(scratch: Scratch) -> JsonWriter {
    Serializer::with_formatter(scratch, JsonForServers::default())
}

/// Memory for text, taken from the thread when it is first needed.
#[derive(Default)]
pub(super) struct Scratch {
    text: Option<Vec<u8>>,
}

impl Scratch {
    pub(super) fn text(&mut self) -> &mut Vec<u8> {
        // A value's own code may come back here while it is written: it then finds an empty
        // vector and works with one of its own.
        self.text
            .get_or_insert_with(|| KEPT.try_with(Cell::take).unwrap_or_default())
    }
}

impl Write for Scratch {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.text().extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Scratch {
    #[inline]
    fn drop(&mut self) {
        if let Some(mut text) = self
            .text
            .take()
            .filter(|text| text.capacity() <= KEPT_BYTES)
        {
            text.clear();
            let _ = KEPT.try_with(|kept| kept.set(text));
        }
    }
}

/// Compact JSON that servers can read: integers over 64 bits are strings, and
/// what nests too deeply is an error.
#[derive(Clone, Default)]
pub(super) struct JsonForServers {
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

thread_local! {
    static KEPT: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Readers refuse JSON that is nested 128 levels deep, and with it the whole
/// transaction, of which an attribute is the fifth level.
const MAX_DEPTH: u32 = 100;

/// Memory that has grown past this is not kept.
const KEPT_BYTES: usize = 16 * 1_024;
