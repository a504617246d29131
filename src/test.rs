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
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time;

use crate::client::Client;
use crate::export::Finished;
use crate::filter::{Build, Built};
use crate::options::Options;
use crate::protocol::{Category, DiscardReason, Span, SpanId, Transaction};
use crate::transport::{DeliveryReport, Ledgers, Payload, Weight};

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

/// Where the client keeps it.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    transactions: Vec<Transaction>,
    ledgers: Ledgers,
    unsampled: u64,
    /// Transactions that a hook makes wait.
    waiting: Vec<JoinHandle<()>>,
}

impl Sent {
    /// All transactions so far, in the order in which they ended.
    pub fn transactions(&self) -> Vec<Transaction> {
        self.memory.lock().transactions.clone()
    }

    /// Takes all transactions so far out of memory.
    pub fn take(&self) -> Vec<Transaction> {
        mem::take(&mut self.memory.lock().transactions)
    }

    /// The [`tree`]s of all transactions, one after the other.
    pub fn tree(&self) -> String {
        self.memory.lock().transactions.iter().map(tree).collect()
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

impl Memory {
    pub(crate) fn keep(self: &Arc<Self>, finished: Finished) {
        let weight = Weight::of_transaction(finished.spans().into());
        self.lock().ledgers.admit(&weight);
        match Box::new(finished).build() {
            Build::Ready(built) => self.settle(weight, built),
            Build::Pending(building) => match Handle::try_current() {
                Ok(runtime) => {
                    let memory = Arc::clone(self);
                    let task = async move { memory.settle(weight, building.await) };
                    let task = runtime.spawn(task);
                    let mut kept = self.lock();
                    kept.waiting.retain(|task| !task.is_finished());
                    kept.waiting.push(task);
                }
                Err(_) => {
                    let reason = DiscardReason::InternalSdkError;
                    self.lock().ledgers.drop(reason.into(), &weight);
                }
            },
        }
    }

    /// Waits until no hook makes anything wait, or until the deadline.
    pub(crate) async fn drain(&self, deadline: Duration) {
        let mut waiting = mem::take(&mut self.lock().waiting);
        if waiting.is_empty() || Handle::try_current().is_err() {
            return;
        }
        // At the deadline the numbers say what is still pending.
        let _ = time::timeout(deadline, join_all(&mut waiting)).await;
        waiting.retain(|task| !task.is_finished());
        self.lock().waiting.append(&mut waiting);
    }

    fn settle(&self, mut weight: Weight, built: Built) {
        let mut kept = self.lock();
        for (reason, removed) in built.removed {
            let removed = weight.reduce(Category::Span, removed);
            kept.ledgers
                .drop_part(reason.into(), Category::Span, removed);
        }
        match built.transaction {
            Ok(transaction) => {
                let spans = transaction.spans.len() as u64 + 1;
                let added = weight.raise(Category::Span, spans);
                kept.ledgers.add(Category::Span, added);
                kept.ledgers.accept(&weight);
                kept.transactions.push(*transaction);
            }
            Err(reason) => kept.ledgers.drop(reason.into(), &weight),
        }
    }

    pub(crate) fn count_unsampled(&self) {
        self.lock().unsampled += 1;
    }

    pub(crate) fn count_refused_spans(&self, spans: u32) {
        let weight = Weight::of(Category::Span, spans.into());
        let reason = DiscardReason::BufferOverflow.into();
        self.lock().ledgers.lose(reason, &weight);
    }

    pub(crate) fn stats(&self) -> DeliveryReport {
        let kept = self.lock();
        kept.ledgers.report(kept.unsampled)
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
