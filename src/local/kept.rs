//! An accepted envelope as it is kept: the text that was sent.
//!
//! JSON values take many times the memory of their text, up to 90 times for lists of small
//! objects. So nothing but text is kept, whose size is known, and values are built anew whenever
//! a program asks for them.

use std::mem;
use std::sync::Arc;
use std::time::SystemTime;

use http::HeaderMap;
use http::header::{self, AsHeaderName};
use http::request::Parts;

use super::decode::{
    DecodeError, ReceivedEnvelope, ReceivedTransaction, TransactionParts, decode, split_envelope,
};
use super::delivery::Delivery;
use super::refusal::Refusal;
use super::summary::Summary;

/// An envelope that was accepted, and the request that it came in.
#[derive(Debug)]
pub(crate) struct Kept {
    path: Box<str>,
    content_type: Option<Box<str>>,
    content_encoding: Option<Box<str>>,
    user_agent: Option<Box<str>>,
    sentry_auth: Option<Box<str>>,
    encoded_length: usize,
    envelope: Box<[u8]>,
    has_transaction: bool,
    received: SystemTime,
}

/// The envelope of a request: its text, and what encoding it had.
pub(crate) struct Decoded {
    content_encoding: Option<Box<str>>,
    encoded_length: usize,
    envelope: Vec<u8>,
}

impl Decoded {
    /// Decodes the body of a request, which may then have up to `limit` bytes.
    pub(crate) fn new(head: &Parts, body: Vec<u8>, limit: usize) -> Result<Self, Refusal> {
        let mut encodings = head.headers.get_all(header::CONTENT_ENCODING).iter();
        let content_encoding = text(&head.headers, header::CONTENT_ENCODING);
        if encodings.nth(1).is_some() {
            return Err(undecodable(&DecodeError::Unknown, limit));
        }
        let encoded_length = body.len();
        let envelope = decode(content_encoding.as_deref(), body, limit)
            .map_err(|error| undecodable(&error, limit))?;
        Ok(Self {
            content_encoding,
            encoded_length,
            envelope,
        })
    }
}

impl Kept {
    /// Checks an envelope, and sums it up.
    pub(crate) fn new(head: &Parts, decoded: Decoded) -> Result<(Self, Summary), Refusal> {
        let received = SystemTime::now();
        let summary = Summary::of(&decoded.envelope, received)?;
        let kept = Self {
            path: head.uri.path().into(),
            content_type: text(&head.headers, header::CONTENT_TYPE),
            content_encoding: decoded.content_encoding,
            user_agent: text(&head.headers, header::USER_AGENT),
            sentry_auth: text(&head.headers, "x-sentry-auth"),
            encoded_length: decoded.encoded_length,
            // Not more of it than its length.
            envelope: decoded.envelope.into_boxed_slice(),
            has_transaction: summary.transaction_spans.is_some(),
            received,
        };
        Ok((kept, summary))
    }

    /// How many bytes are held for it.
    pub(super) fn size(&self) -> usize {
        let texts = [
            &self.content_type,
            &self.content_encoding,
            &self.user_agent,
            &self.sentry_auth,
        ];
        let texts: usize = texts.into_iter().flatten().map(|text| text.len()).sum();
        mem::size_of::<Self>() + self.path.len() + texts + self.envelope.len()
    }

    pub(super) fn has_transaction(&self) -> bool {
        self.has_transaction
    }

    /// Builds the transaction, if there is one.
    pub(super) fn transaction(&self) -> Option<ReceivedTransaction> {
        if !self.has_transaction {
            return None;
        }
        let (header, mut items) = split_envelope(&self.envelope).ok()?;
        let item = items.find_map(|item| item.ok().filter(|item| item.kind == "transaction"))?;
        let parts = TransactionParts::read(&header, item.payload, self.received).ok()?;
        parts.decode(&header).ok()
    }

    /// Builds everything. It is never `None`, as the envelope was checked.
    pub(crate) fn delivery(&self) -> Option<Delivery> {
        let owned = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
        Some(Delivery {
            path: self.path.to_string(),
            content_type: owned(&self.content_type),
            content_encoding: owned(&self.content_encoding),
            user_agent: owned(&self.user_agent),
            sentry_auth: owned(&self.sentry_auth),
            encoded_length: self.encoded_length,
            length: self.envelope.len(),
            envelope: ReceivedEnvelope::parse(&self.envelope).ok()?,
            transaction: self.transaction().map(Arc::new),
        })
    }
}

fn undecodable(error: &DecodeError, limit: usize) -> Refusal {
    match error {
        DecodeError::Unknown => {
            Refusal::new(http::StatusCode::UNSUPPORTED_MEDIA_TYPE, error.to_string())
        }
        DecodeError::Malformed(_) => Refusal::bad_request(error),
        DecodeError::TooLarge => Refusal::too_large("the decoded body", limit),
    }
}

/// The value of a request's header, with anything that is not UTF-8 replaced.
fn text(headers: &HeaderMap, name: impl AsHeaderName) -> Option<Box<str>> {
    let value = headers.get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into())
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    /// An envelope of so many bytes whose headers are lists of small objects.
    fn lists(length: usize) -> Vec<u8> {
        let list = "{\"\":0},".repeat(2_800);
        let item = format!("{{\"type\":\"a\",\"b\":[{list}0]}}\n\n");
        let mut envelope = b"{}\n".to_vec();
        while envelope.len() + item.len() <= length {
            envelope.extend_from_slice(item.as_bytes());
        }
        envelope
    }

    #[test]
    fn the_size_is_what_is_held() {
        let request = Request::post("/api/1/envelope/").header("user-agent", "x".repeat(500));
        let (head, ()) = request.body(()).unwrap().into_parts();
        for length in [1_000, 100_000, 10_000_000] {
            let text = lists(length);
            let mut kept = None;
            let held = allocation_counter::measure(|| {
                let mut body = text.clone();
                // As it may be when it is decoded.
                body.reserve(length);
                let decoded = Decoded::new(&head, body, length).unwrap();
                kept = Some(Kept::new(&head, decoded).unwrap().0);
            });
            let size = kept.unwrap().size() as i64;
            assert!(size >= held.bytes_current, "{size} for {held:?}");
            assert!(size < text.len() as i64 + 1_000, "{size}");
            // The body as it grows, and nothing that grows with its lists.
            let most = 4 * text.len() as u64 + 10_000;
            assert!(held.bytes_max < most, "{held:?} over {most}");
        }
    }
}
