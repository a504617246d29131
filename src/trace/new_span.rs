//! A span that has not started yet.

use std::borrow::Cow;
use std::mem;
use std::time::SystemTime;

use super::location::SpanLocation;
use super::trace::Trace;
use crate::clock::Ticks;
use crate::record::{Record, SpanNumber};

/// What a span starts with.
#[derive(Clone, Debug)]
pub(crate) struct NewSpan {
    op: Cow<'static, str>,
    description: Cow<'static, str>,
    pub(crate) origin: &'static str,
    // What few spans need is apart, so that the others are cheap to move.
    more: Option<Box<More>>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct More {
    pub(crate) start: Option<SystemTime>,
    pub(crate) parent: Option<SpanLocation>,
}

impl NewSpan {
    #[inline]
    pub(crate) fn new(op: Cow<'static, str>, description: Cow<'static, str>) -> Self {
        Self {
            op,
            description,
            origin: "manual",
            more: None,
        }
    }

    pub(crate) fn more(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }

    /// The place of the parent that was given, if one was.
    #[inline]
    pub(crate) fn take_parent(&mut self) -> Option<SpanLocation> {
        self.more.as_mut()?.parent.take()
    }

    /// When a span of the trace starts: now unless another time was given.
    #[inline]
    pub(crate) fn start_in(&self, trace: &Trace) -> Ticks {
        match self.more.as_ref().and_then(|more| more.start) {
            None => Ticks::now(),
            Some(time) => trace.info.anchor.ticks_at(time),
        }
    }

    /// Takes the record out of it.
    #[inline(always)]
    pub(crate) fn take_record(&mut self, parent: SpanNumber, start: Ticks) -> Record {
        let (op, description) = (mem::take(&mut self.op), mem::take(&mut self.description));
        Record::new(op, description, self.origin, parent, start)
    }
}
