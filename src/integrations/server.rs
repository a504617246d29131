//! What all servers do: a transaction for each request, until its response has left.

use std::time::Instant;

use crate::client::Client;
use crate::current_transaction;
use crate::protocol::SpanStatus;
use crate::trace::{Arrival, OpenScope, RequestWriter, Span, TransactionBuilder};

/// One request and its response.
///
/// It ends when it is told that the response is complete. Dropped before that
/// it was given up, most often because the client has gone.
pub(super) struct Exchange {
    scope: OpenScope,
    /// `None` if nothing is recorded, or it has ended.
    recorded: Option<Recorded>,
}

struct Recorded {
    root: Span,
    started: Instant,
    /// When the head of the response was there.
    responded: Option<Instant>,
    body_bytes: u64,
}

impl Exchange {
    /// Starts the transaction. The request is written down only if that is recorded.
    pub(super) fn begin(
        transaction: TransactionBuilder,
        client: Option<&Client>,
        arrival: Arrival<'_>,
        write_request: impl FnOnce(&mut RequestWriter<'_>),
    ) -> Self {
        let mut scope = transaction.answer(client, arrival);
        let recorded = scope.run(|| {
            let root = current_transaction().filter(Span::is_recorded)?;
            root.record_request(write_request);
            Some(Recorded {
                root,
                started: Instant::now(),
                responded: None,
                body_bytes: 0,
            })
        });
        Self { scope, recorded }
    }

    /// Does a piece of the work inside of the transaction.
    pub(super) fn run<R>(&mut self, work: impl FnOnce() -> R) -> R {
        self.scope.run(work)
    }

    /// Gives up what is left of the work, unless it has panicked.
    pub(super) fn cancel(&mut self, drop_work: impl FnOnce()) {
        let Self { scope, recorded } = self;
        scope.cancel(|| {
            if let Some(recorded) = recorded.take() {
                if recorded.responded.is_none() && !std::thread::panicking() {
                    recorded.root.set_data(STATUS_CODE, CLIENT_CLOSED_REQUEST);
                }
                recorded.note_body();
            }
            drop_work();
        });
        self.scope.end();
    }

    /// The head of the response is there.
    pub(super) fn respond(&mut self, status_code: u16) {
        self.scope.run(|| {
            if let Some(recorded) = &mut self.recorded {
                let now = Instant::now();
                let time = now.duration_since(recorded.started).as_secs_f64();
                recorded.responded = Some(now);
                recorded.root.set_data(STATUS_CODE, status_code);
                recorded.root.set_data(TIME_TO_FIRST_BYTE, time);
                recorded.root.set_status(SpanStatus::from_http(status_code));
            }
        });
    }

    /// Sets something on the transaction, if it is recorded.
    pub(super) fn change(&mut self, change: impl FnOnce(&Span)) {
        self.scope.run(|| {
            if let Some(recorded) = &self.recorded {
                change(&recorded.root);
            }
        });
    }

    /// So many bytes of the response's body have left.
    pub(super) fn add_body_bytes(&mut self, bytes: u64) {
        if let Some(recorded) = &mut self.recorded {
            recorded.body_bytes += bytes;
        }
    }

    /// The response is complete.
    pub(super) fn finish(&mut self) {
        self.end_as(None);
    }

    /// There will be no response, or no more of it.
    pub(super) fn fail(&mut self) {
        self.end_as(Some(SpanStatus::InternalError));
    }

    fn end_as(&mut self, status: Option<SpanStatus>) {
        self.scope.run(|| {
            if let Some(recorded) = self.recorded.take() {
                if let Some(status) = status {
                    recorded.root.set_status(status);
                }
                recorded.note_body();
            }
        });
        self.scope.end();
    }
}

impl Recorded {
    /// Notes what has become of the response's body.
    fn note_body(&self) {
        if let Some(responded) = self.responded {
            let time = responded.elapsed().as_secs_f64();
            self.root.set_data(BODY_SIZE, self.body_bytes);
            self.root.set_data(BODY_TIME, time);
        }
    }
}

const STATUS_CODE: &str = "http.response.status_code";
const BODY_SIZE: &str = "http.response.body.size";
/// Seconds from the start of the transaction to the head of the response.
const TIME_TO_FIRST_BYTE: &str = "http.server.time_to_first_byte";
/// Seconds from the head of the response to the end of its body.
const BODY_TIME: &str = "http.response.body.time";

/// What stands for a client that has gone before there was a response.
const CLIENT_CLOSED_REQUEST: u16 = 499;
