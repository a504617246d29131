//! Spans that end when they are dropped.

use std::fmt;
use std::ops::Deref;
use std::time::SystemTime;

use super::span::Span;
use crate::clock::Ticks;
use crate::protocol::SpanStatus;
use crate::record::{Change, SpanBuffer};
use crate::task::drop_status;
use crate::trace::SpanLocation;

/// A span that ends when this is dropped.
///
/// It is a [`Span`] in all other respects. It never becomes the current span by
/// itself, so it can be held across an `.await`: use [`Span::in_scope`] or
/// [`Instrument::in_scope_of`](crate::Instrument::in_scope_of) to run code below it.
///
/// It ends as `ok` unless another status was set, as `internal_error` when it is
/// dropped by a panic, and as `cancelled` when it is dropped with a future that
/// was not ready. Once the transaction has ended it can't be added to any more:
/// a span that is still open then is sent with the end of the transaction and
/// the status `deadline_exceeded`, as servers would do it.
///
/// ```
/// # use taskspan::{Instrument, Options};
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # let (client, sent) = taskspan::test::client(Options::default().traces_sample_rate(1.0));
/// # async {
/// let connection = taskspan::transaction("websocket.server", "connection").start();
/// for message in ["first", "second"] {
///     // In this order: the span lies below the connection.
///     async {}.in_span("message", message).in_scope_of(&connection).await;
/// }
/// connection.start_child("close", "handshake").finish();
/// connection.finish();
/// # }
/// # .with_client(&client)
/// # .await;
/// # assert_eq!(sent.transactions()[0].spans.len(), 3);
/// # }
/// ```
#[must_use = "a span ends as soon as it is dropped"]
pub struct OpenSpan {
    span: Span,
    /// Whether the transaction ends with it.
    ends_transaction: bool,
}

impl OpenSpan {
    pub(crate) fn new(span: Span) -> Self {
        Self {
            span,
            ends_transaction: false,
        }
    }

    /// The root of a transaction without a task of its own.
    pub(crate) fn root(location: SpanLocation) -> Self {
        Self {
            span: Span {
                location: Some(location),
            },
            ends_transaction: true,
        }
    }

    /// Ends the span now, as `ok` unless another status was set.
    pub fn finish(mut self) {
        self.end(None, SpanStatus::Ok);
    }

    /// Ends the span at a time in the past or the future.
    ///
    /// A time before the span's start is taken for its start, since servers
    /// refuse whole transactions for spans that end before they start.
    pub fn finish_at(mut self, time: SystemTime) {
        self.end(Some(time), SpanStatus::Ok);
    }

    /// Ends the span, unless it has ended.
    fn end(&mut self, time: Option<SystemTime>, status: SpanStatus) {
        let Some(location) = self.span.location.take() else {
            return;
        };
        let ticks = match time {
            Some(time) => location.trace.info.anchor.ticks_at(time),
            None => Ticks::now(),
        };
        if self.ends_transaction {
            end_transaction(location, ticks, status);
        } else {
            location.end(ticks, status);
        }
    }
}

/// Ends a root without a task of its own. It is apart, so that other spans end quickly.
#[inline(never)]
fn end_transaction(mut root: SpanLocation, ticks: Ticks, status: SpanStatus) {
    let trace = &mut root.trace;
    if root.recorded {
        let scopes = trace.take_scopes();
        let end = Change::End(ticks, status);
        trace.root_ended(SpanBuffer::default(), end, 0, scopes);
    } else {
        trace.unsampled_root_ended();
    }
}

impl Drop for OpenSpan {
    fn drop(&mut self) {
        if self.span.location.is_none() {
            return;
        }
        self.end(None, drop_status());
    }
}

impl Deref for OpenSpan {
    type Target = Span;

    fn deref(&self) -> &Span {
        &self.span
    }
}

impl fmt::Debug for OpenSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OpenSpan").field(&self.span).finish()
    }
}
