//! Starting spans.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use super::open_span::OpenSpan;
use super::span::Span;
use crate::clock::Ticks;
use crate::protocol::SpanStatus;
use crate::record::SpanNumber;
use crate::task::{in_task_of, slot};
use crate::trace::{NewSpan, SpanLocation};

/// A span that has not started yet. See [`span`].
#[derive(Clone, Debug)]
#[must_use = "a span starts with `in_scope`, `instrument` or `start`"]
pub struct SpanBuilder {
    pub(super) new: NewSpan,
}

/// Describes a span below the current one: what kind of work, and what exactly is done.
///
/// Outside of any transaction the span is not recorded, and costs nothing.
///
/// ```
/// let rows = taskspan::span("serialize", "render").in_scope(|span| {
///     let rows = vec![1, 2, 3];
///     span.set_data("rows", rows.len());
///     rows
/// });
/// assert_eq!(rows.len(), 3);
/// ```
///
/// The closure is not asynchronous, so a span can't be left open across an
/// `.await` by mistake. Use [`Instrument::in_span`](crate::Instrument::in_span) on futures: a
/// closure that returns one measures no more than how long it takes to make it.
///
/// ```compile_fail,E0728
/// # async fn render() {}
/// # async fn work() {
/// taskspan::span("serialize", "render").in_scope(|_| {
///     render().await // no: other tasks would run inside the span
/// });
/// # }
/// ```
#[inline]
pub fn span(
    op: impl Into<Cow<'static, str>>,
    description: impl Into<Cow<'static, str>>,
) -> SpanBuilder {
    SpanBuilder::new(op.into(), description.into())
}

impl SpanBuilder {
    #[inline]
    pub(crate) fn new(op: Cow<'static, str>, description: Cow<'static, str>) -> Self {
        Self {
            new: NewSpan::new(op, description),
        }
    }

    /// Makes it a child of a certain span instead of the current one.
    ///
    /// A handle from outside of any transaction leaves it with the current one.
    pub fn child_of(mut self, parent: &Span) -> Self {
        self.new.more().parent.clone_from(&parent.location);
        self
    }

    /// Makes it start at a time in the past. By default it starts when it is started.
    pub fn start_time(mut self, time: SystemTime) -> Self {
        self.new.more().start = Some(time);
        self
    }

    /// Tells who records the span, `manual` by default.
    ///
    /// For integrations: `auto.`, a category and a name, such as `auto.db.sqlx`,
    /// of letters, digits, dots and underscores.
    pub fn origin(mut self, origin: &'static str) -> Self {
        self.new.origin = origin;
        self
    }

    /// Starts the span, calls `f` with it as the current span, and ends it.
    ///
    /// It ends as `ok` unless `f` sets another status, and as `internal_error`
    /// if `f` panics; the panic goes on.
    #[inline]
    pub fn in_scope<R>(mut self, f: impl FnOnce(&Span) -> R) -> R {
        if let Some(parent) = self.new.take_parent() {
            let parent = Span {
                location: Some(parent),
            };
            return parent.in_scope(|| self.in_scope(f));
        }
        let mut entered = Entered {
            span: Span::none(),
            current: SpanNumber::new(0, 0),
            status: SpanStatus::InternalError,
        };
        if slot::with(|task| Some(task.spans.as_ref()?.is_recorded())) == Some(true) {
            entered.enter(&mut self.new);
        }
        let result = f(&entered.span);
        entered.status = SpanStatus::Ok;
        result
    }

    /// Starts the span and returns it, for work that is neither a closure nor a future.
    pub fn start(mut self) -> OpenSpan {
        let location = match self.new.take_parent() {
            Some(parent) => Some(self.start_below(parent)),
            None => slot::with(|task| Some(task.spans.as_mut()?.start(&mut self.new, None))),
        };
        OpenSpan::new(Span { location })
    }

    /// Starts the span below another one: in the current task if that records
    /// the same trace, else with the trace.
    pub(crate) fn start_below(&mut self, parent: SpanLocation) -> SpanLocation {
        let SpanLocation { trace, number, .. } = parent;
        let here = in_task_of(&trace, |spans| {
            let current = spans.set_current(number);
            let location = spans.start(&mut self.new, None);
            spans.set_current(current);
            Some(location)
        });
        if let Some(location) = here {
            return location;
        }
        let started = if trace.recorded {
            let start = self.new.start_in(&trace);
            trace.start_away(self.new.take_record(number, start))
        } else {
            None
        };
        SpanLocation {
            trace,
            number: started.unwrap_or(number),
            recorded: started.is_some(),
            is_root: false,
        }
    }
}

impl Span {
    /// Starts a span below this one, from any thread.
    pub fn start_child(
        &self,
        op: impl Into<Cow<'static, str>>,
        description: impl Into<Cow<'static, str>>,
    ) -> OpenSpan {
        SpanBuilder::new(op.into(), description.into())
            .child_of(self)
            .start()
    }
}

/// A span that is current until this is dropped.
struct Entered {
    /// None as long as it is not entered.
    span: Span,
    /// The span to make current again.
    current: SpanNumber,
    /// How the span ends. Only a panic finds it as it is at the start.
    status: SpanStatus,
}

impl Entered {
    /// Starts a span in the current task and makes it current.
    #[inline(never)]
    fn enter(&mut self, span: &mut NewSpan) {
        slot::with(|task| {
            let spans = task.spans.as_mut()?;
            self.span.location = Some(spans.start(span, None));
            let number = self.span.location.as_ref()?.number;
            self.current = spans.set_current(number);
            Some(())
        });
    }

    #[inline(never)]
    fn leave(&mut self) {
        // The scopes on a thread are a stack: what was current is so again.
        slot::with(|task| {
            let spans = task.spans.as_mut()?;
            if Arc::ptr_eq(spans.trace(), &self.span.location.as_ref()?.trace) {
                spans.set_current(self.current);
                spans.end(self.span.location.take()?, self.status);
            }
            Some(())
        });
        if let Some(location) = self.span.location.take() {
            location.end(Ticks::now(), self.status);
        }
    }
}

impl Drop for Entered {
    #[inline]
    fn drop(&mut self) {
        if self.span.location.is_some() {
            self.leave();
        }
    }
}
