//! What all servers do: a transaction for each request, until its response has left.

use std::time::Instant;

use crate::client::Client;
use crate::privacy::{self, known_method};
use crate::protocol::SpanStatus;
use crate::record::RequestWriter;
use crate::span::{Arrival, OpenScope, Span, TransactionBuilder, current_transaction};

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
    /// How many bytes the response says that its body has.
    announced: Option<u64>,
    /// How it ends unless it is given up, or the program says otherwise.
    status: SpanStatus,
    /// What is known only in the end.
    describe: Option<Describe>,
}

/// Says something on a root before it ends.
pub(super) type Describe = Box<dyn FnOnce(&Span) + Send + Sync>;

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
                announced: None,
                status: SpanStatus::Ok,
                describe: None,
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
        // A response that tells of a failure was most likely replaced by another one.
        let failed = recorded.as_ref().map(|recorded| recorded.status);
        let failed = failed.filter(|status| *status != SpanStatus::Ok && !std::thread::panicking());
        scope.cancel(|| {
            if let Some(mut recorded) = recorded.take() {
                if recorded.responded.is_none() && !std::thread::panicking() {
                    recorded.root.set_data(STATUS_CODE, CLIENT_CLOSED_REQUEST);
                }
                recorded.note_bodies();
            }
            drop_work();
        });
        match failed {
            Some(status) => self.scope.end_as(status),
            None => self.scope.end(),
        }
    }

    /// Drops a body that is no longer asked for.
    ///
    /// That gives up nothing if all announced bytes have left, since servers of HTTP/1.1 ask for no
    /// more then, or if the body was `whole` in memory and nobody has begun to read it.
    pub(super) fn drop_body(&mut self, whole: bool, drop_body: impl FnOnce()) {
        let is_complete = whole || self.recorded.as_ref().is_some_and(Recorded::is_sent);
        if !is_complete || std::thread::panicking() {
            return self.cancel(drop_body);
        }
        self.scope.run(drop_body);
        self.finish();
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
                recorded.status = SpanStatus::from_http(status_code);
            }
        });
    }

    /// Says something about the transaction, if it is recorded.
    pub(super) fn describe(&mut self, describe: impl FnOnce(&Span)) {
        self.scope.run(|| {
            if let Some(recorded) = &self.recorded {
                describe(&recorded.root);
            }
        });
    }

    /// Has something said about the transaction when it ends, if it is recorded.
    #[cfg(feature = "tower")]
    pub(super) fn describe_at_end(&mut self, watch: impl FnOnce(&Span) -> Option<Describe>) {
        if let Some(recorded) = &mut self.recorded {
            recorded.describe = watch(&recorded.root);
        }
    }

    /// Says how the transaction ends, where something else than the status code knows.
    #[cfg(feature = "tower")]
    pub(super) fn note_status(&mut self, note: impl FnOnce(&Span) -> Option<SpanStatus>) {
        self.scope.run(|| {
            if let Some(recorded) = &mut self.recorded {
                recorded.status = note(&recorded.root).unwrap_or(recorded.status);
            }
        });
    }

    /// Another protocol begins after this response, if it is known which.
    pub(super) fn upgrade(&mut self, protocol: Option<&str>) {
        self.describe(|root| root.set_data(UPGRADE, protocol.unwrap_or("unknown")));
    }

    /// The response's body has so many bytes, if it says so.
    pub(super) fn announce(&mut self, bytes: Option<u64>) {
        if let Some(recorded) = &mut self.recorded {
            recorded.announced = bytes;
        }
    }

    /// So many bytes of the response's body have left.
    pub(super) fn add_body_bytes(&mut self, bytes: u64) {
        if let Some(recorded) = &mut self.recorded {
            recorded.body_bytes += bytes;
        }
    }

    /// The response is complete.
    pub(super) fn finish(&mut self) {
        let status = self.recorded.as_ref().map(|recorded| recorded.status);
        self.end_as(status.unwrap_or(SpanStatus::Ok));
    }

    /// There will be no response, or no more of it.
    pub(super) fn fail(&mut self) {
        self.end_as(SpanStatus::InternalError);
    }

    fn end_as(&mut self, status: SpanStatus) {
        self.scope.run(|| {
            if let Some(mut recorded) = self.recorded.take() {
                recorded.note_bodies();
            }
        });
        self.scope.end_as(status);
    }
}

impl Recorded {
    /// Whether all bytes have left that were announced.
    fn is_sent(&self) -> bool {
        self.announced.is_some_and(|bytes| self.body_bytes >= bytes)
    }

    /// Notes what has become of the bodies of request and response.
    fn note_bodies(&mut self) {
        if let Some(describe) = self.describe.take() {
            describe(&self.root);
        }
        if let Some(responded) = self.responded {
            let time = responded.elapsed().as_secs_f64();
            self.root.set_data(BODY_SIZE, self.body_bytes);
            self.root.set_data(BODY_TIME, time);
        }
    }
}

/// The name of the transaction of a request.
///
/// Methods that are not known have one name, as OpenTelemetry's conventions have it.
pub(super) fn name(method: &str, path: &str) -> String {
    let method = known_method(method).unwrap_or("HTTP");
    let path = privacy::path(path);
    let mut name = String::with_capacity(method.len() + 1 + path.len());
    name.push_str(method);
    name.push(' ');
    name.push_str(&path);
    name
}

/// Whether a response to such a request has a body that is sent. If not, servers drop it unread.
pub(super) fn sends_body(method: &str, status_code: u16) -> bool {
    match status_code {
        100..=199 | 204 | 304 => false,
        200..=299 if method == "CONNECT" => false,
        _ => method != "HEAD",
    }
}

/// Stands for the path of requests that no route is known for.
///
/// Whoever sends requests chooses their paths, so that a scanner would make a name of each.
pub(super) const ANY_PATH: &str = "/{*path}";

const STATUS_CODE: &str = "http.response.status_code";
const BODY_SIZE: &str = "http.response.body.size";
/// Seconds from the start of the transaction to the head of the response.
const TIME_TO_FIRST_BYTE: &str = "http.server.time_to_first_byte";
/// Seconds from the head of the response to the end of its body.
const BODY_TIME: &str = "http.response.body.time";
/// The protocol that a connection was switched to.
const UPGRADE: &str = "http.response.header.upgrade";

/// What stands for a client that has gone before there was a response.
const CLIENT_CLOSED_REQUEST: u16 = 499;
