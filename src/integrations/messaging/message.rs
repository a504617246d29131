//! What is known of a message, and the two ends of its way.

use std::time::SystemTime;

use futures_util::future::Either;
use serde::Serialize;

use crate::integrations::call::{self, InCall};
use crate::propagation::{IncomingTrace, OutgoingTrace, TraceCarrier};
use crate::protocol::{SpanStatus, TransactionSource};
use crate::span::{Span, TransactionBuilder, outgoing_trace, transaction};

/// What is known of a message, or of a batch of them. See the [module](crate::messaging) for examples.
///
/// Nothing but system and destination has to be told.
#[derive(Clone, Debug)]
#[must_use = "a message is recorded by `publish` or `process`"]
pub struct Message<'a> {
    system: &'static str,
    destination: &'a str,
    origin: &'static str,
    id: Option<&'a str>,
    body_size: Option<usize>,
    envelope_size: Option<usize>,
    retry_count: Option<usize>,
    batch_count: Option<usize>,
    published_at: Option<SystemTime>,
}

impl<'a> Message<'a> {
    /// Describes a message by the messaging system, such as `nats` or `kafka`, and the name of the
    /// queue, subject or topic that it is sent to.
    ///
    /// Spans and transactions are grouped by the destination, so leave identifiers out of it:
    /// `orders.*.shipped` and not `orders.1234.shipped`, and for answers `replies` and not the
    /// inbox that they go to.
    pub fn new(system: &'static str, destination: &'a str) -> Self {
        Self {
            system,
            destination,
            origin: "auto.queue.messaging",
            id: None,
            body_size: None,
            envelope_size: None,
            retry_count: None,
            batch_count: None,
            published_at: None,
        }
    }

    /// Tells the id that the messaging system knows the message by.
    pub fn id(mut self, id: &'a str) -> Self {
        self.id = Some(id);
        self
    }

    /// Tells the size of the body in bytes, as it is sent.
    pub fn body_size(mut self, bytes: usize) -> Self {
        self.body_size = Some(bytes);
        self
    }

    /// Tells the size of the body and all that is sent with it in bytes.
    pub fn envelope_size(mut self, bytes: usize) -> Self {
        self.envelope_size = Some(bytes);
        self
    }

    /// Tells how often the message was delivered before: 0 for the first time.
    pub fn retry_count(mut self, count: usize) -> Self {
        self.retry_count = Some(count);
        self
    }

    /// Tells how many messages are published or processed as one.
    pub fn batch_count(mut self, messages: usize) -> Self {
        self.batch_count = Some(messages);
        self
    }

    /// Tells when the message was published: what has passed since is its latency when it is
    /// processed.
    ///
    /// A time in the future, as clocks are never quite the same, is taken for now.
    pub fn published_at(mut self, time: SystemTime) -> Self {
        self.published_at = Some(time);
        self
    }

    /// Tells who records it.
    #[cfg(feature = "apalis")]
    pub(in crate::integrations) fn origin(mut self, origin: &'static str) -> Self {
        self.origin = origin;
        self
    }

    /// Publishes the message: `send` gets the headers, which carry the trace then, and returns the
    /// future of the client. The result of a client that has no futures goes into
    /// [`std::future::ready`].
    ///
    /// That is a span `queue.publish` below the current one, which starts now and ends when the
    /// future is ready: as `ok`, or as `internal_error` with an `Err`, which is passed on untouched.
    /// Where nothing is recorded it costs nothing but the trace in the headers. What they had of
    /// another trace is replaced; all else stays. Without a client that is
    /// [enabled](crate::Client::is_enabled) nothing is put there.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops that of the client, and ends the span as `cancelled`. If it panics,
    /// the span ends as `internal_error`, and the panic goes on.
    pub fn publish<H, S, F, T, E>(
        self,
        mut headers: H,
        send: S,
    ) -> impl Future<Output = Result<T, E>> + use<H, S, F, T, E>
    where
        H: TraceCarrier,
        S: FnOnce(H) -> F,
        F: Future<Output = Result<T, E>>,
    {
        self.publish_in(|trace| {
            if let Some(trace) = trace {
                trace.inject(&mut headers);
            }
            send(headers)
        })
    }

    /// Publishes the message: `send` is told the trace, to take it along.
    pub(in crate::integrations) fn publish_in<S, F, T, E>(
        self,
        send: S,
    ) -> impl Future<Output = Result<T, E>> + use<S, F, T, E>
    where
        S: FnOnce(Option<OutgoingTrace>) -> F,
        F: Future<Output = Result<T, E>>,
    {
        let publishing = call::begin("queue.publish", self.origin, || {
            self.destination.to_owned().into()
        });
        let Some(mut span) = publishing else {
            return Either::Right(send(outgoing_trace()));
        };
        for (key, value) in self.data("publish") {
            span.set_data(key, value);
        }
        let trace = span.outgoing_trace();
        let sending = span.run(|| send(trace));
        Either::Left(InCall::new(span, sending, status))
    }

    /// Describes the transaction that processes the message: `queue.process`, named by the
    /// destination, in the trace that the headers carry and below the span that published it.
    ///
    /// It is never part of a transaction around it, such as one of a loop that receives messages:
    /// without a trace in the headers it begins one of its own. It starts with
    /// [`instrument`](TransactionBuilder::instrument), [`in_scope`](TransactionBuilder::in_scope) or
    /// [`start`](TransactionBuilder::start), and ends as `cancelled` if a future is dropped and as
    /// `internal_error` if it panics, or with an `Err` and
    /// [`record_err`](crate::InTransaction::record_err).
    pub fn process(self, headers: &(impl TraceCarrier + ?Sized)) -> TransactionBuilder {
        let latency = self.published_at.map(|time| {
            let latency = time.elapsed().unwrap_or_default().as_millis();
            Value::Milliseconds(u64::try_from(latency).unwrap_or(u64::MAX))
        });
        let latency = latency.map(|value| ("messaging.message.receive.latency", value));
        let processing = transaction("queue.process", self.destination.to_owned())
            .source(TransactionSource::Task)
            .origin(self.origin)
            .continue_trace(&IncomingTrace::from_carrier(headers));
        let data = self.data("process").chain(latency);
        data.fold(processing, |processing, (key, value)| {
            processing.data(key, value)
        })
    }

    /// All that is known, as attributes.
    fn data(&self, operation: &'static str) -> impl Iterator<Item = (&'static str, Value<'a>)> {
        let texts = [
            ("messaging.system", Some(self.system)),
            ("messaging.destination.name", Some(self.destination)),
            ("messaging.operation.type", Some(operation)),
            ("messaging.operation.name", Some(operation)),
            ("messaging.message.id", self.id),
        ];
        let counts = [
            ("messaging.message.body.size", self.body_size),
            ("messaging.message.envelope.size", self.envelope_size),
            ("messaging.message.retry.count", self.retry_count),
            ("messaging.batch.message_count", self.batch_count),
        ];
        let texts = texts.map(|(key, text)| Some((key, Value::Text(text?))));
        let counts = counts.map(|(key, count)| Some((key, Value::Count(count?))));
        texts.into_iter().chain(counts).flatten()
    }
}

/// The value of an attribute.
#[derive(Serialize)]
#[serde(untagged)]
enum Value<'a> {
    Text(&'a str),
    Count(usize),
    Milliseconds(u64),
}

/// How the span of a message ends that was published, or not.
fn status<T, E>(_: &Span, result: &Result<T, E>) -> SpanStatus {
    match result {
        Ok(_) => SpanStatus::Ok,
        Err(_) => SpanStatus::InternalError,
    }
}
