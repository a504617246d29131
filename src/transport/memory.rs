//! A client's own memory in the place of a server, for tests.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time;

use super::ledger::{DeliveryReport, Ledgers, Weight};
use super::payload::Payload;
use crate::filter::{Build, Built};
use crate::protocol::{Category, DiscardReason, Transaction};

/// Where a client for tests keeps what it would send.
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

impl Memory {
    /// All transactions so far, in the order in which they ended.
    pub(crate) fn transactions(&self) -> Vec<Transaction> {
        self.lock().transactions.clone()
    }

    /// Takes all transactions so far out of memory.
    pub(crate) fn take(&self) -> Vec<Transaction> {
        mem::take(&mut self.lock().transactions)
    }

    /// Takes something finished, builds it here and now, and keeps it.
    pub(crate) fn keep(self: &Arc<Self>, payload: Box<dyn Payload>) {
        let weight = Weight::of_transaction(payload.spans().into());
        self.lock().ledgers.admit(&weight);
        match payload.build() {
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
