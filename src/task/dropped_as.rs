//! How spans end that are dropped.

use std::{mem, thread};

use super::slot;
use crate::protocol::SpanStatus;

/// Gives spans of the current task a status if they end while this is dropped.
///
/// Forget it to keep things as they are.
pub(crate) struct DropAs(pub(crate) SpanStatus);

impl Drop for DropAs {
    fn drop(&mut self) {
        set_dropped_as(self.0);
    }
}

/// The status of a span that is dropped here and now, where none was set.
pub(crate) fn drop_status() -> SpanStatus {
    if thread::panicking() {
        return SpanStatus::InternalError;
    }
    slot::with(|task| Some(task.spans.as_ref()?.dropped_as)).unwrap_or(SpanStatus::Ok)
}

/// Sets the status of spans of the current task that are dropped from now on, and tells which it was.
pub(crate) fn set_dropped_as(status: SpanStatus) -> Option<SpanStatus> {
    slot::with(|task| Some(mem::replace(&mut task.spans.as_mut()?.dropped_as, status)))
}
