//! The transaction of some work, and what is told of its spans.

#![allow(dead_code, reason = "not every test asks all of it")]

use serde_json::Value;
use taskspan::protocol::{Span, Transaction};
use taskspan::{Instrument, Options};

/// Does some work as a transaction, which is sampled.
pub(crate) async fn recorded<T>(work: impl Future<Output = T>) -> (T, Transaction) {
    let options = Options::disabled().traces_sample_rate(1.0).max_spans(4_000);
    recorded_with(options, work).await
}

/// The same with options that sample it.
pub(crate) async fn recorded_with<T>(
    options: Options,
    work: impl Future<Output = T>,
) -> (T, Transaction) {
    let (client, sent) = taskspan::test::client(options);
    let work = work.in_transaction("task", "work").with_client(&client);
    let output = work.await;
    (output, sent.take().remove(0))
}

/// The one span below the root.
pub(crate) fn only(transaction: &Transaction) -> &Span {
    assert_eq!(transaction.spans.len(), 1, "{transaction:#?}");
    &transaction.spans[0]
}

/// How a span has ended, in a word.
pub(crate) fn status(span: &Span) -> &'static str {
    span.status.map_or("", taskspan::SpanStatus::as_str)
}

/// A line for each span: operation, description and status.
pub(crate) fn lines(transaction: &Transaction) -> Vec<String> {
    let spans = transaction.spans.iter();
    spans
        .map(|span| format!("{} {} ({})", span.op, span.description, status(span)))
        .collect()
}

/// What a span says under a key, `null` if it says nothing.
pub(crate) fn told(span: &Span, key: &str) -> Value {
    span.data.get(key).cloned().unwrap_or_default()
}

/// All of it, as it is sent.
pub(crate) fn text(transaction: &Transaction) -> String {
    serde_json::to_string(transaction).unwrap()
}
