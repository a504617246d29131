//! What SDKs send, taken apart: encodings, envelopes, and one file for each kind of item.

mod client_report;
mod encoding;
mod envelope;
mod invalid;
mod joined;
mod json;
mod object;
mod span;
mod span_v2;
mod timestamp;
mod transaction;

pub(super) use self::client_report::discarded_events;
pub(super) use self::encoding::{DecodeError, decode};
pub(super) use self::envelope::{Header, RawItem, split_envelope};
pub(super) use self::span_v2::{check_span, count_spans};
pub(super) use self::transaction::TransactionParts;

pub use self::envelope::{EnvelopeProblem, ParseEnvelopeError, ReceivedEnvelope, ReceivedItem};
pub use self::invalid::InvalidTransaction;
pub use self::span::ReceivedSpan;
pub use self::transaction::ReceivedTransaction;
