//! An embedded receiver of envelopes, and the waterfall it draws in a terminal.
//!
//! A [`Receiver`] listens on a loopback address and accepts envelopes from any
//! Sentry SDK, in every content encoding of the protocol. It keeps the last ones
//! in memory. Envelopes that a real server would refuse or drop are answered with
//! the reason. A [`Waterfall`] draws a transaction as a tree of bars.
//!
//! ```no_run
//! use taskspan::local::{Receiver, Waterfall};
//!
//! # async fn example() -> std::io::Result<()> {
//! let mut receiver = Receiver::bind("127.0.0.1:8969").await?;
//! println!("send to {}", receiver.dsn());
//! loop {
//!     let transaction = receiver.next().await;
//!     println!("{}", Waterfall::for_stdout(&transaction));
//! }
//! # }
//! ```

mod access;
mod body;
mod builder;
mod connection;
mod cors;
mod counts;
mod decode;
mod delivery;
mod draw;
mod kept;
mod receiver;
mod refusal;
mod server;
mod service;
mod settings;
mod state;
mod store;
mod summary;

#[cfg(test)]
pub(crate) use self::kept::{Decoded, Kept};
#[cfg(test)]
pub(crate) use self::service::sentry_key;

pub use self::builder::ReceiverBuilder;
pub use self::counts::Counts;
pub use self::decode::{
    EnvelopeProblem, InvalidTransaction, ParseEnvelopeError, ReceivedEnvelope, ReceivedItem,
    ReceivedSpan, ReceivedTransaction,
};
pub use self::delivery::Delivery;
pub use self::draw::Waterfall;
pub use self::receiver::Receiver;
pub use self::refusal::Refusal;
