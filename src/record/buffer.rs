//! The spans of one task, and how their memory is used again.

use std::sync::{Mutex, PoisonError};

use super::attributes::Attributes;
use super::span::Record;

/// The records of one task's spans and their attributes.
#[derive(Debug, Default)]
pub(crate) struct SpanBuffer {
    pub(crate) records: Vec<Record>,
    pub(crate) attributes: Attributes,
}

/// Empty buffers that wait to be used again.
///
/// They come back from the worker, after what was in them has been written.
#[derive(Debug, Default)]
pub(crate) struct BufferPool {
    buffers: Mutex<Vec<SpanBuffer>>,
}

impl SpanBuffer {
    /// About how many bytes it holds on to.
    pub(crate) fn size(&self) -> usize {
        self.records.capacity() * size_of::<Record>() + self.attributes.capacity()
    }
}

impl BufferPool {
    /// An empty buffer, one that was used before if there is one.
    pub(crate) fn take(&self) -> SpanBuffer {
        let mut buffers = self.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        buffers.pop().unwrap_or_default()
    }

    /// Empties a buffer and keeps it, unless there are many or it has grown large.
    pub(crate) fn put(&self, mut buffer: SpanBuffer) {
        if buffer.size() == 0 || buffer.size() > KEPT_SIZE {
            return;
        }
        buffer.records.clear();
        buffer.attributes.clear();
        let mut buffers = self.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        if buffers.len() < KEPT_BUFFERS {
            buffers.push(buffer);
        }
    }
}

/// A buffer that has grown past this, in bytes, is not kept: 1,000 spans with attributes fit.
const KEPT_SIZE: usize = 256 * 1_024;

/// More buffers than this are not kept.
const KEPT_BUFFERS: usize = 64;
