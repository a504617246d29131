//! One span while it is recorded, and where it stands among the others.

use std::borrow::Cow;

#[cfg(feature = "tracing")]
use super::metadata::Metadata;
use crate::clock::Ticks;
use crate::diagnostics::Topic;
use crate::protocol::SpanStatus;

/// The place of a span in its trace: the buffer that it is in, and its index there.
///
/// Spans are numbered by whoever records them, so no two tasks have to agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SpanNumber(u64);

impl SpanNumber {
    pub(crate) fn new(task: u32, index: u32) -> Self {
        Self(u64::from(task) << 32 | u64::from(index))
    }

    /// The number of the task whose buffer the span is in.
    pub(crate) fn task(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// The index in that buffer.
    pub(crate) fn index(self) -> usize {
        self.0 as u32 as usize
    }

    /// The number whose halves are these.
    #[cfg(feature = "tracing")]
    pub(crate) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Both halves as one number, which is different for every span of a trace.
    pub(crate) fn bits(self) -> u64 {
        self.0
    }
}

/// A span as it is recorded: no wire form, no ids, no attributes.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) op: Cow<'static, str>,
    pub(crate) name: Cow<'static, str>,
    pub(crate) origin: &'static str,
    pub(crate) parent: SpanNumber,
    pub(crate) start: Ticks,
    /// The start, as long as the span has not ended.
    pub(crate) end: Ticks,
    pub(crate) ended: bool,
    pub(crate) status: Option<SpanStatus>,
    /// Where in the program it is described.
    #[cfg(feature = "tracing")]
    pub(crate) metadata: Option<Metadata>,
}

/// Something that happens to a span after its start.
#[derive(Debug)]
pub(crate) enum Change {
    /// It ends, with this status unless one was set. Only the first end counts.
    End(Ticks, SpanStatus),
    Status(SpanStatus),
    /// Something in it failed, which is its status unless one was set.
    #[cfg(feature = "tracing")]
    Failed,
    Name(Cow<'static, str>),
    Op(Cow<'static, str>),
}

impl Record {
    /// A span that starts.
    #[inline(always)]
    pub(crate) fn new(
        op: Cow<'static, str>,
        name: Cow<'static, str>,
        origin: &'static str,
        parent: SpanNumber,
        start: Ticks,
    ) -> Self {
        Self {
            op,
            name,
            origin,
            parent,
            start,
            end: start,
            ended: false,
            status: None,
            #[cfg(feature = "tracing")]
            metadata: None,
        }
    }

    #[inline(always)]
    pub(crate) fn apply(&mut self, change: Change) {
        match change {
            Change::End(ticks, status) => {
                if !self.ended {
                    (self.end, self.ended) = (ticks, true);
                    self.status.get_or_insert(status);
                }
            }
            Change::Status(status) => self.status = Some(status),
            #[cfg(feature = "tracing")]
            Change::Failed => {
                self.status.get_or_insert(SpanStatus::InternalError);
            }
            Change::Name(name) => self.name = name,
            Change::Op(op) => self.op = op,
        }
    }
}

/// Changes to a span that were made away from its record, the last of each kind.
#[derive(Debug, Default)]
pub(crate) struct Amendment {
    end: Option<(Ticks, SpanStatus)>,
    status: Option<SpanStatus>,
    #[cfg(feature = "tracing")]
    failed: bool,
    name: Option<Cow<'static, str>>,
    op: Option<Cow<'static, str>>,
}

impl Amendment {
    pub(crate) fn add(&mut self, change: Change) {
        match change {
            Change::End(ticks, status) => {
                self.end.get_or_insert((ticks, status));
            }
            Change::Status(status) => self.status = Some(status),
            #[cfg(feature = "tracing")]
            Change::Failed => self.failed = true,
            Change::Name(name) => self.name = Some(name),
            Change::Op(op) => self.op = Some(op),
        }
    }

    pub(crate) fn apply_to(self, record: &mut Record) {
        let Self {
            end,
            status,
            #[cfg(feature = "tracing")]
            failed,
            name,
            op,
        } = self;
        // Before the end, which has a status for it as well.
        #[cfg(feature = "tracing")]
        if failed {
            record.apply(Change::Failed);
        }
        let changes = [
            end.map(|(ticks, status)| Change::End(ticks, status)),
            status.map(Change::Status),
            name.map(Change::Name),
            op.map(Change::Op),
        ];
        for change in changes.into_iter().flatten() {
            record.apply(change);
        }
    }
}

/// A transaction has more spans than are recorded or sent.
pub(crate) static SPAN_LIMIT: Topic = Topic::new(
    "a transaction has reached its limit of spans: further ones are counted, not recorded",
);

/// The number under which spans are recorded that were started outside of any task.
pub(crate) const NO_TASK: u32 = 0;

/// The number of the task that is a transaction's own.
pub(crate) const ROOT_TASK: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_at_most_128_bytes() {
        assert!(size_of::<Record>() <= 128, "{}", size_of::<Record>());
    }
}
