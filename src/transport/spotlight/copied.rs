//! What goes to the server and to Spotlight.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};

use crate::filter::{Build, Built};
use crate::protocol::DiscardReason;
use crate::transport::payload::Payload;

/// A payload with two ways to go, which is built once, for whichever comes first.
///
/// So both are sent the same, and what the program's filters and hooks do to a
/// transaction is done once.
#[derive(Clone)]
pub(super) struct Copied {
    spans: u32,
    size: usize,
    takes_long: bool,
    built: Shared<BoxFuture<'static, Built>>,
}

impl Copied {
    pub(super) fn new(payload: Box<dyn Payload>) -> Self {
        let (spans, size) = (payload.spans(), payload.size());
        let takes_long = payload.takes_long();
        let built = async {
            match payload.build() {
                Build::Ready(built) => built,
                Build::Pending(building) => building.await,
            }
        };
        // Should one way build it while the other waits, nobody would wake that after a panic.
        let built = AssertUnwindSafe(built).catch_unwind().map(|built| {
            built.unwrap_or_else(|_| Built {
                transaction: Err(DiscardReason::InternalSdkError),
                removed: Vec::new(),
            })
        });
        Self {
            spans,
            size,
            takes_long,
            built: built.boxed().shared(),
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

    fn takes_long(&self) -> bool {
        self.takes_long
    }

    fn build(self: Box<Self>) -> Build {
        // It may be pending for no other reason than that the other way is building it.
        match self.built.clone().now_or_never() {
            Some(built) => Build::Ready(built),
            None => Build::Pending(self.built.boxed()),
        }
    }
}
