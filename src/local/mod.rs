//! Reading what SDKs send.

mod envelope;
mod timestamp;
mod transaction;

pub use self::envelope::{EnvelopeProblem, ParseEnvelopeError, ReceivedEnvelope, ReceivedItem};
pub use self::transaction::{InvalidTransaction, ReceivedSpan, ReceivedTransaction};
