//! The body of a request, as far as it is told of.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http_body::{Body, Frame, SizeHint};
use pin_project::pin_project;

use crate::privacy;
use crate::span::Span;

/// What was seen of a body while the program read it.
#[derive(Clone, Debug)]
pub(super) struct RequestBody {
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug)]
struct Seen {
    bytes: u64,
    /// The content, as long as it is within the limit.
    kept: Vec<u8>,
    limit: usize,
    is_json: bool,
}

impl RequestBody {
    /// Looks at a body, if something may be told of it that the headers do not say.
    ///
    /// Its content may have up to `limit` bytes, and is told only in a form in
    /// which secrets can be found.
    pub(super) fn of(headers: &HeaderMap, limit: usize) -> Option<Self> {
        let text = |name| headers.get(name)?.to_str().ok();
        let kind = text(CONTENT_TYPE).unwrap_or_default();
        let is_json = kind.starts_with("application/json");
        let is_form = kind.starts_with("application/x-www-form-urlencoded");
        let limit = if is_json || is_form { limit } else { 0 };
        let needed = limit > 0 || text(CONTENT_LENGTH).is_none();
        let seen = Seen {
            bytes: 0,
            kept: Vec::new(),
            limit,
            is_json,
        };
        needed.then(|| Self {
            seen: Arc::new(Mutex::new(seen)),
        })
    }

    fn add(&self, data: &[u8]) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.bytes += data.len() as u64;
        if seen.bytes <= seen.limit as u64 {
            seen.kept.extend_from_slice(data);
        }
    }

    /// Says on a root what was seen.
    pub(super) fn describe(&self, root: &Span) {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        root.set_data("http.request.body.size", seen.bytes);
        let whole = seen.bytes > 0 && seen.bytes == seen.kept.len() as u64;
        let text = std::str::from_utf8(&seen.kept).ok().filter(|_| whole);
        let told = text.and_then(|text| match seen.is_json {
            true => privacy::json(text),
            false => Some(privacy::query(text).into_owned()),
        });
        if let Some(told) = told {
            root.set_data("http.request.body.data", told);
        }
    }
}

/// A body that is looked at while it is read.
#[pin_project]
pub(super) struct Watched<B> {
    #[pin]
    inner: B,
    body: RequestBody,
}

impl<B> Watched<B> {
    pub(super) fn new(inner: B, body: RequestBody) -> Self {
        Self { inner, body }
    }
}

impl<B: Body<Data = Bytes>> Body for Watched<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        let polled = this.inner.poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            this.body.add(data.chunk());
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
