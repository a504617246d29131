//! One request with an envelope in it, as programs see it.

use std::sync::Arc;

use super::decode::{ReceivedEnvelope, ReceivedTransaction};

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
}
