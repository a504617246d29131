//! From a transaction to the body of a request.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::SystemTime;

use super::fit;
use crate::protocol::{ClientReport, Envelope, EnvelopeHeaders, Item, Transaction};

/// A transaction written as JSON, with all that a body needs except the time it is sent.
pub(crate) struct Prepared {
    headers: EnvelopeHeaders,
    /// The lines of the items, each with its line end.
    items: Vec<u8>,
    /// How many spans were dropped for the rest to fit.
    pub(crate) dropped_spans: u32,
}

impl Prepared {
    /// Writes what is to be sent, and makes it fit. `None`: that failed or panicked.
    pub(crate) fn new(transaction: Box<Transaction>) -> Option<Self> {
        let write = move || {
            let mut envelope = Envelope::of_boxed(transaction);
            let mut items = write_items(&envelope)?;
            let mut dropped_spans = 0;
            if fit::may_be_too_large(items.len()) {
                for item in &mut envelope.items {
                    if let Item::Transaction(transaction) = item {
                        dropped_spans += fit::fit(transaction).ok()?;
                    }
                }
                items = write_items(&envelope)?;
            }
            envelope.items.clear();
            fit::fits(items.len()).then_some(Self {
                headers: envelope.headers,
                items,
                dropped_spans,
            })
        };
        // Nothing that the closure could leave half done is reachable after it.
        catch_unwind(AssertUnwindSafe(write)).ok().flatten()
    }

    /// How many bytes it holds.
    pub(crate) fn size(&self) -> usize {
        self.items.len()
    }

    /// Writes the body: the time it is sent is now.
    pub(crate) fn write(&self, report: Option<&ClientReport>) -> Option<Vec<u8>> {
        let headers = Envelope {
            headers: self.headers.clone(),
            items: Vec::new(),
        };
        let mut body = headers.to_bytes(SystemTime::now()).ok()?;
        body.extend_from_slice(&self.items);
        if let Some(report) = report {
            let report = Envelope::of_client_report(report.clone());
            body.extend_from_slice(&write_items(&report)?);
        }
        Some(body)
    }
}

/// Writes an envelope without its first line.
fn write_items(envelope: &Envelope) -> Option<Vec<u8>> {
    let mut bytes = envelope.to_bytes(SystemTime::UNIX_EPOCH).ok()?;
    let first = bytes.iter().position(|byte| *byte == b'\n')?;
    bytes.drain(..=first);
    Some(bytes)
}
