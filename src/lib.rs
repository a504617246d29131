//! Performance monitoring for async Rust, reported to Sentry.
//!
//! Wrap a future in a transaction, and every span below it lands in one tree: across `.await`,
//! in spawned tasks and on blocking threads. One background task delivers what is finished, and
//! one awaitable [`close`](Client::close) tells what became of all of it.
//!
//! ```
//! use std::time::Duration;
//!
//! use taskspan::local::Receiver;
//! use taskspan::{Instrument, Options};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     // A server inside of this process. A service takes `Options::from_env()` instead, which
//!     // sends to where SENTRY_DSN says, and nothing without it.
//!     let receiver = Receiver::start().await?;
//!     let options = Options::new(&receiver.dsn())?;
//!
//!     let client = taskspan::init(options.traces_sample_rate(1.0))?;
//!     for item in [1, 2, 3] {
//!         let sum = process(item).in_transaction("task", "process item").await?;
//!         assert_eq!(sum, item * 10);
//!     }
//!     let report = client.close(Duration::from_secs(2)).await;
//!
//!     assert_eq!(report.transactions.accepted, 3);
//!     let transaction = &receiver.transactions()[0];
//!     assert_eq!(transaction.name, "process item");
//!     assert_eq!(transaction.spans[0].op, "db.query");
//!     assert_eq!(transaction.spans[1].data["rows"], 10);
//!     Ok(())
//! }
//!
//! async fn process(item: u64) -> Result<u64, tokio::task::JoinError> {
//!     let rows = load(item).in_span("db.query", "SELECT * FROM items").await;
//!
//!     // Blocking work stays in the transaction, and so does a spawned task.
//!     let sum = taskspan::spawn_blocking(move || {
//!         taskspan::span("function", "sum").in_scope(|span| {
//!             span.set_data("rows", rows.len());
//!             rows.iter().sum()
//!         })
//!     });
//!     sum.await
//! }
//!
//! async fn load(item: u64) -> Vec<u64> {
//!     vec![item; 10]
//! }
//! ```
//!
//! # Who calls what
//!
//! A program makes a client once and closes it before it ends: [`init`], [`Client::close`]. It
//! starts the transactions: [`Instrument::in_transaction`], or [`transaction`] where the work is
//! a closure or has no shape at all.
//!
//! A library only starts spans, and leaves it to the program whether they go anywhere. Outside of
//! any transaction every call works and does nothing.
//!
//! | To record | Write |
//! |---|---|
//! | a future | `work.in_span("db.query", "SELECT 1").await` |
//! | a closure | `taskspan::span("serialize", "json").in_scope(\|span\| …)` |
//! | what is neither | `let open = parent.start_child("lock", "cache")`, ended by `open.finish()` or a drop |
//! | what was found out on the way | [`current_span`], [`current_transaction`], [`Span::set_data`], [`Span::set_tag`] |
//! | that it failed | `work.record_err().in_span(…)`, [`Span::set_status`] |
//! | what holds for the whole transaction | [`set_tag`], [`set_user`], [`set_context`], [`configure_scope`] |
//! | what holds for a part of the work | [`with_scope`], [`with_isolation_scope`] |
//! | what happened on the way | [`add_breadcrumb`] |
//!
//! The first word is the kind of work, best one that Sentry knows: `http.server`, `http.client`,
//! `db.query`, `cache.get`, `queue.process`, `task`, `function`. The second says what exactly is
//! done; leave numbers that are never the same again to [`Span::set_data`].
//!
//! # How spans follow the work
//!
//! A span belongs to the task that started it, and is current in what it wraps. Futures that one
//! task polls side by side, with `join!` or `select!`, each keep to their own parents. A task
//! that is spawned with Tokio's own functions knows nothing of the one that spawned it, so use
//! these instead:
//!
//! | Instead of | Write |
//! |---|---|
//! | `tokio::spawn(work)` | [`taskspan::spawn(work)`](spawn) |
//! | `tokio::task::spawn_blocking(work)` | [`taskspan::spawn_blocking(work)`](spawn_blocking) |
//! | `join_set.spawn(work)` | [`join_set.spawn_in_current_scope(work)`](JoinSetExt::spawn_in_current_scope) |
//! | `std::thread::spawn(work)` | `std::thread::spawn(`[`in_current_scope(work)`](in_current_scope)`)` |
//! | any other way to spawn a future | [`work.in_current_scope()`](Instrument::in_current_scope) |
//!
//! A future that is dropped before it is ready ends its spans as `cancelled`, and a panic ends
//! them as `internal_error`. A task that outlives its transaction is sent as a transaction of its
//! own in the same trace. Nobody waits for it.
//!
//! Work that never ends, such as an accept loop, a consumer or a stream, is best recorded as one
//! transaction for each message: spans beyond [`Options::max_spans`] are dropped, and a transaction is
//! sent when it ends. Outside of any transaction that takes these lines:
//!
//! ```
//! # use taskspan::Instrument;
//! # async fn handle(_: u32) {}
//! # async fn consume(messages: [u32; 2]) {
//! for message in messages {
//!     handle(message)
//!         .in_transaction("queue.process", "orders")
//!         .await;
//! }
//! # }
//! ```
//!
//! A closure that returns a future ends its span when it returns, before the future runs, so wrap
//! the future. A task that is aborted ends only when the runtime has got to it, and so may outlive
//! a transaction that ends at the same moment; `join_set.shutdown().await` waits for that.
//!
//! # Across services
//!
//! | To | Write |
//! |---|---|
//! | continue what came with a request or a message | [`IncomingTrace::from_carrier`] and [`TransactionBuilder::continue_trace`] |
//! | tell others of the trace | [`outgoing_trace_to`], [`outgoing_trace`] and [`OutgoingTrace::inject`] |
//! | continue a trace around several transactions, or around none | [`continue_trace`], [`Instrument::continue_trace`] |
//! | leave the trace | [`start_new_trace`], [`Instrument::start_new_trace`] |
//!
//! Others are told of a trace also where nothing is recorded. Who is told, and whose traces go on,
//! is up to [`Options::trace_propagation_targets`] and [`Options::strict_trace_continuation`].
//! Whether a transaction is recorded is decided once, where its trace begins:
//! [`Options::traces_sample_rate`], [`Options::traces_sampler`].
//!
//! # What is left out, and what is changed
//!
//! Spans and transactions that nobody wants are left out by [`Options::ignore_transactions`],
//! [`Options::ignore_spans`], [`Options::trace_ignore_status_codes`] and
//! [`Options::min_span_duration`]. The program's own code changes or drops what is sent:
//! [`Options::event_processor`], [`Scope::add_event_processor`], [`Options::before_send_span`] and
//! [`Options::before_send_transaction`]. All of it runs on the background task, and a panic there
//! costs one transaction at most.
//!
//! # Before the program ends
//!
//! Transactions are sent in the background, and those that still wait when the process ends are
//! lost. [`Client::close`] waits for them until its deadline. Its [`DeliveryReport`] adds up:
//! whatever was sampled is accepted, dropped for a reason, or still pending. A program that exits
//! on an error or a signal has to come by there as well.
//!
//! # In tests
//!
//! A client of the module `test` keeps what it would send. Bound to a future it disturbs no other
//! test:
//!
//! ```
//! use taskspan::{Instrument, Options};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! let (client, sent) = taskspan::test::client(Options::default().traces_sample_rate(1.0));
//!
//! async { async { 3 }.in_span("db.query", "SELECT 3").await }
//!     .in_transaction("task", "import")
//!     .with_client(&client)
//!     .await;
//!
//! assert_eq!(sent.tree(), "task import (ok)\n  db.query SELECT 3 (ok)\n");
//! # }
//! ```
//!
//! # Modules and features
//!
//! What one needs every day is listed below on this page. [`protocol`] has the types that are
//! sent. None of the features is on by default, and none changes what the others do.
//!
//! | Feature | Adds |
//! |---|---|
//! | `actix-web` | `taskspan::actix_web`: the middleware of servers with actix-web |
//! | `apalis` | `taskspan::apalis`: the layer of workers, and jobs that carry the trace |
//! | `axum` | `taskspan::axum`: the server layer with matched routes as names |
//! | `local` | `taskspan::local`: a receiver for Sentry's protocol inside the process, and a drawing of what it receives |
//! | `messaging` | `taskspan::messaging`: messages that carry the trace through any queue |
//! | `process` | `taskspan::process`: child processes that are spans and get the trace |
//! | `redis` | `taskspan::redis`: connections whose commands are spans |
//! | `reqwest` | `taskspan::reqwest`: a client whose requests are spans |
//! | `sqlx` | `taskspan::sqlx`: pools, connections and transactions whose queries are spans |
//! | `test` | `taskspan::test`: a client that keeps what it would send, for tests |
//! | `tonic` | `taskspan::tonic`: layers for gRPC servers and clients |
//! | `tower` | `taskspan::tower`: layers for servers and clients of HTTP |
//! | `tracing` | `taskspan::tracing`: a layer that makes spans of those of `tracing` |
//! | `zstd` | `Compression::Zstd` for uploads |
//!
//! # Supported Rust
//!
//! Rust 1.88 and later, which is where `if let … && let …` came to be; 1.94 with the feature
//! `sqlx`, as sqlx does. A release that needs a newer Rust gets a new minor version. Delivery runs on
//! Tokio 1, on a runtime of either flavour with I/O and time enabled. Spans need no runtime.
//!
//! # What is not promised
//!
//! * That everything arrives. The application comes first: nothing here blocks or fails a
//!   request. What can't be sent is dropped and counted.
//! * That nothing arrives twice. Where an answer is lost the same event is sent again, and
//!   servers know it by its id.
//! * That a span outlasts its transaction. What is set after that is ignored.
//! * What exactly goes over the wire. It follows the protocol, and may change with any release.

mod client;
mod clock;
mod diagnostics;
mod export;
mod filter;
#[cfg(test)]
mod fuzz;
mod hooks;
mod http;
mod integrations;
#[cfg(feature = "local")]
pub mod local;
mod options;
mod own_work;
mod pattern;
mod poll;
mod privacy;
mod propagation;
pub mod protocol;
mod record;
mod scope;
mod span;
mod task;
#[cfg(feature = "test")]
pub mod test;
mod trace;
mod transport;

// Everything public is named here, except for what is sent (`protocol`).
pub use crate::client::InitError;
pub use crate::client::{Client, init};
pub use crate::filter::SpanRule;
pub use crate::hooks::SamplingContext;
pub use crate::http::Compression;
#[cfg(feature = "actix-web")]
pub use crate::integrations::actix_web;
#[cfg(feature = "apalis")]
pub use crate::integrations::apalis;
#[cfg(feature = "axum")]
pub use crate::integrations::axum;
#[cfg(feature = "messaging")]
pub use crate::integrations::messaging;
#[cfg(feature = "process")]
pub use crate::integrations::process;
#[cfg(feature = "redis")]
pub use crate::integrations::redis;
#[cfg(feature = "reqwest")]
pub use crate::integrations::reqwest;
#[cfg(feature = "sqlx")]
pub use crate::integrations::sqlx;
#[cfg(feature = "tonic")]
pub use crate::integrations::tonic;
#[cfg(feature = "tower")]
pub use crate::integrations::tower;
#[cfg(feature = "tracing")]
pub use crate::integrations::tracing;
pub use crate::options::{Options, OptionsError, Spotlight};
pub use crate::pattern::Pattern;
pub use crate::propagation::{IncomingTrace, OutgoingTrace, TraceCarrier};
pub use crate::protocol::{DiscardReason, Level, Request, SpanStatus, TransactionSource, User};
pub use crate::protocol::{Dsn, ParseDsnError};
pub use crate::protocol::{EventId, ParseIdError, SpanId, TraceId};
pub use crate::scope::{Scope, configure_global_scope};
pub use crate::span::{
    InScope, InSpan, InTransaction, Instrument, JoinSetExt, OpenSpan, RecordErr, Span, SpanBuilder,
    TransactionBuilder, WithScope, continue_trace, current_span, current_transaction,
    in_current_scope, outgoing_trace, outgoing_trace_to, span, spawn, spawn_blocking,
    start_new_trace, transaction,
};
pub use crate::task::{
    add_breadcrumb, configure_scope, set_context, set_level, set_request, set_tag, set_user,
    with_isolation_scope, with_scope,
};
pub use crate::transport::{DeliveryReport, DropReason, Tally};

/// The example in the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
