//! The span and the transaction that the code runs in.

use std::sync::Arc;

use super::span::Span;
use crate::task::slot;
use crate::trace::SpanLocation;

/// The span that the current code runs in, `None` outside of any transaction.
///
/// ```
/// # use taskspan::{Instrument, Options};
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # let (client, sent) = taskspan::test::client(Options::default().traces_sample_rate(1.0));
/// async fn load() {
///     if let Some(span) = taskspan::current_span() {
///         span.set_data("cache.hit", true);
///     }
/// }
///
/// async { load().in_span("cache.get", "items").await }
///     .in_transaction("task", "import")
/// #   .with_client(&client)
///     .await;
/// # assert_eq!(sent.transactions()[0].spans[0].data["cache.hit"], true);
///
/// assert!(taskspan::current_span().is_none());
/// # }
/// ```
pub fn current_span() -> Option<Span> {
    let location = Some(SpanLocation::current()?);
    Some(Span { location })
}

/// Whether a span that is started here and now would be recorded, as long as there is room for it.
///
/// It is the cheapest thing to ask, and allocates nothing.
#[cfg(any(feature = "_client-spans", feature = "tracing"))]
pub(crate) fn is_recording() -> bool {
    slot::with(|task| Some(task.spans.as_ref()?.is_recorded())).unwrap_or(false)
}

/// The root span of the transaction that the current code runs in, `None` outside of any.
///
/// ```
/// # use taskspan::{Instrument, Options};
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # let (client, sent) = taskspan::test::client(Options::default().traces_sample_rate(1.0));
/// async {
///     if let Some(transaction) = taskspan::current_transaction() {
///         transaction.set_name("GET /items/{id}");
///     }
/// }
/// .in_transaction("http.server", "GET /items/7")
/// # .with_client(&client)
/// .await;
/// # assert_eq!(sent.transactions()[0].name, "GET /items/{id}");
/// # }
/// ```
pub fn current_transaction() -> Option<Span> {
    slot::with(|task| {
        let spans = task.spans.as_mut()?;
        Some(Span {
            location: Some(SpanLocation::root(Arc::clone(spans.trace()))),
        })
    })
}
