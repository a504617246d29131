//! One request with an envelope in it, checked as a server would.

use std::sync::Arc;

use http::HeaderMap;
use http::header::{self, AsHeaderName};
use http::request::Parts;

use super::decode::{
    DecodeError, ReceivedEnvelope, ReceivedItem, ReceivedTransaction, check_span, count_spans,
    decode, discarded_events,
};
use super::refusal::Refusal;

/// An envelope that was accepted, and the request that it came in.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Delivery {
    /// The path of the request.
    pub path: String,
    /// The `Content-Type` of the request.
    pub content_type: Option<String>,
    /// The `Content-Encoding` of the request.
    pub content_encoding: Option<String>,
    /// The `User-Agent` of the request.
    pub user_agent: Option<String>,
    /// The `X-Sentry-Auth` of the request.
    pub sentry_auth: Option<String>,
    /// How many bytes the body had as it was sent.
    pub encoded_length: usize,
    /// How many bytes the envelope has.
    pub length: usize,
    /// The envelope.
    pub envelope: ReceivedEnvelope,
    /// The transaction inside, if there is one.
    pub transaction: Option<Arc<ReceivedTransaction>>,
    pub(super) streamed_spans: u64,
    /// Reason, category and quantity, as client reports have them.
    pub(super) discarded: Vec<(String, String, u64)>,
}

impl Delivery {
    /// Decodes and reads the body of a request.
    pub(crate) fn read(head: &Parts, body: Vec<u8>, limit: usize) -> Result<Self, Refusal> {
        let mut encodings = head.headers.get_all(header::CONTENT_ENCODING).iter();
        let content_encoding = text(&head.headers, header::CONTENT_ENCODING);
        if encodings.nth(1).is_some() {
            return Err(undecodable(&DecodeError::Unknown, limit));
        }
        let encoded_length = body.len();
        let bytes = decode(content_encoding.as_deref(), body, limit)
            .map_err(|error| undecodable(&error, limit))?;
        let envelope =
            ReceivedEnvelope::parse(&bytes).map_err(|error| Refusal::bad_request(&error))?;

        let mut contents = Contents::default();
        for item in &envelope.items {
            contents.add(&envelope, item)?;
        }
        Ok(Self {
            path: head.uri.path().to_owned(),
            content_type: text(&head.headers, header::CONTENT_TYPE),
            content_encoding,
            user_agent: text(&head.headers, header::USER_AGENT),
            sentry_auth: text(&head.headers, "x-sentry-auth"),
            encoded_length,
            length: bytes.len(),
            envelope,
            transaction: contents.transaction,
            streamed_spans: contents.streamed_spans,
            discarded: contents.discarded,
        })
    }
}

/// What is known of the items read so far.
#[derive(Default)]
struct Contents {
    has_event: bool,
    has_span_container: bool,
    transaction: Option<Arc<ReceivedTransaction>>,
    streamed_spans: u64,
    discarded: Vec<(String, String, u64)>,
}

impl Contents {
    fn add(&mut self, envelope: &ReceivedEnvelope, item: &ReceivedItem) -> Result<(), Refusal> {
        match item.kind() {
            kind @ ("event" | "transaction" | "feedback") => {
                check_size(item, MAX_EVENT)?;
                if std::mem::replace(&mut self.has_event, true) {
                    return Err(refused("there is more than one event in the envelope"));
                }
                if kind == "transaction" {
                    let transaction = ReceivedTransaction::parse(envelope, &item.payload)
                        .map_err(|error| Refusal::bad_request(&error))?;
                    self.transaction = Some(Arc::new(transaction));
                }
            }
            "span" if item.header("content_type") == Some(SPAN_CONTAINER) => {
                check_size(item, MAX_SPAN_CONTAINER)?;
                if std::mem::replace(&mut self.has_span_container, true) {
                    return Err(refused(
                        "there is more than one span container in the envelope",
                    ));
                }
                self.streamed_spans +=
                    count_spans(envelope, item).map_err(|error| Refusal::bad_request(&error))?;
            }
            "span" => {
                check_size(item, MAX_EVENT)?;
                check_span(item).map_err(|error| Refusal::bad_request(&error))?;
                self.streamed_spans += 1;
            }
            "client_report" => {
                check_size(item, MAX_CLIENT_REPORT)?;
                let discarded =
                    discarded_events(item).map_err(|error| Refusal::bad_request(&error))?;
                self.discarded.extend(discarded);
            }
            _ => {}
        }
        Ok(())
    }
}

fn check_size(item: &ReceivedItem, limit: usize) -> Result<(), Refusal> {
    if item.payload.len() > limit {
        return Err(Refusal::too_large(&format!("the {}", item.kind()), limit));
    }
    Ok(())
}

fn refused(reason: &str) -> Refusal {
    Refusal::bad_request(&reason)
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
fn text(headers: &HeaderMap, name: impl AsHeaderName) -> Option<String> {
    let value = headers.get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

const SPAN_CONTAINER: &str = "application/vnd.sentry.items.span.v2+json";

// What servers allow for single items, before they refuse the whole envelope.
const MAX_EVENT: usize = 1024 * 1024;
const MAX_SPAN_CONTAINER: usize = 12 * 1024 * 1024;
const MAX_CLIENT_REPORT: usize = 100 * 1024;
