//! Reading what SDKs send, and drawing it in a terminal.

mod axis;
mod duration;
mod envelope;
mod line;
mod terminal;
mod text;
mod timestamp;
mod transaction;
mod tree;
mod waterfall;

pub use self::envelope::{EnvelopeProblem, ParseEnvelopeError, ReceivedEnvelope, ReceivedItem};
pub use self::transaction::{InvalidTransaction, ReceivedSpan, ReceivedTransaction};
pub use self::waterfall::Waterfall;
