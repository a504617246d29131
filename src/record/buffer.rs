//! The spans of one task, and how their memory is used again.

use std::sync::{Mutex, PoisonError};

use super::attributes::{AttributeRoom, Attributes};
use super::span::{Record, SpanNumber};

/// The records of one task's spans and their attributes.
#[derive(Debug, Default)]
pub(crate) struct SpanBuffer {
    pub(crate) records: Vec<Record>,
    pub(crate) attributes: Attributes,
}

/// The buffers of tasks that have ended.
///
/// Small ones are emptied into one, so that the memory of each can be used again: a transaction
/// that runs many short tasks holds on to their spans and to nothing else.
#[derive(Debug, Default)]
pub(crate) struct HandedOver {
    /// Large buffers, by the numbers of their tasks.
    pub(crate) whole: Vec<(u32, SpanBuffer)>,
    /// The spans and attributes out of small ones.
    pub(crate) records: Vec<(SpanNumber, Record)>,
    pub(crate) attributes: Attributes,
}

impl SpanBuffer {
    /// About how many bytes it holds on to.
    pub(crate) fn size(&self) -> usize {
        self.records.capacity() * size_of::<Record>() + self.attributes.capacity()
    }
}

impl HandedOver {
    /// Takes over the buffer of a task. Returns the buffer if its memory can be used again.
    pub(crate) fn add(
        &mut self,
        task: u32,
        mut buffer: SpanBuffer,
        room: &AttributeRoom,
    ) -> Option<SpanBuffer> {
        if buffer.records.len() > SMALL {
            self.whole.push((task, buffer));
            return None;
        }
        let records = buffer.records.drain(..).enumerate();
        let records = records.map(|(index, record)| (SpanNumber::new(task, index as u32), record));
        self.records.extend(records);
        self.attributes.append(&mut buffer.attributes, room);
        Some(buffer)
    }

    /// How many spans there are.
    pub(crate) fn len(&self) -> usize {
        let whole = self.whole.iter().map(|(_, buffer)| buffer.records.len());
        self.records.len() + whole.sum::<usize>()
    }

    /// Every span with its number.
    pub(crate) fn records(&self) -> impl Iterator<Item = &Record> {
        let whole = self.whole.iter().flat_map(|(_, buffer)| &buffer.records);
        self.records.iter().map(|(_, record)| record).chain(whole)
    }

    /// The attributes of all spans.
    #[cfg(feature = "_call-sites")]
    pub(crate) fn attributes(&self) -> impl Iterator<Item = &Attributes> {
        let whole = self.whole.iter().map(|(_, buffer)| &buffer.attributes);
        whole.chain([&self.attributes])
    }

    /// About how many bytes they hold on to.
    pub(crate) fn size(&self) -> usize {
        let whole = self.whole.iter().map(|(_, buffer)| buffer.size());
        whole.sum::<usize>()
            + self.records.capacity() * size_of::<(SpanNumber, Record)>()
            + self.attributes.capacity()
    }
}

/// An empty buffer, one that was used before if there is one.
pub(crate) fn take() -> SpanBuffer {
    let mut buffers = EMPTY.lock().unwrap_or_else(PoisonError::into_inner);
    buffers.pop().unwrap_or_default()
}

/// Empties a buffer and keeps it for another task, unless there are many or it has grown large.
pub(crate) fn recycle(mut buffer: SpanBuffer) {
    if buffer.size() == 0 || buffer.size() > KEPT_SIZE {
        return;
    }
    buffer.records.clear();
    buffer.attributes.clear();
    let mut buffers = EMPTY.lock().unwrap_or_else(PoisonError::into_inner);
    if buffers.len() < KEPT_BUFFERS {
        buffers.push(buffer);
    }
}

/// Empty buffers that wait to be used again. They come back from workers, after what was in them
/// has been written.
static EMPTY: Mutex<Vec<SpanBuffer>> = Mutex::new(Vec::new());

/// A buffer of up to so many spans is emptied into another when its task has ended.
const SMALL: usize = 32;

/// A buffer that has grown past this, in bytes, is not kept: 1,000 spans with attributes fit.
const KEPT_SIZE: usize = 256 * 1_024;

/// More buffers than this are not kept.
const KEPT_BUFFERS: usize = 64;
