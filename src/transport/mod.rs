//! Delivery: from something finished to an answer of the server.
//!
//! ```text
//! submit ─► channel, bounded ─► worker task ─► build ─► route ─► write ─► compress ─► upload
//!            atomics, no lock                            rate limits, pace, retries, client reports
//! ```
//!
//! Nothing in here knows what a span is: a [`Payload`] says how much it counts
//! for and how to build it, which may take its time and may end in nothing.
//!
//! Whatever is submitted ends in exactly one counter: accepted, or dropped
//! under a reason. Until then it is pending. What was taken out of the channel
//! is held by a guard that returns it, so that this holds too when a runtime
//! shuts down amid an upload. What a worker leaves behind is parked, and the
//! next runtime on which something is submitted or flushed takes over. An
//! envelope that was on its way then may arrive twice, with the same event id,
//! and what was being built goes on being built.
//!
//! A copy of all that may also go to a local viewer, on a way of its own
//! beside this one: [`spotlight`].
//!
//! # Size
//!
//! Servers refuse what is too large. A transaction that is gets shortened, and
//! loses its newest leaves, which are counted as `buffer_overflow`.
//!
//! # Retries
//!
//! An answer of the server is final. Where there is none, an envelope is sent
//! up to four times within a minute, with growing pauses, as long as the queue
//! has room. While no connection can be made at all, everything stays in the
//! queue and only one envelope at a time probes the way.

mod accounts;
mod backpressure;
mod bell;
mod channel;
mod config;
mod control;
mod destination;
mod discards;
mod enabled;
mod flushes;
mod handle;
mod item;
mod job;
mod ledger;
mod marks;
#[cfg(feature = "test")]
mod memory;
mod pace;
mod payload;
mod reporting;
mod retry;
mod room;
mod route;
mod share;
mod shared;
mod spotlight;
#[cfg(test)]
mod tests;
mod unsampled;
mod upload;
mod worker;
mod writers;

pub(crate) use self::config::Config;
pub(crate) use self::enabled::missing;
pub(crate) use self::handle::Transport;
pub use self::ledger::{DeliveryReport, DropReason, Tally};
#[cfg(feature = "test")]
pub(crate) use self::memory::Memory;
pub(crate) use self::payload::Payload;
pub(crate) use self::spotlight::Sidecar;
