//! The container that everything travels in.

use std::sync::Arc;
use std::time::SystemTime;

use serde::Serialize;

use super::id::EventId;
use super::{ClientReport, DynamicSamplingContext, Sdk, Timestamp, Transaction};

/// Headers and items that travel together.
///
/// There is at most one transaction in an envelope; client reports may ride along.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Envelope {
    /// The first line.
    pub headers: EnvelopeHeaders,
    /// What is inside.
    pub items: Vec<Item>,
}

/// The first line of an envelope.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct EnvelopeHeaders {
    /// The event inside, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_id: Option<EventId>,
    /// When the envelope was written. It corrects for wrong clocks, so it is read as late as possible.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<Timestamp>,
    /// Who wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sdk: Option<Arc<Sdk>>,
    /// What servers sample the trace inside by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<Arc<DynamicSamplingContext>>,
}

/// Something inside an envelope.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Item {
    /// A finished transaction.
    Transaction(Box<Transaction>),
    /// What was dropped.
    ClientReport(ClientReport),
}

#[derive(Serialize)]
struct ItemHeaders {
    #[serde(rename = "type")]
    kind: &'static str,
    length: usize,
}

impl Envelope {
    /// An envelope around one transaction.
    pub fn of_transaction(transaction: Transaction) -> Self {
        Self::of_boxed(Box::new(transaction))
    }

    pub(crate) fn of_boxed(transaction: Box<Transaction>) -> Self {
        let headers = EnvelopeHeaders {
            event_id: Some(transaction.event_id),
            sent_at: None,
            sdk: Some(Arc::clone(&transaction.sdk)),
            trace: transaction.sampling_context.clone(),
        };
        Self {
            headers,
            items: vec![Item::Transaction(transaction)],
        }
    }

    /// An envelope around a client report alone, which needs no headers.
    pub fn of_client_report(report: ClientReport) -> Self {
        Self {
            headers: EnvelopeHeaders::default(),
            items: vec![Item::ClientReport(report)],
        }
    }

    /// Writes the envelope as the bytes of a request's body, with the time `sent_at` in its header.
    ///
    /// # Errors
    ///
    /// Returns the error of a value inside that cannot be written as JSON.
    pub fn to_bytes(&self, sent_at: SystemTime) -> serde_json::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(1024);
        let headers = EnvelopeHeaders {
            sent_at: self.headers.event_id.map(|_| sent_at.into()),
            ..self.headers.clone()
        };
        serde_json::to_writer(&mut bytes, &headers)?;
        for item in &self.items {
            bytes.push(b'\n');
            match item {
                Item::Transaction(transaction) => {
                    write_item(&mut bytes, "transaction", transaction)?;
                }
                Item::ClientReport(report) => write_item(&mut bytes, "client_report", report)?,
            }
        }
        bytes.push(b'\n');
        Ok(bytes)
    }
}

/// Writes the header line of an item and its payload, whose length the header states.
fn write_item(
    bytes: &mut Vec<u8>,
    kind: &'static str,
    payload: &impl Serialize,
) -> serde_json::Result<()> {
    let start = bytes.len();
    serde_json::to_writer(&mut *bytes, payload)?;
    let mut header = serde_json::to_vec(&ItemHeaders {
        kind,
        length: bytes.len() - start,
    })?;
    header.push(b'\n');
    bytes.splice(start..start, header);
    Ok(())
}
