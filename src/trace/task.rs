//! One task's part of a trace: its buffer, and which of its spans is current.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Trace;
use super::assemble::Finished;
use super::buffer::SpanBuffer;
use super::record::{Change, Record, SpanNumber};
use super::shared::ROOT_TASK;
use crate::clock::Ticks;
use crate::protocol::SpanStatus;
use crate::scope::Scope;
use crate::scope::task::{self, TaskScope};

/// What one task records of a trace. Nobody else touches it while the task is polled.
pub(crate) struct TaskSpans {
    trace: Arc<Trace>,
    task: u32,
    /// The span under which new ones start.
    current: Cell<SpanNumber>,
    buffer: RefCell<SpanBuffer>,
    /// For how many spans there is room before more must be asked for.
    room: Cell<u32>,
    /// How many spans there was no room for.
    refused: Cell<u32>,
    /// How spans end that are dropped now.
    dropped_as: Cell<SpanStatus>,
    /// Whether what the task's scope holds when it ends belongs to the transaction.
    main: bool,
    /// References to the trace that were lent to spans and came back. Lending
    /// one again spares counting it, which all cores would have to agree on.
    references: RefCell<Vec<Arc<Trace>>>,
}

impl TaskSpans {
    /// The part of a transaction's own task, with the root in it.
    pub(super) fn of_root(trace: Arc<Trace>, buffer: SpanBuffer) -> Self {
        let root = trace.root;
        Self::new(trace, ROOT_TASK, root, buffer, true)
    }

    /// The part of another task, which starts under a span of the trace.
    pub(super) fn below(trace: Arc<Trace>, parent: SpanNumber, main: bool) -> Self {
        let (task, buffer) = if trace.sampling.sampled {
            (trace.register_task(), trace.client.buffers().take())
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
        Self {
            trace,
            task,
            current: Cell::new(current),
            buffer: RefCell::new(buffer),
            room: Cell::new(0),
            refused: Cell::new(0),
            dropped_as: Cell::new(SpanStatus::Ok),
            main,
            references: RefCell::default(),
        }
    }

    pub(crate) fn trace(&self) -> &Arc<Trace> {
        &self.trace
    }

    pub(super) fn current(&self) -> SpanNumber {
        self.current.get()
    }

    /// Makes a span the current one and tells which was.
    #[inline]
    pub(super) fn set_current(&self, number: SpanNumber) -> SpanNumber {
        self.current.replace(number)
    }

    /// The status of spans that are dropped now, where none was set.
    pub(super) fn dropped_as(&self) -> SpanStatus {
        self.dropped_as.get()
    }

    /// Starts a span, unless there is no room for it.
    #[inline]
    pub(super) fn start(&self, record: Record) -> Option<SpanNumber> {
        let mut buffer = self.buffer.try_borrow_mut().ok()?;
        let room = match self.room.get() {
            0 => self.more_room(buffer.records.len())?,
            room => room,
        };
        self.room.set(room - 1);
        let index = buffer.records.len() as u32;
        buffer.records.push(record);
        Some(SpanNumber::new(self.task, index))
    }

    #[cold]
    fn more_room(&self, recorded: usize) -> Option<u32> {
        // Few enough for 32 bits, or the limit was reached long before. The
        // root is not counted.
        let children = recorded as u32 - u32::from(self.task == ROOT_TASK);
        let limit = self.trace.client.max_spans();
        let wanted = children.max(1).min(limit.saturating_sub(children));
        if wanted == 0 || !self.trace.reserve(wanted) {
            self.refused.set(self.refused.get().saturating_add(1));
            return None;
        }
        Some(wanted)
    }

    /// Ends a span, here if it is in this task's buffer.
    #[inline]
    pub(super) fn end(&self, number: SpanNumber, status: SpanStatus) {
        let change = Change::End(Ticks::now(), status);
        if number.task == self.task
            && let Ok(mut buffer) = self.buffer.try_borrow_mut()
            && let Some(record) = buffer.records.get_mut(number.index as usize)
        {
            record.apply(change);
        } else {
            self.trace.change_away(number, change);
        }
    }

    /// Whether changes to this span are made in this task's buffer.
    pub(super) fn is_home_of(&self, number: SpanNumber) -> bool {
        number.task == self.task && !self.trace.changed_away.load(Ordering::Acquire)
    }

    pub(super) fn with_buffer(&self, f: impl FnOnce(&mut SpanBuffer)) -> bool {
        self.buffer
            .try_borrow_mut()
            .map(|mut buffer| f(&mut buffer))
            .is_ok()
    }

    /// Lends a reference to the trace.
    #[inline]
    pub(super) fn lend(&self) -> Arc<Trace> {
        let lent = self
            .references
            .try_borrow_mut()
            .ok()
            .and_then(|mut references| references.pop());
        lent.unwrap_or_else(|| Arc::clone(&self.trace))
    }

    /// Takes back a reference to this trace.
    #[inline]
    pub(super) fn take_back(&self, reference: Arc<Trace>) {
        debug_assert!(Arc::ptr_eq(&reference, &self.trace));
        if let Ok(mut references) = self.references.try_borrow_mut()
            && references.len() < KEPT_REFERENCES
        {
            references.push(reference);
        }
    }

    /// Hands over what was recorded, now that the task has ended.
    pub(crate) fn hand_over(self, scope: Scope) {
        let trace = self.trace;
        let buffer = self.buffer.into_inner();
        if self.task == trace.root.task {
            let end = Change::End(Ticks::now(), self.dropped_as.get());
            trace.root_ended(buffer, end, self.refused.get(), scope);
        } else if trace.sampling.sampled {
            let mut shared = trace.shared();
            shared.live.retain(|task| *task != self.task);
            if shared.ended {
                let changes = shared.take_changes_of(self.task);
                let name = shared.name.clone();
                drop(shared);
                let (own, refused) = ((self.task, buffer), self.refused.get());
                let spawned_by = self.current.get();
                let late =
                    Finished::of_late_task(trace, own, spawned_by, changes, refused, scope, name);
                if let Some(late) = late {
                    late.deliver();
                }
            } else {
                shared.refused = shared.refused.saturating_add(self.refused.get());
                shared.handed_over.push((self.task, buffer));
                if self.main {
                    shared.scope = scope;
                }
            }
        }
    }
}

/// Calls `f` if the current task is recording this trace.
#[inline]
pub(super) fn in_task_of<R>(
    trace: &Arc<Trace>,
    f: impl FnOnce(&TaskSpans) -> Option<R>,
) -> Option<R> {
    task::with(|task| {
        let spans = task.spans.as_ref()?;
        if Arc::ptr_eq(&spans.trace, trace) {
            f(spans)
        } else {
            None
        }
    })
}

/// Gives spans of the current task a status if they end while this is dropped.
///
/// Forget it to keep things as they are.
pub(super) struct DropAs(pub(super) SpanStatus);

impl Drop for DropAs {
    fn drop(&mut self) {
        set_dropped_as(self.0);
    }
}

/// Sets the status of spans of the current task that are dropped from now on, and tells which it was.
pub(super) fn set_dropped_as(status: SpanStatus) -> Option<SpanStatus> {
    task::with(|task| Some(task.spans.as_ref()?.dropped_as.replace(status)))
}

impl Drop for TaskScope {
    fn drop(&mut self) {
        if let Some(spans) = self.spans.take() {
            spans.hand_over(self.scope.take());
        }
    }
}

/// More references than spans are nested are of no use.
const KEPT_REFERENCES: usize = 32;
