//! Those who wait until something is settled.

use tokio::sync::oneshot;

use super::channel::Inbox;
use super::control::Request;

/// Everybody who waits, from the request to the answer.
#[derive(Default)]
pub(super) struct Flushes(Vec<Flush>);

struct Flush {
    stage: Stage,
    done: oneshot::Sender<()>,
}

/// What a flush waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// That everything before this number is taken out of the channel.
    Gathering(u64),
    /// That everything with this mark or an earlier one is settled.
    Settling(u64),
    /// That losses are reported.
    Reporting,
    /// That no report is under way.
    Answering,
}

impl Flushes {
    pub(super) fn add(&mut self, request: Request) {
        // Those who gave up waiting would stay here as long as the server is silent.
        self.0.retain(|flush| !flush.done.is_closed());
        self.0.push(Flush {
            stage: Stage::Gathering(request.before),
            done: request.done,
        });
    }

    /// Takes note of what has come and what is settled. Returns whether all that is waited for has come.
    pub(super) fn advance(&mut self, inbox: &mut Inbox) -> bool {
        for flush in &mut self.0 {
            if let Stage::Gathering(before) = flush.stage
                && inbox.gather(before)
            {
                flush.stage = Stage::Settling(inbox.marks.turn());
            }
            if let Stage::Settling(mark) = flush.stage
                && inbox.marks.is_settled(mark)
            {
                flush.stage = Stage::Reporting;
            }
        }
        let gathering = |flush: &Flush| matches!(flush.stage, Stage::Gathering(_));
        !self.0.iter().any(gathering)
    }

    /// Whether somebody waits for losses to be reported, which the caller is about to do.
    pub(super) fn take_reporting(&mut self) -> bool {
        let mut any = false;
        for flush in &mut self.0 {
            if flush.stage == Stage::Reporting {
                flush.stage = Stage::Answering;
                any = true;
            }
        }
        any
    }

    /// Answers those who wait for nothing any more.
    pub(super) fn answer(&mut self) {
        let done = |flush: &mut Flush| flush.stage == Stage::Answering;
        for flush in self.0.extract_if(.., done) {
            // Whoever gave up waiting is not there to be told.
            let _ = flush.done.send(());
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
