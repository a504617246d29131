//! What a program leaves out of its transactions, and what it changes in them.
//!
//! ```text
//! status codes ─► event processors: scope, global scope, client ─► ignore_transactions
//!   ─► ignore_spans ─► before_send_span ─► before_send_transaction
//! ```
//!
//! The order is the protocol's. All of it runs on the worker, on a transaction
//! that is complete. What the program's own code returns is made valid again
//! before anybody else sees it.

use std::ops::RangeInclusive;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::ignore::{self, SpanRule};
use crate::hooks::{BeforeSendSpan, BeforeSendTransaction, EventProcessor, Original};
use crate::pattern::Pattern;
use crate::protocol::{DiscardReason, Transaction};

/// What a client was told to leave out and to change.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filters {
    pub(crate) min_span_duration: Duration,
    pub(crate) trace_ignore_status_codes: Vec<RangeInclusive<u16>>,
    pub(crate) event_processors: Vec<EventProcessor>,
    pub(crate) ignore_transactions: Vec<Pattern>,
    pub(crate) ignore_spans: Vec<SpanRule>,
    pub(crate) before_send_span: Option<BeforeSendSpan>,
    pub(crate) before_send_transaction: Option<BeforeSendTransaction>,
}

/// How many spans a transaction has lost, and why.
pub(crate) type Removed = Vec<(DiscardReason, u64)>;

impl Filters {
    /// Does all that the program asked for to a transaction, and all that its scopes did.
    pub(crate) fn apply(
        &self,
        transaction: Box<Transaction>,
        processors: &[EventProcessor],
        mut removed: Removed,
    ) -> Build {
        let filtered = self.filter(transaction, processors, &mut removed);
        let transaction = match (filtered, &self.before_send_transaction) {
            (Ok(transaction), Some(hook)) => {
                let mut decided = before_send(hook.clone(), transaction, removed).boxed();
                // Most hooks have nothing to wait for.
                return match decided.as_mut().now_or_never() {
                    Some(built) => Build::Ready(built),
                    None => Build::Pending(decided),
                };
            }
            (filtered, _) => filtered,
        };
        Build::Ready(Built {
            transaction,
            removed,
        })
    }

    /// All that comes before the last hook. The error says why nothing is sent.
    fn filter(
        &self,
        mut transaction: Box<Transaction>,
        processors: &[EventProcessor],
        removed: &mut Removed,
    ) -> Result<Box<Transaction>, DiscardReason> {
        if self.ignores_status_code(&transaction) {
            return Err(DiscardReason::EventProcessor);
        }
        if !processors.is_empty() || !self.event_processors.is_empty() {
            let processors = processors.iter().chain(&self.event_processors);
            transaction = process(processors, transaction, removed)?;
        }
        let mut ignored = self.ignore_transactions.iter();
        if ignored.any(|pattern| pattern.is_match(&transaction.name)) {
            return Err(DiscardReason::EventProcessor);
        }
        if !self.ignore_spans.is_empty() {
            let spans = ignore::remove(&self.ignore_spans, &mut transaction)?;
            removed.push((DiscardReason::Ignored, spans));
        }
        if let Some(hook) = &self.before_send_span {
            for span in &mut transaction.spans {
                hook.call(span);
            }
        }
        Ok(transaction)
    }

    fn ignores_status_code(&self, transaction: &Transaction) -> bool {
        if self.trace_ignore_status_codes.is_empty() {
            return false;
        }
        let code = transaction.contexts.trace.data.get(STATUS_CODE);
        let code = code.and_then(|code| u16::try_from(code.as_u64()?).ok());
        code.is_some_and(|code| {
            let mut ranges = self.trace_ignore_status_codes.iter();
            ranges.any(|range| range.contains(&code))
        })
    }
}

/// Has event processors change a transaction, one after the other.
fn process<'a>(
    mut processors: impl Iterator<Item = &'a EventProcessor>,
    transaction: Box<Transaction>,
    removed: &mut Removed,
) -> Result<Box<Transaction>, DiscardReason> {
    let original = Original::of(&transaction);
    let reason = DiscardReason::EventProcessor;
    let processed = processors.try_fold(*transaction, |transaction, it| it.call(transaction));
    let mut transaction = processed.map(Box::new).ok_or(reason)?;
    removed.push((reason, original.restore(&mut transaction)));
    Ok(transaction)
}

/// Has the last hook decide.
async fn before_send(
    hook: BeforeSendTransaction,
    transaction: Box<Transaction>,
    mut removed: Removed,
) -> Built {
    let original = Original::of(&transaction);
    let reason = DiscardReason::BeforeSend;
    let mut transaction = hook.call(*transaction).await.map(Box::new).ok_or(reason);
    if let Ok(transaction) = &mut transaction {
        removed.push((reason, original.restore(transaction)));
    }
    Built {
        transaction,
        removed,
    }
}

/// Where the conventions put the status of an answer.
const STATUS_CODE: &str = "http.response.status_code";

/// What a payload gives when it is built.
pub(crate) enum Build {
    Ready(Built),
    /// It waits for something. Meanwhile it takes the place of an upload.
    Pending(BoxFuture<'static, Built>),
}

/// A payload that was built.
#[derive(Clone)]
pub(crate) struct Built {
    /// What is sent, or why nothing is.
    pub(crate) transaction: Result<Box<Transaction>, DiscardReason>,
    /// How many spans were taken out of it before, and why.
    pub(crate) removed: Vec<(DiscardReason, u64)>,
}
