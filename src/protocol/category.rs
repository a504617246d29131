//! What is counted and limited separately, and why something was dropped.

use serde::{Serialize, Serializer};

/// Why something was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum DiscardReason {
    /// The queue was full.
    QueueOverflow,
    /// A buffer inside the SDK was full, such as the spans of one transaction.
    BufferOverflow,
    /// The server had asked to send none of these for a while.
    RateLimitBackoff,
    /// The server could not be reached.
    NetworkError,
    /// The server refused it.
    SendError,
    /// The SDK failed to build or to write it.
    InternalSdkError,
    /// The sampling rate decided against it.
    SampleRate,
    /// The sampling rate, lowered under load, decided against it.
    Backpressure,
    /// A `before_send` callback decided against it.
    BeforeSend,
    /// An event processor decided against it.
    EventProcessor,
    /// A list of things to ignore decided against it.
    Ignored,
}

/// What servers count and limit separately.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Category {
    /// Whole transactions.
    Transaction,
    /// Single spans, the root of a transaction included.
    Span,
}

impl DiscardReason {
    /// The name of the reason on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::QueueOverflow => "queue_overflow",
            Self::BufferOverflow => "buffer_overflow",
            Self::RateLimitBackoff => "ratelimit_backoff",
            Self::NetworkError => "network_error",
            Self::SendError => "send_error",
            Self::InternalSdkError => "internal_sdk_error",
            Self::SampleRate => "sample_rate",
            Self::Backpressure => "backpressure",
            Self::BeforeSend => "before_send",
            Self::EventProcessor => "event_processor",
            Self::Ignored => "ignored",
        }
    }
}

impl Category {
    /// The name of the category on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transaction => "transaction",
            Self::Span => "span",
        }
    }
}

impl Serialize for DiscardReason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl Serialize for Category {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
