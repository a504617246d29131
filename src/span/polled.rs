//! A span whose work comes in pieces: polls of a future, and then of a body.

use std::ops::Deref;

use super::open_span::OpenSpan;
use super::span::Span;
#[cfg(feature = "_call-sites")]
use crate::clock::Ticks;
use crate::protocol::SpanStatus;
use crate::task::{Context, DropAs, Restore, TaskScope, in_task_of, set_dropped_as, slot};

/// An [`OpenSpan`] that is the current span in each piece of its work.
pub(crate) struct PolledSpan {
    // In this order: the span ends before what it was polled in does.
    span: OpenSpan,
    /// What it is polled in away from its trace, kept so that all of it is one task.
    own: Option<Box<TaskScope>>,
    /// When it began, if it is to say where in the code it was waited for.
    #[cfg(feature = "_call-sites")]
    located_from: Option<Ticks>,
}

impl PolledSpan {
    pub(crate) fn new(span: OpenSpan) -> Self {
        Self {
            span,
            own: None,
            #[cfg(feature = "_call-sites")]
            located_from: None,
        }
    }

    /// Has it say where in the code it was waited for, should it take long.
    #[cfg(feature = "_call-sites")]
    pub(crate) fn located(mut self) -> Self {
        self.located_from = Some(Ticks::now());
        self
    }

    /// Does a piece of the work.
    pub(crate) fn run<R>(&mut self, work: impl FnOnce() -> R) -> R {
        let Some(location) = &self.span.location else {
            return work();
        };
        let current = in_task_of(&location.trace, |spans| {
            Some(spans.set_current(location.number))
        });
        if let Some(current) = current {
            let _restore = Restore {
                trace: &location.trace,
                current,
            };
            return work();
        }
        if self.own.is_none() {
            self.own = Some(Context::below(location).open());
        }
        let _entered = slot::enter(&mut self.own);
        work()
    }

    /// Gives up what is left of the work: what ends by that is cancelled.
    pub(crate) fn cancel(&mut self, drop_work: impl FnOnce()) {
        self.run(|| {
            let _restore = set_dropped_as(SpanStatus::Cancelled).map(DropAs);
            drop_work();
        });
    }

    /// Ends the span now, as `ok` unless another status was set.
    pub(crate) fn finish(self) {
        #[cfg(feature = "_call-sites")]
        if let Some(began) = self.located_from {
            self.span.record_slow_call_site(began);
        }
        self.span.finish();
    }

    /// Ends the span now, with this status.
    #[cfg(feature = "_client-spans")]
    pub(crate) fn finish_as(self, status: SpanStatus) {
        self.set_status(status);
        self.finish();
    }
}

impl Deref for PolledSpan {
    type Target = Span;

    fn deref(&self) -> &Span {
        &self.span
    }
}
