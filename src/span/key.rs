//! Spans by numbers, for those who have no room for more.

use crate::record::Content;
use std::sync::Arc;
use std::thread;

use super::builder::SpanBuilder;
use super::span::Span;
use crate::clock::Ticks;
use crate::protocol::SpanStatus;
use crate::record::{Change, Kind, Metadata, Record, SpanNumber, metadata};
use crate::task::{Context, TaskScope, drop_status, slot};
use crate::trace::{SpanLocation, TaskSpans, Trace};

/// Names a span, without holding on to anything of its trace.
///
/// In a task that records the trace the numbers are enough. Elsewhere the trace is looked up. It
/// is there until all spans that are named have ended, as [`end`](Self::end) has to tell.
///
/// It is two words, so that it is never anywhere but in registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SpanKey {
    /// The trace's [number](Trace::number), and in its last bit whether the span is recorded.
    pub(crate) trace: u64,
    /// The span's number or, if it is not recorded, that of the nearest above which is.
    pub(crate) number: u64,
}

impl SpanKey {
    #[inline]
    fn new(trace: u64, number: SpanNumber, recorded: bool) -> Self {
        Self {
            trace: trace | u64::from(recorded),
            number: number.bits(),
        }
    }

    /// Whether what is set on the span will be sent.
    #[inline]
    pub(crate) fn is_recorded(self) -> bool {
        self.trace & 1 != 0
    }

    /// Whether both are of the same trace.
    pub(crate) fn has_trace_of(self, other: Self) -> bool {
        self.trace | 1 == other.trace | 1
    }

    /// Starts a span below the current one. `None` where there is none.
    #[inline(always)]
    pub(crate) fn start(
        op: &'static str,
        origin: &'static str,
        metadata: Metadata,
    ) -> Option<Self> {
        slot::with(|task| {
            let spans = task.spans.as_mut()?;
            spans.trace().list();
            let started = spans.record(|parent| {
                let (op, name) = (op.into(), metadata.name().into());
                let mut record = Record::new(op, name, origin, parent, Ticks::now());
                record.metadata = Some(metadata);
                record
            });
            spans.count_open_keys(1);
            let number = started.unwrap_or_else(|| spans.current());
            Some(Self::new(spans.number(), number, started.is_some()))
        })
    }

    /// Starts a span below this one. `None` if its trace is gone.
    pub(crate) fn start_child(
        self,
        op: &'static str,
        origin: &'static str,
        metadata: Metadata,
    ) -> Option<Self> {
        if let Some(before) = self.enter() {
            let started = Self::start(op, origin, metadata);
            self.leave(before);
            return started;
        }
        let parent = self.span()?.location?;
        let mut builder = SpanBuilder::new(op.into(), metadata.name().into()).origin(origin);
        let child = Span {
            location: Some(builder.start_below(parent)),
        };
        child.set_metadata(metadata);
        let key = child.key()?;
        child.location?.trace.count_open_keys(1);
        Some(key)
    }

    /// Makes it the current span, if the current task records its trace, and tells which was.
    #[inline]
    pub(crate) fn enter(self) -> Option<u64> {
        self.with_spans(|spans| Some(spans.set_current(self.span_number()).bits()))
    }

    /// Makes the span current again that was before, unless another one is current by now.
    #[inline]
    pub(crate) fn leave(self, before: u64) {
        self.with_spans(|spans| {
            if spans.current() == self.span_number() {
                spans.set_current(SpanNumber::from_bits(before));
            }
            Some(())
        });
    }

    /// A scope in which it is the current span.
    pub(crate) fn open(self) -> Option<Box<TaskScope>> {
        let location = self.span()?.location?;
        Some(Context::below(&location).open())
    }

    /// A handle to the span, if its trace is still there.
    pub(crate) fn span(self) -> Option<Span> {
        let here = self.with_spans(|spans| Some(Arc::clone(spans.trace())));
        let trace = here.or_else(|| Trace::listed(self.trace & !1))?;
        Some(Span {
            location: Some(SpanLocation {
                number: self.span_number(),
                recorded: self.is_recorded(),
                // A recorded root is known by its number, and another one has no use for it.
                is_root: false,
                trace,
            }),
        })
    }

    /// Something in it failed: unless a status is set, that is its status.
    pub(crate) fn fail(self) {
        self.change(Change::Failed);
    }

    /// Ends the span, with the status of one that is dropped here. There is no more use for the key.
    #[inline]
    pub(crate) fn end(self) {
        let ended = self.with_spans(|spans| {
            spans.count_open_keys(-1);
            if self.is_recorded() {
                let status = match thread::panicking() {
                    true => SpanStatus::InternalError,
                    false => spans.dropped_as(),
                };
                let number = self.span_number();
                let change = Change::End(Ticks::now(), status);
                let home = spans.home_of(number);
                match home.and_then(|home| home.records.get_mut(number.index())) {
                    Some(record) => record.apply(change),
                    None => spans.trace().change_away(number, change),
                }
            }
            Some(())
        });
        if ended.is_none() {
            self.end_away();
        }
    }

    #[cold]
    fn end_away(self) {
        if let Some(location) = self.span().and_then(|span| span.location) {
            location.end(Ticks::now(), drop_status());
            location.trace.count_open_keys(-1);
        }
    }

    #[inline]
    fn change(self, change: Change) {
        if !self.is_recorded() {
            return;
        }
        let mut change = Some(change);
        let number = self.span_number();
        self.with_spans(|spans| {
            let record = spans.home_of(number)?.records.get_mut(number.index())?;
            record.apply(change.take()?);
            Some(())
        });
        if let Some(change) = change {
            self.change_away(change);
        }
    }

    #[cold]
    fn change_away(self, change: Change) {
        if let Some(location) = self.span().and_then(|span| span.location) {
            location.trace.change_away(location.number, change);
        }
    }

    /// Calls `f` if the current task records the span's trace.
    #[inline]
    fn with_spans<R>(self, f: impl FnOnce(&mut TaskSpans) -> Option<R>) -> Option<R> {
        slot::with(|task| {
            let spans = task.spans.as_mut()?;
            if spans.number() == self.trace & !1 {
                f(spans)
            } else {
                None
            }
        })
    }

    #[inline]
    fn span_number(self) -> SpanNumber {
        SpanNumber::from_bits(self.number)
    }
}

impl Span {
    /// Sets what is known of where it is described.
    pub(crate) fn set_metadata(&self, metadata: Metadata) {
        for (key, value) in metadata::attributes(metadata) {
            self.set_data(key, value);
        }
    }

    /// Links it to a span that has caused it without being above it.
    pub(crate) fn follows_from(&self, cause: &Self) {
        if let (Some(location), Some(cause)) = (self.recorded(), &cause.location) {
            let trace_id = cause.trace.info.trace_id;
            let span_id = cause.trace.info.span_id(cause.number);
            // Under a key of its own, as setting one again replaces it.
            let key = format!("{trace_id}-{span_id}");
            location.set(Kind::Link, key.into(), Content::Bytes(&[]));
        }
    }

    /// What finds the span again, `None` outside of any transaction.
    pub(crate) fn key(&self) -> Option<SpanKey> {
        let location = self.location.as_ref()?;
        location.trace.list();
        let trace = location.trace.number();
        Some(SpanKey::new(trace, location.number, location.recorded))
    }
}
