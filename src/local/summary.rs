//! An envelope, checked as a server would and summed up.

use std::mem;
use std::time::SystemTime;

use serde_json::{Value, json};

use super::decode::{
    Header, RawItem, TransactionParts, check_span, count_spans, discarded_events, split_envelope,
};
use super::refusal::Refusal;

/// What is counted of an envelope, and what it is answered with.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    /// The event that it is about.
    pub(super) event_id: Option<Value>,
    /// How many spans the transaction has below its root, if there is a transaction.
    pub(super) transaction_spans: Option<u64>,
    pub(super) streamed_spans: u64,
    /// Reason, category and quantity, as client reports have them.
    pub(super) discarded: Vec<(String, String, u64)>,
    has_event: bool,
    has_span_container: bool,
}

impl Summary {
    /// Checks an envelope that was received at `received`, item by item.
    pub(super) fn of(envelope: &[u8], received: SystemTime) -> Result<Self, Refusal> {
        let (header, items) =
            split_envelope(envelope).map_err(|error| Refusal::bad_request(&error))?;
        let mut summary = Self {
            event_id: header.scalar("event_id"),
            ..Self::default()
        };
        for item in items {
            let item = item.map_err(|error| Refusal::bad_request(&error))?;
            summary.add(&header, &item, received)?;
        }
        Ok(summary)
    }

    fn add(
        &mut self,
        header: &Header<'_>,
        item: &RawItem<'_>,
        received: SystemTime,
    ) -> Result<(), Refusal> {
        match &*item.kind {
            kind @ ("event" | "transaction" | "feedback") => {
                check_size(item, MAX_EVENT)?;
                if mem::replace(&mut self.has_event, true) {
                    return Err(refused("there is more than one event in the envelope"));
                }
                if kind == "transaction" {
                    let transaction = TransactionParts::read(header, item.payload, received)
                        .map_err(|error| Refusal::bad_request(&error))?;
                    self.event_id = Some(json!(transaction.event_id()));
                    self.transaction_spans = Some(transaction.span_count());
                }
            }
            "span" if is_span_container(item) => {
                check_size(item, MAX_SPAN_CONTAINER)?;
                if mem::replace(&mut self.has_span_container, true) {
                    return Err(refused(
                        "there is more than one span container in the envelope",
                    ));
                }
                self.streamed_spans +=
                    count_spans(header, item).map_err(|error| Refusal::bad_request(&error))?;
            }
            "span" => {
                check_size(item, MAX_EVENT)?;
                check_span(item).map_err(|error| Refusal::bad_request(&error))?;
                self.streamed_spans += 1;
            }
            "client_report" => {
                check_size(item, MAX_CLIENT_REPORT)?;
                let discarded =
                    discarded_events(item).map_err(|error| Refusal::bad_request(&error))?;
                self.discarded.extend(discarded);
            }
            _ => {}
        }
        Ok(())
    }
}

fn is_span_container(item: &RawItem<'_>) -> bool {
    item.header
        .scalar("content_type")
        .as_ref()
        .and_then(Value::as_str)
        == Some(SPAN_CONTAINER)
}

fn check_size(item: &RawItem<'_>, limit: usize) -> Result<(), Refusal> {
    if item.payload.len() > limit {
        return Err(Refusal::too_large(&format!("the {}", item.kind), limit));
    }
    Ok(())
}

fn refused(reason: &str) -> Refusal {
    Refusal::bad_request(&reason)
}

const SPAN_CONTAINER: &str = "application/vnd.sentry.items.span.v2+json";

// What servers allow for single items, before they refuse the whole envelope.
const MAX_EVENT: usize = 1024 * 1024;
const MAX_SPAN_CONTAINER: usize = 12 * 1024 * 1024;
const MAX_CLIENT_REPORT: usize = 100 * 1024;
