//! Writes and reads the envelope around a transaction.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::Value;
use taskspan::local::ReceivedEnvelope;
use taskspan::protocol::{Envelope, Transaction};

/// The envelope around a transaction, sent at a time that is the same in all tests.
pub(crate) fn bytes_of(transaction: Transaction) -> Vec<u8> {
    let sent_at = UNIX_EPOCH + Duration::from_micros(1_795_169_730_250_000);
    Envelope::of_transaction(transaction)
        .to_bytes(sent_at)
        .unwrap()
}

/// Reads the envelope around one transaction, and returns the transaction.
pub(crate) fn read_envelope(bytes: &[u8]) -> Value {
    let envelope = ReceivedEnvelope::parse(bytes).unwrap();
    let [item] = &envelope.items[..] else {
        panic!("{} items", envelope.items.len());
    };
    assert_eq!(item.kind(), "transaction");
    assert_eq!(item.headers["length"], item.payload.len());
    assert_eq!(
        envelope.header("sent_at"),
        Some("2026-11-20T10:15:30.250000Z")
    );
    let payload: Value = serde_json::from_slice(&item.payload).unwrap();
    assert_eq!(envelope.headers["event_id"], payload["event_id"]);
    let trace = &envelope.headers["trace"];
    assert_eq!(trace["trace_id"], payload["contexts"]["trace"]["trace_id"]);
    for (name, value) in trace.as_object().unwrap() {
        assert!(value.is_string(), "{name} in the header is no string");
    }
    payload
}
