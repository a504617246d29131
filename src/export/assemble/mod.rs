//! Bringing together what the tasks of a transaction recorded.

mod segment;
mod short;

pub(crate) use self::segment::{Assembly, Finished, Root};
