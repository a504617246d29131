//! What is done to spans from the task that runs, and from others.

use crate::record::Content;
use std::borrow::Cow;
use std::mem;
use std::sync::Arc;

use super::slot;
use crate::clock::Ticks;
use crate::protocol::SpanStatus;
use crate::record::{Change, Kind, SpanBuffer, SpanNumber};
use crate::trace::{SpanLocation, TaskSpans, Trace};

impl SpanLocation {
    /// The place of the current span.
    pub(crate) fn current() -> Option<Self> {
        slot::with(|task| {
            let spans = task.spans.as_mut()?;
            Some(spans.location(spans.current()))
        })
    }

    /// The root of a transaction, recorded or not.
    pub(crate) fn root(trace: Arc<Trace>) -> Self {
        Self {
            number: trace.info.root,
            recorded: trace.recorded,
            is_root: true,
            trace,
        }
    }

    pub(crate) fn is_root(&self) -> bool {
        self.is_root || self.recorded && self.number == self.trace.info.root
    }

    /// Makes a change where the span is recorded, if that is the current task, else with the trace.
    pub(crate) fn change(&self, change: Change) {
        let mut change = Some(change);
        self.at_home(|buffer| {
            buffer
                .records
                .get_mut(self.number.index())?
                .apply(change.take()?);
            Some(())
        });
        if let Some(change) = change {
            self.trace.change_away(self.number, change);
        }
    }

    /// Sets an attribute, likewise.
    pub(crate) fn set(&self, kind: Kind, mut key: Cow<'static, str>, content: Content<'_>) {
        let set = self.at_home(|buffer| {
            let (key, room) = (mem::take(&mut key), &self.trace.attribute_room);
            buffer
                .attributes
                .push(self.number, kind, key, content, room);
            Some(())
        });
        if set.is_none() {
            self.trace.set_away(self.number, kind, key, content);
        }
    }

    /// Calls `f` if changes to this span are made in the current task's buffer.
    #[inline]
    fn at_home(&self, f: impl FnOnce(&mut SpanBuffer) -> Option<()>) -> Option<()> {
        in_task_of(&self.trace, |spans| f(spans.home_of(self.number)?))
    }

    /// Ends the span, if it is recorded.
    pub(crate) fn end(&self, ticks: Ticks, status: SpanStatus) {
        if self.recorded {
            self.change(Change::End(ticks, status));
        }
    }
}

/// Makes another span of the current task the current one again.
pub(crate) struct Restore<'a> {
    pub(crate) trace: &'a Arc<Trace>,
    pub(crate) current: SpanNumber,
}

impl Drop for Restore<'_> {
    #[inline]
    fn drop(&mut self) {
        in_task_of(self.trace, |spans| Some(spans.set_current(self.current)));
    }
}

/// Calls `f` if the current task is recording this trace.
#[inline]
pub(crate) fn in_task_of<R>(
    trace: &Arc<Trace>,
    f: impl FnOnce(&mut TaskSpans) -> Option<R>,
) -> Option<R> {
    slot::with(|task| {
        let spans = task.spans.as_mut()?;
        if Arc::ptr_eq(&spans.trace, trace) {
            f(spans)
        } else {
            None
        }
    })
}
