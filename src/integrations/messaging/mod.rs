//! Messages that carry the trace through a queue, whatever its client is.
//!
//! [`Message`] describes one, and has two verbs. [`publish`](Message::publish) is for who sends it:
//! a span `queue.publish`, and the trace in the message's headers. [`process`](Message::process) is
//! for who gets it: a transaction `queue.process` in that trace, below that span.
//!
//! ```
//! use std::collections::HashMap;
//!
//! use taskspan::messaging::Message;
//! # use taskspan::{Instrument, Options};
//! # use tokio::sync::mpsc;
//! # use tokio::sync::mpsc::error::SendError;
//!
//! type Headers = HashMap<String, String>;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SendError<(Headers, Vec<u8>)>> {
//! # let (client, sent) = taskspan::test::client(Options::default().traces_sample_rate(1.0));
//! # let (sender, mut receiver) = mpsc::channel(1);
//! # async {
//! let order = b"two of them".to_vec();
//! Message::new("in-process", "orders")
//!     .body_size(order.len())
//!     .publish(Headers::new(), |headers| sender.send((headers, order)))
//!     .await?;
//! # Ok(())
//! # }.in_transaction("http.server", "POST /orders").with_client(&client).await?;
//! # drop(sender);
//!
//! async fn ship(order: Vec<u8>) -> Result<(), String> {
//!     taskspan::span("db.query", "INSERT INTO shipments VALUES ($1)").in_scope(|_| { /* … */ });
//!     Ok(())
//! }
//!
//! while let Some((headers, order)) = receiver.recv().await {
//!     let message = Message::new("in-process", "orders").body_size(order.len());
//!     let shipping = message.process(&headers).instrument(ship(order)).record_err();
//!     # let shipping = shipping.with_client(&client);
//!     shipping.await.unwrap_or_else(|problem| eprintln!("not shipped: {problem}"));
//! }
//! # let tree = "http.server POST /orders (ok)\n  queue.publish orders (ok)\n\
//! #     queue.process orders (ok)\n  db.query INSERT INTO shipments VALUES ($1) (ok)\n";
//! # assert_eq!(sent.tree(), tree);
//! # let sent = sent.take();
//! # assert_eq!(sent[1].contexts.trace.parent_span_id, Some(sent[0].spans[0].span_id));
//! # Ok(())
//! # }
//! ```
//!
//! # Headers
//!
//! The trace is in `sentry-trace` and `baggage`, in whatever is a [`TraceCarrier`]. Where the
//! headers of a client are none yet, a type of your own around them is. For
//! [async-nats](https://docs.rs/async-nats):
//!
#![cfg_attr(not(doctest), doc = include_str!("../examples/messaging_nats.md"))]
//!
//! What JetStream knows of a message is in its `info()`: `delivered` is one more than the
//! [`retry_count`](Message::retry_count), [`published_at`](Message::published_at) takes
//! `published.into()`, and `stream_sequence` is its [`id`](Message::id).
//!
//! The trace is put there also where nothing is recorded, so that who processes the message knows
//! what was decided. [`trace_propagation_targets`](crate::Options::trace_propagation_targets) are
//! about URLs, and leave messages alone. Headers that are malformed are as good as none.
//!
//! # Batches
//!
//! Messages that are handled one by one are a transaction each, also if one call has received them
//! all. Where many are handled as one, say how many with [`batch_count`](Message::batch_count), and
//! give the headers of the first: a transaction is part of one trace only.
//!
//! [`TraceCarrier`]: crate::TraceCarrier

mod message;

pub use self::message::Message;
