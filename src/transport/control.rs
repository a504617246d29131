//! The messages from the handle to the worker, beside the items.

use tokio::sync::oneshot;

/// A message to the worker. A caller waits for what follows, so pending retries start at once.
pub(super) enum Message {
    /// Settle everything that was submitted before.
    Flush(Request),
    /// End once nothing is pending. Nothing is admitted any more.
    Close,
    /// Give everything pending one last try and end: no caller waits any more.
    Abandon,
}

/// A call of `flush` that waits.
pub(super) struct Request {
    /// How many items were admitted before it.
    pub(super) before: u64,
    /// Dropped if the worker ends first.
    pub(super) done: oneshot::Sender<()>,
}

/// Where a transport is in its life, as its worker sees it.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    #[default]
    Open,
    /// Nothing is admitted any more. The worker ends when nothing is pending.
    Closing,
    /// No caller waits any more: everything pending gets one last try.
    Abandoned,
}

impl Message {
    /// The earliest phase that can follow.
    pub(super) fn phase(&self) -> Phase {
        match self {
            Self::Flush(_) => Phase::Open,
            Self::Close => Phase::Closing,
            Self::Abandon => Phase::Abandoned,
        }
    }
}
