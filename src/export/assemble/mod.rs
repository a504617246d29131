//! Bringing together what the tasks of a transaction recorded.

mod segment;
mod short;
mod span;

pub(crate) use self::segment::{AssembledSegment, assemble};
pub(crate) use self::span::Assembled;
