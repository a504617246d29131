//! What the handle asks of the worker, beside the items.

use tokio::sync::oneshot;

/// Something that the handle asks for. Whoever asks waits for it, so that no retry should.
pub(super) enum Message {
    /// To settle all that was submitted before.
    Flush(Request),
    /// To end once nothing is pending. Nothing is admitted any more.
    Close,
    /// To give everything pending one last try, as nobody waits any more, and to end.
    Abandon,
}

/// Somebody who waits until all that was submitted before is settled.
pub(super) struct Request {
    /// How many items had been admitted.
    pub(super) before: u64,
    /// Dropped by a worker that ends before.
    pub(super) done: oneshot::Sender<()>,
}

/// Where a transport is in its life, as its worker sees it.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    #[default]
    Open,
    /// Nothing is admitted any more. The worker ends when nothing is pending.
    Closing,
    /// Nobody waits any more: everything pending gets one last try.
    Abandoned,
}

impl Message {
    /// The phase that it begins, at least.
    pub(super) fn phase(&self) -> Phase {
        match self {
            Self::Flush(_) => Phase::Open,
            Self::Close => Phase::Closing,
            Self::Abandon => Phase::Abandoned,
        }
    }
}
