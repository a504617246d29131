//! The flushes that wait for an answer.

use tokio::sync::oneshot;

use super::channel::Inbox;
use super::control::Request;

/// All flushes, from the request to the answer.
#[derive(Default)]
pub(super) struct Flushes(Vec<Flush>);

struct Flush {
    stage: Stage,
    done: oneshot::Sender<()>,
}

/// What a flush waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// That all items before this number are received.
    Gathering(u64),
    /// That all jobs with this mark or an earlier one are settled.
    Settling(u64),
    /// That a client report starts.
    Reporting,
    /// That no client report is in flight.
    Answering,
}

impl Flushes {
    pub(super) fn add(&mut self, request: Request) {
        // Otherwise flushes that were cancelled would stay as long as the server is silent.
        self.0.retain(|flush| !flush.done.is_closed());
        self.0.push(Flush {
            stage: Stage::Gathering(request.before),
            done: request.done,
        });
    }

    /// Moves every flush as far as possible. Returns whether all items that they wait for are received.
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

    /// Whether a flush waits for a client report, which the caller is about to start.
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

    /// Answers the flushes that wait for nothing else.
    pub(super) fn answer(&mut self) {
        let done = |flush: &mut Flush| flush.stage == Stage::Answering;
        for flush in self.0.extract_if(.., done) {
            // The caller may have given up.
            let _ = flush.done.send(());
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
