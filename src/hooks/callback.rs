//! The program's own code, and what a panic in it does.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::original::OriginalSpan;
use crate::diagnostics::{self, Topic};
use crate::own_work::{during, hidden};
use crate::protocol::{Span, Transaction};

/// Changes a transaction or drops it.
#[derive(Clone)]
pub(crate) struct EventProcessor {
    process: Arc<dyn Fn(Transaction) -> Option<Transaction> + Send + Sync>,
}

/// Changes a span below the root.
#[derive(Clone)]
pub(crate) struct BeforeSendSpan {
    change: Arc<dyn Fn(&mut Span) + Send + Sync>,
}

/// Changes a transaction or drops it, and may wait for something first.
#[derive(Clone)]
pub(crate) struct BeforeSendTransaction {
    decide: Arc<dyn Fn(Transaction) -> BoxFuture<'static, Option<Transaction>> + Send + Sync>,
}

impl EventProcessor {
    pub(crate) fn new(
        process: impl Fn(Transaction) -> Option<Transaction> + Send + Sync + 'static,
    ) -> Self {
        Self {
            process: Arc::new(process),
        }
    }

    /// `None` if it drops the transaction, or panics.
    pub(crate) fn call(&self, transaction: Transaction) -> Option<Transaction> {
        catch_unwind(AssertUnwindSafe(|| during(|| (self.process)(transaction)))).unwrap_or_else(
            |_| {
                diagnostics::once(&EVENT_PROCESSOR_PANICKED);
                None
            },
        )
    }
}

impl BeforeSendSpan {
    pub(crate) fn new(change: impl Fn(&mut Span) + Send + Sync + 'static) -> Self {
        Self {
            change: Arc::new(change),
        }
    }

    /// Changes a span, unless that panics.
    pub(crate) fn call(&self, span: &mut Span) {
        let original = OriginalSpan::of(span);
        let mut changed = span.clone();
        match catch_unwind(AssertUnwindSafe(|| during(|| (self.change)(&mut changed)))) {
            Ok(()) => {
                original.restore(&mut changed);
                *span = changed;
            }
            Err(_) => diagnostics::once(&BEFORE_SEND_SPAN_PANICKED),
        }
    }
}

impl BeforeSendTransaction {
    pub(crate) fn new<F, Fut>(decide: F) -> Self
    where
        F: Fn(Transaction) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Option<Transaction>> + Send + 'static,
    {
        Self {
            decide: Arc::new(move |transaction| decide(transaction).boxed()),
        }
    }

    /// `None` if it drops the transaction, or panics at any time.
    pub(crate) async fn call(self, transaction: Transaction) -> Option<Transaction> {
        let decided = hidden(async move { (self.decide)(transaction).await });
        AssertUnwindSafe(decided)
            .catch_unwind()
            .await
            .unwrap_or_else(|_| {
                diagnostics::once(&BEFORE_SEND_TRANSACTION_PANICKED);
                None
            })
    }
}

impl fmt::Debug for EventProcessor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EventProcessor")
    }
}

impl fmt::Debug for BeforeSendSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BeforeSendSpan")
    }
}

impl fmt::Debug for BeforeSendTransaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BeforeSendTransaction")
    }
}

static EVENT_PROCESSOR_PANICKED: Topic =
    Topic::new("an event processor panicked: the transaction is dropped");
static BEFORE_SEND_SPAN_PANICKED: Topic =
    Topic::new("`before_send_span` panicked: the span is sent unchanged");
static BEFORE_SEND_TRANSACTION_PANICKED: Topic =
    Topic::new("`before_send_transaction` panicked: the transaction is dropped");
