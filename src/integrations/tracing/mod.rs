//! The layer of [tracing](https://docs.rs/tracing): spans of any library as spans.
//!
#![cfg_attr(not(doctest), doc = include_str!("../examples/tracing.md"))]
//!
//! # Spans
//!
//! A span starts when it is made. It lies below the parent that it names, and otherwise below the
//! span that is current, whoever has started that. While it is entered it is the current span, so
//! that whatever starts then lies below it. It ends when it closes, which is when its last handle
//! is gone and the spans below it are closed as well.
//!
//! Where there is nothing above it, a span starts a transaction, and ends it when it closes. So
//! does one with `parent: None`: inside of a transaction, that is one of its own in the same trace.
//! Spans that are not to start one are left out by a filter. Note that a span which is made for a
//! future that is wrapped in a transaction is made before that starts. Put both in an `async` block:
//!
#![cfg_attr(not(doctest), doc = include_str!("../examples/tracing_both.md"))]
//!
//! A span that is entered in another task or on another thread takes its trace with it. A span
//! that goes on after its transaction has ended is sent with that as `deadline_exceeded`, and what
//! starts below it later as a transaction of its own in the same trace.
//!
//! # Fields
//!
//! Fields are data, with their types; what is recorded with `?` or `%` is text. Some of them say
//! what the span is, also if they are recorded later:
//!
//! | Field | Says |
//! |---|---|
//! | `sentry.op` | the operation, `function` by default |
//! | `sentry.name`, `otel.name` | the description or the name of the transaction, by default that of the span |
//! | `otel.kind` | `sentry.kind`; without an operation also that: `http.server`, `http.client`, `db`, `rpc`, `queue.publish` or `queue.process` |
//! | `sentry.status` | the status, by one of its [names](crate::SpanStatus::as_str) |
//! | `otel.status_code` | the status: `OK` is `ok`, `ERROR` is `internal_error` |
//! | `otel.status_message`, `otel.status_description` | that it failed, and `sentry.status.message` |
//! | `sentry.trace` | the `sentry-trace` header that a transaction continues; not if it is recorded later |
//! | `tags.` and a name | a tag |
//!
//! A span that ends without a status is `ok`. It is `internal_error` if an event of the level
//! `ERROR` was emitted in it, a field of it is an error, or a panic has left it, and `cancelled` if
//! one of this crate's futures is dropped with it. That a future of `tracing`'s own is dropped
//! before it is ready can't be known.
//!
//! Target, level and place in the code are data as well: `sentry.tracing.target`,
//! `sentry.tracing.level`, `code.module.name`, `code.file.path` and `code.line.number`. A span that
//! follows from another one has a link to it.
//!
//! # Events
//!
//! Events in a transaction are [breadcrumbs](crate::add_breadcrumb), with their target as category.
//! Those that a library emits on a thread of its own are too if it enters the span that has asked
//! for the work, as sqlx does for SQLite; without a span nobody knows where they belong.
//!
//! # Secrets
//!
//! Texts in fields and messages are scrubbed, since libraries put whole requests there: users and
//! the values of secrets in URLs, headers, and values behind names such as `password`, in what
//! `Debug` writes too, are replaced by `[Filtered]`. So are fields with such names. Fields that
//! identify people (`client.address`, headers such as `http.request.header.x_forwarded_for`) are
//! replaced unless [`send_default_pii`](crate::Options::send_default_pii) is on.
//!
//! All else is sent as it is. Events of sqlx, for one, have whole statements in them, with their
//! values; a filter for the target `sqlx::query` drops them.
//!
//! # Levels and filters
//!
//! Spans and events of the level `INFO` and above are taken. [`Layer::with_max_level`] changes
//! that, and `with_filter` leaves out more. A span that is left out is as if it were not there:
//! those below it lie below its parent.
//!
//! # What is never recorded
//!
//! What this crate does to deliver transactions, at any level, and what a sampler or a callback
//! for breadcrumbs does with `tracing` itself.
//!
//! # What is wrong to do
//!
//! A guard of `Span::enter` that is held across an `.await` stays entered where `tracing` says that
//! it does, on the thread, until a future of this crate's ends its poll there. Spans may then lie
//! below a wrong one, as they do in all of `tracing`; none is lost, and none gets into the trace of
//! one of this crate's futures.
//!
//! A subscriber that is only the default of a thread does not always get to know that a span has
//! closed. Those then end with the layer.

mod entered;
mod fields;
mod kind;
mod layer;
mod table;

pub use self::layer::Layer;

/// Makes the layer, which takes spans and events of the level `INFO` and above.
///
/// It is for subscribers that keep spans in the registry of `tracing-subscriber`. It records for
/// whichever client holds where a span is made, and so may be there before any client is.
///
/// ```
/// use tracing_subscriber::filter::LevelFilter;
/// use tracing_subscriber::prelude::*;
///
/// let warnings = taskspan::tracing::layer().with_filter(LevelFilter::WARN);
/// let subscriber = tracing_subscriber::registry().with(warnings);
/// # drop(subscriber);
/// ```
pub fn layer() -> Layer {
    Layer::new()
}
