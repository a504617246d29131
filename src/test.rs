//! A client for tests: what it would send stays in memory.
//!
//! ```
//! use taskspan::{Instrument, Options};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! let (client, sent) = taskspan::test::client(Options::default().traces_sample_rate(1.0));
//!
//! async { async {}.in_span("db.query", "SELECT 1").await }
//!     .in_transaction("task", "import")
//!     .with_client(&client)
//!     .await;
//!
//! assert_eq!(sent.tree(), "task import (ok)\n  db.query SELECT 1 (ok)\n");
//! # }
//! ```
//!
//! Nothing is shared between clients, so tests that use one each can run side by side.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::client::Client;
use crate::options::Options;
use crate::protocol::{Span, SpanId, Transaction};
use crate::transport::Memory;

/// Makes a client that keeps what it would send, and the place where to find it.
///
/// Any DSN in the options is ignored, and Spotlight as well; everything else is obeyed, so without a
/// `traces_sample_rate` nothing is recorded.
///
/// Filters and hooks run where a transaction ends. One that
/// [`before_send_transaction`](Options::before_send_transaction) makes wait goes on as a task of
/// the current runtime; [`Client::flush`] waits for it. Outside of a runtime it is dropped and
/// counted as `internal_sdk_error`.
#[expect(clippy::needless_pass_by_value, reason = "as `Client::new` takes them")]
pub fn client(options: Options) -> (Client, Sent) {
    let memory = Arc::new(Memory::default());
    (
        Client::in_memory(&options, Arc::clone(&memory)),
        Sent { memory },
    )
}

/// What a client for tests would have sent.
#[derive(Clone, Debug)]
pub struct Sent {
    memory: Arc<Memory>,
}

impl Sent {
    /// All transactions so far, in the order in which they ended.
    pub fn transactions(&self) -> Vec<Transaction> {
        self.memory.transactions()
    }

    /// Takes all transactions so far out of memory.
    pub fn take(&self) -> Vec<Transaction> {
        self.memory.take()
    }

    /// The [`tree`]s of all transactions, one after the other.
    pub fn tree(&self) -> String {
        self.memory.transactions().iter().map(tree).collect()
    }
}

/// Draws a transaction as text: a line for each span with op, description and
/// status, indented below its parent, in the order of their start.
///
/// Spans whose parent is not part of the transaction stand below the root, with
/// a `?` before them.
pub fn tree(transaction: &Transaction) -> String {
    let root = &transaction.contexts.trace;
    let mut text = String::new();
    let status = root.status.map_or("no status", |status| status.as_str());
    // Writing to a string can't fail.
    let _ = writeln!(text, "{} {} ({status})", root.op, transaction.name);
    let known =
        |id: SpanId| id == root.span_id || transaction.spans.iter().any(|span| span.span_id == id);
    let mut open: Vec<(usize, &Span)> = Vec::new();
    let children_of = |parent: SpanId, depth: usize| {
        let below = move |span: &&Span| {
            span.parent_span_id == parent || parent == root.span_id && !known(span.parent_span_id)
        };
        transaction
            .spans
            .iter()
            .filter(below)
            .map(move |span| (depth, span))
            .rev()
    };
    open.extend(children_of(root.span_id, 1));
    while let Some((depth, span)) = open.pop() {
        let status = span.status.map_or("no status", |status| status.as_str());
        let unknown = if known(span.parent_span_id) { "" } else { "? " };
        let indent = "  ".repeat(depth);
        let _ = writeln!(
            text,
            "{indent}{unknown}{} {} ({status})",
            span.op, span.description
        );
        open.extend(children_of(span.span_id, depth + 1));
    }
    text
}
