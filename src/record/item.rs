//! Something finished, on its way to be delivered.

use super::segment::Segment;

/// Something finished, one variant for each kind.
pub(crate) enum Item {
    /// A transaction with its spans.
    Transaction(Segment),
}
