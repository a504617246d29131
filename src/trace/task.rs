//! One task's part of a trace: its buffer, and which of its spans is current.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Trace;
use super::assemble::Finished;
use super::buffer::SpanBuffer;
use super::builder::SpanBuilder;
use super::record::{Change, SpanNumber};
use super::shared::ROOT_TASK;
use super::span::Place;
use crate::clock::Ticks;
use crate::protocol::SpanStatus;
use crate::scope::Scope;
use crate::scope::task::{self, TaskScope};

/// What one task records of a trace. Nobody else touches it while the task is polled.
pub(crate) struct TaskSpans {
    trace: Arc<Trace>,
    task: u32,
    /// Whether the trace is, beside everything else that starting a span needs.
    sampled: bool,
    /// Whether what the task's scope holds when it ends belongs to the transaction.
    main: bool,
    /// How spans end that are dropped now.
    dropped_as: Cell<SpanStatus>,
    /// The span under which new ones start.
    current: Cell<SpanNumber>,
    recorded: RefCell<Recorded>,
}

struct Recorded {
    buffer: SpanBuffer,
    /// For how many spans there is room before more must be asked for.
    room: u32,
    /// How many spans there was no room for.
    refused: u32,
    /// References to the trace that were lent to spans and came back. Lending
    /// one again spares counting it, which all cores would have to agree on.
    references: Vec<Arc<Trace>>,
}

impl TaskSpans {
    /// The part of a transaction's own task, with the root in it.
    pub(super) fn of_root(trace: Arc<Trace>, buffer: SpanBuffer) -> Self {
        let root = trace.root;
        Self::new(trace, ROOT_TASK, root, buffer, true)
    }

    /// The part of another task, which starts under a span of the trace.
    ///
    /// `main` is for the task that runs directly below a root without a task of
    /// its own, and speaks for it.
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
        let recorded = Recorded {
            buffer,
            room: 0,
            refused: 0,
            references: Vec::new(),
        };
        Self {
            sampled: trace.sampling.sampled,
            trace,
            task,
            main,
            dropped_as: Cell::new(SpanStatus::Ok),
            current: Cell::new(current),
            recorded: RefCell::new(recorded),
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

    /// Starts a span below the current one.
    #[inline]
    pub(super) fn start(&self, span: &mut SpanBuilder) -> Place {
        let parent = self.current.get();
        let Ok(mut recorded) = self.recorded.try_borrow_mut() else {
            return Place {
                trace: Arc::clone(&self.trace),
                number: parent,
                recorded: false,
            };
        };
        let trace = recorded.lend(&self.trace);
        if !self.sampled || (recorded.room == 0 && !self.ask_for_room(&mut recorded)) {
            return Place {
                trace,
                number: parent,
                recorded: false,
            };
        }
        recorded.room -= 1;
        let index = recorded.buffer.records.len() as u32;
        recorded
            .buffer
            .records
            .push(span.take_record(&trace, parent));
        Place {
            trace,
            number: SpanNumber::new(self.task, index),
            recorded: true,
        }
    }

    #[cold]
    fn ask_for_room(&self, recorded: &mut Recorded) -> bool {
        // Few enough for 32 bits, or the limit was reached long before. The
        // root is not counted.
        let children = recorded.buffer.records.len() as u32 - u32::from(self.task == ROOT_TASK);
        let limit = self.trace.client.max_spans();
        recorded.room = children.max(1).min(limit.saturating_sub(children));
        if recorded.room == 0 || !self.trace.reserve(recorded.room) {
            recorded.room = 0;
            recorded.refused = recorded.refused.saturating_add(1);
        }
        recorded.room > 0
    }

    /// Ends a span of this trace, and takes back the reference that it was lent.
    #[inline]
    pub(super) fn end(&self, place: Place, status: SpanStatus) {
        let Place {
            trace,
            number,
            recorded: is_recorded,
        } = place;
        let Ok(mut recorded) = self.recorded.try_borrow_mut() else {
            return;
        };
        if is_recorded {
            let change = Change::End(Ticks::now(), status);
            match recorded.buffer.records.get_mut(number.index as usize) {
                Some(record) if number.task == self.task => record.apply(change),
                _ => trace.change_away(number, change),
            }
        }
        recorded.take_back(trace);
    }

    /// Takes back a reference that was lent, if it is to this trace.
    #[inline]
    pub(super) fn take_back(&self, place: Place) {
        if Arc::ptr_eq(&place.trace, &self.trace)
            && let Ok(mut recorded) = self.recorded.try_borrow_mut()
        {
            recorded.take_back(place.trace);
        }
    }

    /// Calls `f` with the buffer, if changes to this span are made there.
    pub(super) fn at_home_of(&self, number: SpanNumber, f: impl FnOnce(&mut SpanBuffer)) {
        if number.task == self.task
            && !self.trace.changed_away.load(Ordering::Acquire)
            && let Ok(mut recorded) = self.recorded.try_borrow_mut()
        {
            f(&mut recorded.buffer);
        }
    }

    /// A span of this trace, as whoever looks at it from this task sees it.
    pub(super) fn place(&self, number: SpanNumber) -> Place {
        let trace = match self.recorded.try_borrow_mut() {
            Ok(mut recorded) => recorded.lend(&self.trace),
            Err(_) => Arc::clone(&self.trace),
        };
        Place {
            trace,
            number,
            recorded: self.sampled,
        }
    }

    /// Hands over what was recorded, now that the task has ended.
    pub(crate) fn hand_over(self, scope: Scope) {
        let trace = self.trace;
        let Recorded {
            buffer, refused, ..
        } = self.recorded.into_inner();
        if self.task == trace.root.task {
            let end = Change::End(Ticks::now(), self.dropped_as.get());
            trace.root_ended(buffer, end, refused, scope);
        } else if self.sampled {
            let mut shared = trace.shared();
            shared.live.retain(|task| *task != self.task);
            if shared.ended {
                let changes = shared.take_changes_of(self.task);
                let name = shared.name.clone();
                drop(shared);
                let own = (self.task, buffer);
                let spawned_by = self.current.get();
                let late =
                    Finished::of_late_task(trace, own, spawned_by, changes, refused, scope, name);
                if let Some(late) = late {
                    late.deliver();
                }
            } else {
                shared.refused = shared.refused.saturating_add(refused);
                shared.handed_over.push((self.task, buffer));
                if self.main {
                    shared.scope = scope;
                }
            }
        }
    }
}

impl Recorded {
    /// Lends a reference to the trace.
    #[inline]
    fn lend(&mut self, trace: &Arc<Trace>) -> Arc<Trace> {
        self.references.pop().unwrap_or_else(|| Arc::clone(trace))
    }

    /// Takes back a reference to this trace.
    #[inline]
    fn take_back(&mut self, reference: Arc<Trace>) {
        if self.references.len() < KEPT_REFERENCES {
            self.references.push(reference);
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
