//! What all clients do: a span for each request, until its response has been read.

pub(super) mod body;
#[cfg(feature = "reqwest")]
mod redirect;
mod responding;

use std::borrow::Cow;

use http::HeaderMap;

use crate::privacy::{self, known_method};
use crate::propagation::{host_of, without_brackets};
use crate::protocol::SpanStatus;
use crate::span::{PolledSpan, Span, current_span, outgoing_trace_to, span};
use crate::task::slot;

pub(super) use self::responding::Responding;

/// One request and its response.
///
/// It ends when it is told that the response is complete. Dropped before that
/// it was given up.
pub(super) struct Call {
    /// `None` if nothing is recorded, or it has ended.
    recorded: Option<Recorded>,
}

struct Recorded {
    span: PolledSpan,
    dialect: &'static Dialect,
    /// How it will end, as far as the response says.
    status: Option<SpanStatus>,
    body_bytes: u64,
}

/// How those who speak through a client call things.
pub(super) struct Dialect {
    pub(super) op: &'static str,
    pub(super) origin: &'static str,
    pub(super) describe: fn(&Outgoing<'_>) -> String,
    /// Says on a span what is requested.
    pub(super) note_request: fn(&Span, &Outgoing<'_>),
    /// Says on a span how its call has ended, if the headers or trailers of a response say it.
    pub(super) note_status: fn(&Span, &HeaderMap) -> Option<SpanStatus>,
}

/// A request that goes out.
#[derive(Clone, Copy)]
pub(super) struct Outgoing<'a> {
    pub(super) method: &'a str,
    /// The whole URL, if that is known, without a fragment.
    pub(super) url: &'a str,
}

impl Call {
    /// Starts the span below the current one, and puts the trace into the headers.
    ///
    /// The URL is asked for if there is anybody to tell it to.
    pub(super) fn begin<'a>(
        dialect: &'static Dialect,
        method: &str,
        url: impl FnOnce() -> Cow<'a, str>,
        headers: &mut HeaderMap,
        body_size: Option<u64>,
    ) -> Self {
        if slot::current_client().is_none() {
            return Self { recorded: None };
        }
        let url = url();
        let request = Outgoing { method, url: &url };
        let parent = current_span().filter(Span::is_recorded);
        let recorded = parent.and_then(|parent| Recorded::start(dialect, &parent, &request));
        let trace = match &recorded {
            Some(recorded) => recorded.span.outgoing_trace_to(&url),
            None => outgoing_trace_to(&url),
        };
        if let Some(trace) = trace {
            trace.inject(headers);
        }
        if let (Some(recorded), Some(size)) = (&recorded, body_size.filter(|size| *size > 0)) {
            recorded.span.set_data("http.request.body.size", size);
        }
        Self { recorded }
    }

    /// Does a piece of the work inside of the span.
    pub(super) fn run<R>(&mut self, work: impl FnOnce() -> R) -> R {
        let Some(recorded) = &mut self.recorded else {
            return work();
        };
        // Only a panic leaves it at that.
        let status = recorded.status.replace(SpanStatus::InternalError);
        let result = recorded.span.run(work);
        recorded.status = status;
        result
    }

    /// The head of the response is there.
    pub(super) fn respond(&mut self, status_code: u16, headers: &HeaderMap) {
        if let Some(recorded) = &mut self.recorded {
            recorded.span.set_data(STATUS_CODE, status_code);
            recorded.status = Some(SpanStatus::from_http(status_code));
        }
        self.note_status(headers);
    }

    /// Trailers, or what else may say how it has ended.
    pub(super) fn note_status(&mut self, headers: &HeaderMap) {
        if let Some(recorded) = &mut self.recorded {
            let status = (recorded.dialect.note_status)(&recorded.span, headers);
            recorded.status = status.or(recorded.status);
        }
    }

    /// So many bytes of the response's body have come.
    pub(super) fn add_body_bytes(&mut self, bytes: u64) {
        if let Some(recorded) = &mut self.recorded {
            recorded.body_bytes += bytes;
        }
    }

    /// The response is complete.
    pub(super) fn finish(&mut self) {
        if let Some(recorded) = self.recorded.take() {
            recorded.end();
        }
    }

    /// There will be no response, or no more of it.
    pub(super) fn fail(&mut self) {
        if let Some(mut recorded) = self.recorded.take() {
            recorded.status = Some(SpanStatus::InternalError);
            recorded.end();
        }
    }

    /// Gives up what is left of the work. A response that tells of a failure was enough.
    pub(super) fn cancel(&mut self, drop_work: impl FnOnce()) {
        let Some(mut recorded) = self.recorded.take() else {
            return drop_work();
        };
        recorded.span.cancel(drop_work);
        let failed = recorded.status.filter(|status| *status != SpanStatus::Ok);
        recorded.status = Some(failed.unwrap_or(SpanStatus::Cancelled));
        recorded.end();
    }
}

impl Recorded {
    /// `None` if the transaction has no room for it.
    fn start(dialect: &'static Dialect, parent: &Span, request: &Outgoing<'_>) -> Option<Self> {
        let started = span(dialect.op, (dialect.describe)(request))
            .origin(dialect.origin)
            .child_of(parent)
            .start();
        if !started.is_recorded() {
            return None;
        }
        (dialect.note_request)(&started, request);
        if let Some((host, port)) = host_of(request.url) {
            started.set_data("server.address", without_brackets(host));
            if let Some(port) = port {
                started.set_data("server.port", port);
            }
        }
        Some(Self {
            span: PolledSpan::new(started),
            dialect,
            status: None,
            body_bytes: 0,
        })
    }

    fn end(self) {
        if self.body_bytes > 0 {
            self.span.set_data(BODY_SIZE, self.body_bytes);
        }
        if let Some(status) = self.status {
            self.span.set_status(status);
        }
        self.span.finish();
    }
}

impl<'a> Outgoing<'a> {
    /// The URL without user and query.
    fn told_url(&self) -> Cow<'a, str> {
        let (url, _) = self.url.split_once('?').unwrap_or((self.url, ""));
        privacy::url(url)
    }

    /// What comes after the host, without the query.
    #[cfg(feature = "tonic")]
    pub(super) fn path(&self) -> &'a str {
        let (url, _) = self.url.split_once('?').unwrap_or((self.url, ""));
        match url.split_once("://") {
            None => url,
            Some((_, rest)) => rest.find('/').map_or("", |at| &rest[at..]),
        }
    }
}

/// Requests and responses and nothing more.
pub(super) const HTTP: Dialect = Dialect {
    op: "http.client",
    origin: "auto.http.tower",
    describe: |request| {
        let method = known_method(request.method).unwrap_or("HTTP");
        format!("{method} {}", request.told_url())
    },
    note_request: |span, request| {
        let method = known_method(request.method).unwrap_or(privacy::OTHER_METHOD);
        span.set_data("http.request.method", method);
        span.set_data("url.full", request.told_url());
        if let Some((_, query)) = request.url.split_once('?') {
            span.set_data("url.query", privacy::query(query));
        }
    },
    note_status: |_, _| None,
};

const STATUS_CODE: &str = "http.response.status_code";
const BODY_SIZE: &str = "http.response.body.size";
