//! One trace while it is recorded.
//!
//! A [`Trace`] is what the tasks of one transaction share. Each task records into a buffer of its
//! own ([`TaskSpans`]) while it is polled, and hands that over when it ends. Changes to a span that
//! are made away from its task are left with the trace.

mod away;
mod finish;
#[cfg(feature = "tracing")]
mod listing;
mod location;
mod mailbox;
mod new_span;
mod sampling;
mod task_spans;
mod trace;

pub(crate) use self::location::SpanLocation;
pub(crate) use self::new_span::NewSpan;
pub(crate) use self::task_spans::TaskSpans;
pub(crate) use self::trace::Trace;
