//! A future that is a span while it runs.

use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use pin_project::{pin_project, pinned_drop};

use super::record_err::RecordErr;
use crate::clock::Ticks;
use crate::poll::poll_and_drop;
use crate::protocol::SpanStatus;
use crate::record::SpanNumber;
use crate::span::builder::SpanBuilder;
use crate::task::{Context, TaskScope, in_task_of, set_dropped_as, slot};
use crate::trace::{NewSpan, SpanLocation, TaskSpans};

/// The future returned by [`Instrument::in_span`](crate::Instrument::in_span).
#[pin_project(PinnedDrop)]
#[must_use = "nothing runs, or is measured, until this future is polled"]
pub struct InSpan<F> {
    carried: CarriedSpan,
    #[pin]
    inner: Option<F>,
}

impl SpanBuilder {
    /// Wraps a future, whose first poll starts the span. See
    /// [`Instrument::in_span`](crate::Instrument::in_span).
    #[inline]
    pub fn instrument<F: Future>(self, future: F) -> InSpan<F> {
        InSpan::new(SpanLocation::current(), self, future)
    }
}

/// The span of an [`InSpan`].
struct CarriedSpan {
    stage: Stage,
    /// What is started at the first poll.
    span: NewSpan,
    /// Where the span is, and before it starts where its parent is, which
    /// counts if nothing is current at the first poll.
    location: Option<SpanLocation>,
    /// What the future is polled in away from its trace.
    own: Option<Box<TaskScope>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Stage {
    /// Not polled yet.
    Waiting,
    /// Recorded, and not ended.
    Running,
    /// Not recorded, or ended.
    Idle,
}

impl<F: Future> InSpan<F> {
    /// Sets the status of this span to `internal_error` if the future is ready with an `Err`.
    pub fn record_err<T, E>(mut self) -> InSpan<RecordErr<F>>
    where
        F: Future<Output = Result<T, E>>,
    {
        let inner = self.inner.take().map(RecordErr::new);
        InSpan {
            carried: mem::replace(&mut self.carried, CarriedSpan::nothing()),
            inner,
        }
    }
}

impl<F> InSpan<F> {
    /// Where it is wrapped is the first argument, because a span that is made before the call
    /// which finds that out is copied once more after it.
    #[inline]
    pub(crate) fn new(wrapped_in: Option<SpanLocation>, span: SpanBuilder, future: F) -> Self {
        Self {
            carried: CarriedSpan {
                stage: Stage::Waiting,
                location: wrapped_in,
                span: span.new,
                own: None,
            },
            inner: Some(future),
        }
    }
}

impl<F: Future> Future for InSpan<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<F::Output> {
        let this = self.project();
        let mut polling = this.carried.enter();
        let output = poll_and_drop(this.inner, cx);
        polling.end_as = output.is_ready().then_some(SpanStatus::Ok);
        output
    }
}

#[pinned_drop]
impl<F> PinnedDrop for InSpan<F> {
    #[inline]
    fn drop(self: Pin<&mut Self>) {
        let mut this = self.project();
        if this.inner.is_some() && this.carried.stage != Stage::Waiting {
            let mut polling = this.carried.enter();
            cancel(|| this.inner.set(None));
            polling.end_as = Some(SpanStatus::Cancelled);
        }
    }
}

impl CarriedSpan {
    fn nothing() -> Self {
        Self {
            stage: Stage::Idle,
            span: NewSpan::new("".into(), "".into()),
            location: None,
            own: None,
        }
    }

    /// Makes the span the current one. It starts now if it has not yet.
    #[inline]
    fn enter(&mut self) -> Polling<'_> {
        let entry = match (self.stage, &self.location) {
            (Stage::Waiting, _) => self.start(),
            (Stage::Running, Some(location)) => {
                let before = in_task_of(&location.trace, |spans| {
                    Some(spans.set_current(location.number))
                });
                before.map_or_else(|| self.enter_own(), |before| Entry::Here { before })
            }
            _ if self.own.is_none() => Entry::Nothing,
            _ => self.enter_own(),
        };
        Polling {
            carried: self,
            entry,
            end_as: Some(SpanStatus::InternalError),
        }
    }

    /// Enters what the future is polled in away from its trace.
    #[cold]
    fn enter_own(&mut self) -> Entry {
        if let (None, Some(location)) = (&self.own, &self.location) {
            self.own = Some(Context::below(location).open());
        }
        slot::swap(&mut self.own);
        Entry::Own
    }

    /// Starts the span in the task that polls, or in one of its own, if there
    /// is anything that it could be a part of.
    #[inline(never)]
    fn start(&mut self) -> Entry {
        self.stage = Stage::Idle;
        if let Some(parent) = self.span.take_parent() {
            return self.start_below(parent);
        }
        match slot::with(|task| Some(self.start_in(task.spans.as_mut()?))) {
            Some(entry) => entry,
            None => match self.location.take() {
                Some(parent) => self.start_in_own(parent),
                None => Entry::Nothing,
            },
        }
    }

    /// Starts the span in a task and makes it current there, if it is recorded.
    #[inline(always)]
    fn start_in(&mut self, spans: &mut TaskSpans) -> Entry {
        let reference = self.location.take();
        if !spans.is_recorded() {
            if let Some(location) = reference {
                spans.take_back(location.trace);
            }
            return Entry::Nothing;
        }
        let location = spans.start(&mut self.span, reference);
        if !location.recorded {
            spans.take_back(location.trace);
            return Entry::Nothing;
        }
        let before = spans.set_current(location.number);
        self.stage = Stage::Running;
        self.location = Some(location);
        Entry::Here { before }
    }

    #[cold]
    fn start_below(&mut self, parent: SpanLocation) -> Entry {
        let here = in_task_of(&parent.trace, |spans| {
            let before = spans.set_current(parent.number);
            Some(match self.start_in(spans) {
                Entry::Here { .. } => Entry::Here { before },
                nothing => {
                    spans.set_current(before);
                    nothing
                }
            })
        });
        here.unwrap_or_else(|| self.start_in_own(parent))
    }

    #[cold]
    fn start_in_own(&mut self, parent: SpanLocation) -> Entry {
        let SpanLocation { trace, number, .. } = parent;
        let scopes = trace.scopes();
        let mut spans = TaskSpans::below(trace, number, false);
        self.start_in(&mut spans);
        self.own = Some(Box::new(TaskScope::new(None, Some(spans), None, scopes)));
        slot::swap(&mut self.own);
        Entry::Own
    }

    /// Makes current what was before, and ends the span if there is a status for it.
    #[inline]
    fn leave(&mut self, entry: &Entry, end_as: Option<SpanStatus>) {
        match (entry, end_as) {
            (Entry::Nothing, _) => {}
            (Entry::Here { before }, None) => self.pause(*before),
            (Entry::Here { before }, Some(status)) => self.end_here(*before, status),
            (Entry::Own, end_as) => self.leave_own(end_as),
        }
    }

    #[cold]
    fn leave_own(&mut self, end_as: Option<SpanStatus>) {
        slot::leave(&mut self.own);
        if let Some(status) = end_as {
            self.end_away(status);
        }
    }

    #[inline]
    fn pause(&self, before: SpanNumber) {
        slot::with(|task| {
            let spans = task.spans.as_mut()?;
            if self.is_in(spans) {
                spans.set_current(before);
            }
            Some(())
        });
    }

    #[inline(never)]
    fn end_here(&mut self, before: SpanNumber, status: SpanStatus) {
        self.stage = Stage::Idle;
        slot::with(|task| {
            let spans = task.spans.as_mut()?;
            if self.is_in(spans) {
                spans.set_current(before);
                spans.end(self.location.take()?, status);
            }
            Some(())
        });
        self.own = None;
        if let Some(location) = self.location.take() {
            location.end(Ticks::now(), status);
        }
    }

    /// Whether the current task still is the one that the future was entered in. A guard of
    /// `tracing` that it has held across an await leaves another one there.
    #[inline]
    fn is_in(&self, spans: &TaskSpans) -> bool {
        let trace = self
            .location
            .as_ref()
            .map(|location| Arc::as_ptr(&location.trace));
        cfg!(not(feature = "tracing")) || trace == Some(Arc::as_ptr(spans.trace()))
    }

    fn end_away(&mut self, status: SpanStatus) {
        if let Some(location) = self.location.take() {
            let in_own = self.own.as_mut().and_then(|own| own.spans.as_mut());
            match in_own {
                Some(spans) => spans.end(location, status),
                None => location.end(Ticks::now(), status),
            }
        }
        self.stage = Stage::Idle;
        self.own = None;
    }
}

/// Where a poll found its span to belong.
enum Entry {
    /// To the task that polls, whose current span was this one before.
    Here { before: SpanNumber },
    /// To another trace than that of the task that polls.
    Own,
    /// Nowhere.
    Nothing,
}

/// A span that is current until this is dropped.
struct Polling<'a> {
    carried: &'a mut CarriedSpan,
    entry: Entry,
    /// How the span ends with it. Only a panic finds it as it is at the start.
    end_as: Option<SpanStatus>,
}

impl Drop for Polling<'_> {
    #[inline]
    fn drop(&mut self) {
        self.carried.leave(&self.entry, self.end_as);
    }
}

/// Calls `f`, which drops a future that was not ready.
fn cancel(f: impl FnOnce()) {
    let before = set_dropped_as(SpanStatus::Cancelled);
    f();
    if let Some(before) = before {
        set_dropped_as(before);
    }
}
