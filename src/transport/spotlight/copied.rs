//! What goes to the server and to Spotlight.

use std::sync::{Arc, LazyLock};

use crate::protocol::Transaction;
use crate::transport::Payload;

/// A payload with two ways to go, which is built once, for whichever comes first.
///
/// So both are sent the same, and whatever the program does to a transaction
/// when it is built is done once. Whoever comes second waits for the first, no
/// longer than it takes to build.
#[derive(Clone)]
pub(super) struct Copied {
    spans: u32,
    size: usize,
    transaction: Arc<Lazy>,
}

type Lazy = LazyLock<Transaction, Box<dyn FnOnce() -> Transaction + Send>>;

impl Copied {
    pub(super) fn new(payload: Box<dyn Payload>) -> Self {
        Self {
            spans: payload.spans(),
            size: payload.size(),
            transaction: Arc::new(Lazy::new(Box::new(|| payload.into_transaction()))),
        }
    }
}

impl Payload for Copied {
    fn spans(&self) -> u32 {
        self.spans
    }

    fn size(&self) -> usize {
        self.size
    }

    fn into_transaction(self: Box<Self>) -> Transaction {
        Transaction::clone(&self.transaction)
    }
}
