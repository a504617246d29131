//! Something finished, on its way to be delivered.

use super::segment::Segment;
use crate::protocol::Category;

/// Something finished. Each kind has a category of the protocol.
pub(crate) enum Item {
    /// A transaction with its spans.
    Transaction(Box<Segment>),
}

impl Item {
    /// What servers count it as.
    pub(crate) fn category(&self) -> Category {
        match self {
            Self::Transaction(_) => Category::Transaction,
        }
    }
}
