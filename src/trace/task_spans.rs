//! One task's part of a trace: its buffer, and which of its spans is current.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::{iter, mem};

use super::location::SpanLocation;
use super::new_span::NewSpan;
use super::trace::Trace;
use crate::client::Client;
use crate::clock::Ticks;
#[cfg(feature = "tracing")]
use crate::protocol::Breadcrumb;
use crate::protocol::SpanStatus;
#[cfg(feature = "tracing")]
use crate::record::Record;
use crate::record::{Change, ROOT_TASK, SpanBuffer, SpanNumber, buffer};
use crate::scope::Scopes;

/// What one task records of a trace. Nobody else touches it while the task is polled.
pub(crate) struct TaskSpans {
    pub(crate) trace: Arc<Trace>,
    pub(crate) task: u32,
    /// Whether the trace is, beside everything else that starting a span needs.
    pub(crate) recorded: bool,
    /// Whether what the task's scope holds when it ends belongs to the transaction.
    main: bool,
    /// How spans end that are dropped now.
    pub(crate) dropped_as: SpanStatus,
    /// The span under which new ones start.
    current: SpanNumber,
    buffer: SpanBuffer,
    /// For how many spans there is room before more must be asked for.
    room: u32,
    /// How many spans there was no room for.
    refused: u32,
    /// References to the trace that were lent to spans and came back. Lending
    /// one again spares counting it, which all cores would have to agree on.
    references: Vec<Arc<Trace>>,
    /// The trace's number, beside everything else.
    #[cfg(feature = "tracing")]
    number: u64,
    /// How many more spans that are known by their keys have started here than ended.
    #[cfg(feature = "tracing")]
    pub(crate) open_keys: i32,
}

impl TaskSpans {
    /// The part of a transaction's own task, with the root in it.
    pub(crate) fn of_root(trace: Arc<Trace>, buffer: SpanBuffer) -> Self {
        let root = trace.info.root;
        Self::new(trace, ROOT_TASK, root, buffer, true)
    }

    /// The part of another task, which starts under a span of the trace.
    ///
    /// `main` is for the task that runs directly below a root without a task of
    /// its own, and speaks for it.
    pub(crate) fn below(trace: Arc<Trace>, parent: SpanNumber, main: bool) -> Self {
        let (task, buffer) = if trace.recorded {
            (trace.register_task(), buffer::take())
        } else {
            (u32::MAX, SpanBuffer::default())
        };
        Self::new(trace, task, parent, buffer, main)
    }

    fn new(
        trace: Arc<Trace>,
        task: u32,
        current: SpanNumber,
        buffer: SpanBuffer,
        main: bool,
    ) -> Self {
        #[cfg(feature = "tracing")]
        let number = trace.number();
        Self {
            recorded: trace.recorded,
            trace,
            task,
            main,
            dropped_as: SpanStatus::Ok,
            current,
            buffer,
            room: 0,
            refused: 0,
            references: Vec::new(),
            #[cfg(feature = "tracing")]
            number,
            #[cfg(feature = "tracing")]
            open_keys: 0,
        }
    }

    pub(crate) fn trace(&self) -> &Arc<Trace> {
        &self.trace
    }

    pub(crate) fn client(&self) -> &Client {
        &self.trace.client
    }

    pub(crate) fn is_recorded(&self) -> bool {
        self.recorded
    }

    pub(crate) fn current(&self) -> SpanNumber {
        self.current
    }

    /// Makes a span the current one and tells which was.
    #[inline]
    pub(crate) fn set_current(&mut self, number: SpanNumber) -> SpanNumber {
        mem::replace(&mut self.current, number)
    }

    /// The status of spans that are dropped now, where none was set.
    #[cfg(feature = "tracing")]
    pub(crate) fn dropped_as(&self) -> SpanStatus {
        self.dropped_as
    }

    /// Leaves a breadcrumb with the trace, unless this is what speaks for its root.
    #[cfg(feature = "tracing")]
    pub(crate) fn leave_breadcrumb(&self, breadcrumb: &mut Option<Breadcrumb>) {
        if self.recorded && !self.main {
            self.trace.leave_breadcrumb(breadcrumb);
        }
    }

    /// The number of the trace, which no other one has.
    #[cfg(feature = "tracing")]
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Counts open spans that are known by their keys.
    #[cfg(feature = "tracing")]
    #[inline]
    pub(crate) fn count_open_keys(&mut self, change: i32) {
        self.open_keys += change;
    }

    /// Starts a span below the current one. A reference that is given is lent
    /// to it, if it is to this trace.
    #[inline(always)]
    pub(crate) fn start(
        &mut self,
        span: &mut NewSpan,
        reference: Option<SpanLocation>,
    ) -> SpanLocation {
        let trace = match reference {
            Some(location) if Arc::ptr_eq(&location.trace, &self.trace) => location.trace,
            _ => self.lend(),
        };
        let Some(number) = self.next_number() else {
            return SpanLocation {
                trace,
                number: self.current,
                recorded: false,
                is_root: false,
            };
        };
        let start = span.start_in(&trace);
        // `push` would have it built on the stack and copied.
        let record = iter::once_with(|| span.take_record(self.current, start));
        self.buffer.records.extend(record);
        SpanLocation {
            trace,
            number,
            recorded: true,
            is_root: false,
        }
    }

    /// Records a span below the current one, if anything is recorded and there is room for it.
    #[cfg(feature = "tracing")]
    #[inline(always)]
    pub(crate) fn record(
        &mut self,
        record: impl FnOnce(SpanNumber) -> Record,
    ) -> Option<SpanNumber> {
        let number = self.next_number()?;
        self.buffer
            .records
            .extend(iter::once_with(|| record(self.current)));
        Some(number)
    }

    /// The number of the next span, which has to be recorded. `None` if there is no room for it.
    #[inline(always)]
    fn next_number(&mut self) -> Option<SpanNumber> {
        if !self.recorded || (self.room == 0 && !self.ask_for_room()) {
            return None;
        }
        self.room -= 1;
        let index = self.buffer.records.len() as u32;
        Some(SpanNumber::new(self.task, index))
    }

    #[cold]
    fn ask_for_room(&mut self) -> bool {
        // Few enough for 32 bits, or the limit was reached long before. The
        // root is not counted.
        let children = self.buffer.records.len() as u32 - u32::from(self.task == ROOT_TASK);
        let limit = self.trace.client.max_spans();
        let wanted = children.max(1).min(limit.saturating_sub(children));
        if wanted > 0 && self.trace.reserve(wanted) {
            self.room = wanted;
        } else {
            self.refused = self.refused.saturating_add(1);
        }
        self.room > 0
    }

    /// Ends a span of this trace, and takes back the reference that it was lent.
    #[inline(always)]
    pub(crate) fn end(&mut self, location: SpanLocation, status: SpanStatus) {
        let SpanLocation {
            trace,
            number,
            recorded,
            ..
        } = location;
        if recorded {
            let change = Change::End(Ticks::now(), status);
            match self.buffer.records.get_mut(number.index()) {
                Some(record) if number.task() == self.task => record.apply(change),
                _ => trace.change_away(number, change),
            }
        }
        self.take_back(trace);
    }

    /// The buffer, if changes to this span are made there.
    pub(crate) fn home_of(&mut self, number: SpanNumber) -> Option<&mut SpanBuffer> {
        let home = number.task() == self.task && !self.trace.changed_away.load(Ordering::Acquire);
        home.then_some(&mut self.buffer)
    }

    /// A span of this trace, as whoever looks at it from this task sees it.
    pub(crate) fn location(&mut self, number: SpanNumber) -> SpanLocation {
        SpanLocation {
            trace: self.lend(),
            number,
            recorded: self.recorded,
            is_root: false,
        }
    }

    /// Lends a reference to the trace.
    #[inline(always)]
    fn lend(&mut self) -> Arc<Trace> {
        self.references.pop().unwrap_or_else(|| self.lend_another())
    }

    #[cold]
    fn lend_another(&mut self) -> Arc<Trace> {
        self.references.reserve_exact(KEPT_REFERENCES);
        Arc::clone(&self.trace)
    }

    /// Takes back a reference that was lent, if it is to this trace.
    #[inline(always)]
    pub(crate) fn take_back(&mut self, reference: Arc<Trace>) {
        let has_room = self.references.len() < self.references.capacity();
        if has_room && Arc::ptr_eq(&reference, &self.trace) {
            self.references.push(reference);
        }
    }

    /// Tells the trace how many spans that are known by their keys are open here.
    #[cfg(feature = "tracing")]
    pub(crate) fn tell_open_keys(&self) {
        if self.open_keys != 0 {
            self.trace.count_open_keys(self.open_keys.into());
        }
    }

    /// Ends a task of a trace that is not recorded. Only that of its root is counted.
    pub(crate) fn end_unrecorded(&self) {
        if self.task == self.trace.info.root.task() {
            self.trace.unsampled_root_ended();
        }
    }

    /// Hands over what was recorded, now that the task has ended.
    pub(crate) fn hand_over(&mut self, scopes: Scopes) {
        let trace = &mut self.trace;
        // Before the trace is looked at: nothing else may hold it from now on.
        self.references.clear();
        let (task, buffer) = (self.task, mem::take(&mut self.buffer));
        if task == trace.info.root.task() {
            let end = Change::End(Ticks::now(), self.dropped_as);
            trace.root_ended(buffer, end, self.refused, scopes);
            return;
        }
        let mut mailbox = trace.mailbox();
        let left = mailbox.get_or_insert_default();
        left.live.remove(&task);
        if trace.has_ended() {
            let changes = left.changes.take_task(task);
            drop(mailbox);
            trace.late_task_ended(task, buffer, self.current, changes, self.refused, scopes);
            return;
        }
        left.refused = left.refused.saturating_add(self.refused);
        let emptied = left.handed_over.add(task, buffer, &trace.attribute_room);
        if self.main {
            left.scopes = scopes;
        }
        drop(mailbox);
        if let Some(buffer) = emptied {
            buffer::recycle(buffer);
        }
    }
}

/// More references than spans are nested are of no use.
const KEPT_REFERENCES: usize = 32;
