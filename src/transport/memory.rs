//! A client's own memory in the place of a server, for tests.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time;

use super::ledger::{DeliveryReport, DropReason, Ledger};
use super::payload::Payload;
use crate::filter::{Build, Built};
use crate::protocol::{DiscardReason, Transaction};

/// Where a client for tests keeps what it would send.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    transactions: Vec<Transaction>,
    ledger: Ledger,
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
        let spans = payload.spans().into();
        self.lock().ledger.admit(spans);
        match payload.build() {
            Build::Ready(built) => self.settle(spans, built),
            Build::Pending(building) => match Handle::try_current() {
                Ok(runtime) => {
                    let memory = Arc::clone(self);
                    let task = async move { memory.settle(spans, building.await) };
                    let task = runtime.spawn(task);
                    let mut kept = self.lock();
                    kept.waiting.retain(|task| !task.is_finished());
                    kept.waiting.push(task);
                }
                Err(_) => {
                    let reason = DiscardReason::InternalSdkError;
                    self.lock().ledger.drop(reason.into(), spans);
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

    fn settle(&self, mut spans: u64, built: Built) {
        let mut kept = self.lock();
        for (reason, removed) in built.removed {
            let removed = removed.min(spans);
            spans -= removed;
            kept.ledger.drop_spans(reason.into(), removed);
        }
        match built.transaction {
            Ok(transaction) => {
                let added = (transaction.spans.len() as u64 + 1).saturating_sub(spans);
                kept.ledger.add_spans(added);
                kept.ledger.accept(spans + added);
                kept.transactions.push(*transaction);
            }
            Err(reason) => kept.ledger.drop(reason.into(), spans),
        }
    }

    pub(crate) fn count_unsampled(&self) {
        self.lock().unsampled += 1;
    }

    pub(crate) fn count_refused_spans(&self, spans: u32) {
        self.lock().ledger.lose(
            DropReason::Discarded(DiscardReason::BufferOverflow),
            0,
            spans.into(),
        );
    }

    pub(crate) fn stats(&self) -> DeliveryReport {
        let kept = self.lock();
        kept.ledger.report(kept.unsampled)
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
