//! The scope of work that comes in pieces: polls of a future, and then of a body.

use crate::protocol::SpanStatus;
use crate::task::{DropAs, TaskScope, set_dropped_as, slot};

/// A task's scope that is entered for each piece of its work.
///
/// Whatever it records is handed over when it is dropped.
#[derive(Default)]
pub(crate) struct OpenScope {
    /// `None`: the work runs in whatever is current.
    scope: Option<Box<TaskScope>>,
}

impl OpenScope {
    pub(crate) fn new(scope: Option<Box<TaskScope>>) -> Self {
        Self { scope }
    }

    /// Does a piece of the work. Should it panic, what ends from then on ends as that.
    #[inline]
    pub(crate) fn run<R>(&mut self, work: impl FnOnce() -> R) -> R {
        if self.scope.is_none() {
            return work();
        }
        let _entered = slot::enter(&mut self.scope);
        let unwinding = DropAs(SpanStatus::InternalError);
        let result = work();
        std::mem::forget(unwinding);
        result
    }

    /// Gives up what is left of the work, unless it has panicked: what ends from then on is cancelled.
    #[inline]
    pub(crate) fn cancel<R>(&mut self, drop_work: impl FnOnce() -> R) -> R {
        if self.scope.is_none() {
            return drop_work();
        }
        let _entered = slot::enter(&mut self.scope);
        if set_dropped_as(SpanStatus::Cancelled) == Some(SpanStatus::InternalError) {
            set_dropped_as(SpanStatus::InternalError);
        }
        drop_work()
    }

    /// Ends it as [`end`](Self::end) does, with this status where none was set.
    #[cfg(any(feature = "_http-server", feature = "apalis"))]
    pub(crate) fn end_as(&mut self, status: SpanStatus) {
        self.run(|| set_dropped_as(status));
        self.end();
    }

    /// Ends it, and with it its transaction if it is that of one.
    #[inline]
    pub(crate) fn end(&mut self) {
        self.scope = None;
    }
}
