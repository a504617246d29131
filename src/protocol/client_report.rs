//! What was dropped before it could arrive, as servers are told of it.

use std::time::SystemTime;

use serde::Serialize;

use super::Timestamp;
use super::category::{Category, DiscardReason};

/// A list of what a client dropped since its last report.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ClientReport {
    /// When the report was made.
    pub timestamp: Timestamp,
    /// One entry for each reason and category.
    pub discarded_events: Vec<Discarded>,
}

/// How many items of one category were dropped for one reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Discarded {
    /// Why they were dropped.
    pub reason: DiscardReason,
    /// What they were.
    pub category: Category,
    /// How many they were. Servers read 32 bits.
    pub quantity: u32,
}

impl ClientReport {
    pub(crate) fn new(discarded_events: Vec<Discarded>) -> Self {
        Self {
            timestamp: SystemTime::now().into(),
            discarded_events,
        }
    }
}
