//! Bringing together what the tasks of a transaction recorded.

mod min_duration;
mod segment;

mod span;

pub(crate) use self::segment::{AssembledSegment, assemble};
pub(crate) use self::span::Assembled;
