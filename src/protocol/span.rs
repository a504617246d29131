//! One timed operation inside a transaction, and how it ended.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use super::id::{SpanId, TraceId};
use super::{Data, Timestamp};

/// A finished child span, as it stands in a transaction's `spans` list.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Span {
    /// The trace that all spans of the transaction belong to.
    pub trace_id: TraceId,
    /// This span.
    pub span_id: SpanId,
    /// The span that this one is a part of.
    pub parent_span_id: SpanId,
    /// What kind of work this is, such as `db.query`.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub op: Cow<'static, str>,
    /// What exactly was done, such as the statement of a query.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub description: Cow<'static, str>,
    /// When the work began.
    pub start_timestamp: Timestamp,
    /// When the work ended: never before it began.
    pub timestamp: Timestamp,
    /// How the work ended, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<SpanStatus>,
    /// Who recorded the span: `manual`, or `auto.` and an integration.
    pub origin: Cow<'static, str>,
    /// Short values to search by.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<Cow<'static, str>, String>,
    /// Attributes of any JSON type.
    #[serde(skip_serializing_if = "Data::is_empty")]
    pub data: Data,
    /// Spans that this one has to do with, other than the one that it is a part of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
}

/// A span, most often of another trace, that has to do with the one which has this link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Link {
    /// The trace of that span.
    pub trace_id: TraceId,
    /// That span.
    pub span_id: SpanId,
    /// What the two have to do with each other.
    pub attributes: LinkAttributes,
}

/// What is known of a [`Link`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LinkAttributes {
    /// What kind of link it is, such as `follows_from`: that span has caused this one.
    #[serde(rename = "sentry.link.type")]
    pub kind: &'static str,
}

impl Link {
    /// A link to a span that has caused this one, without being above it.
    pub fn follows_from(trace_id: TraceId, span_id: SpanId) -> Self {
        Self {
            trace_id,
            span_id,
            attributes: LinkAttributes {
                kind: "follows_from",
            },
        }
    }
}

/// How the work of a span ended.
///
/// These are all statuses that the protocol knows. Servers remove any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SpanStatus {
    /// It succeeded.
    Ok,
    /// It was given up by its caller. Spans of futures that are dropped early end so.
    Cancelled,
    /// It failed for a reason that is not known. It is sent as `unknown_error`, which every reader
    /// takes; `unknown` is not.
    Unknown,
    /// It was called with arguments that cannot be right.
    InvalidArgument,
    /// It took longer than it was allowed to.
    DeadlineExceeded,
    /// What it asked for does not exist.
    NotFound,
    /// What it should have made exists already.
    AlreadyExists,
    /// The caller is known but may not do this.
    PermissionDenied,
    /// A quota or a limit is used up.
    ResourceExhausted,
    /// The system is not in the state that the work needs.
    FailedPrecondition,
    /// It was given up because of a conflict with other work.
    Aborted,
    /// It went past the end of a valid range.
    OutOfRange,
    /// There is no such operation.
    Unimplemented,
    /// Something broke. Spans that panic end so.
    InternalError,
    /// The service cannot be reached at the moment.
    Unavailable,
    /// Data was lost or is corrupt for good.
    DataLoss,
    /// The caller is not known.
    Unauthenticated,
}

/// The error returned when a text is not the name of a [`SpanStatus`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownStatus;

impl SpanStatus {
    /// The name of the status on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Cancelled => "cancelled",
            Self::Unknown => "unknown_error",
            Self::InvalidArgument => "invalid_argument",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::NotFound => "not_found",
            Self::AlreadyExists => "already_exists",
            Self::PermissionDenied => "permission_denied",
            Self::ResourceExhausted => "resource_exhausted",
            Self::FailedPrecondition => "failed_precondition",
            Self::Aborted => "aborted",
            Self::OutOfRange => "out_of_range",
            Self::Unimplemented => "unimplemented",
            Self::InternalError => "internal_error",
            Self::Unavailable => "unavailable",
            Self::DataLoss => "data_loss",
            Self::Unauthenticated => "unauthenticated",
        }
    }

    /// The status that stands for a canonical code of gRPC, of which there are 17.
    pub fn from_grpc(code: usize) -> Option<Self> {
        ALL.get(code).copied()
    }

    /// The status that stands for an HTTP status code.
    ///
    /// Codes below 400 are `Ok`, as SDKs practise it; codes outside 100 to 599 are `Unknown`.
    pub fn from_http(code: u16) -> Self {
        match code {
            100..=399 => Self::Ok,
            401 => Self::Unauthenticated,
            403 => Self::PermissionDenied,
            404 => Self::NotFound,
            409 => Self::AlreadyExists,
            413 => Self::FailedPrecondition,
            429 => Self::ResourceExhausted,
            499 => Self::Cancelled,
            400..=499 => Self::InvalidArgument,
            501 => Self::Unimplemented,
            503 => Self::Unavailable,
            504 => Self::DeadlineExceeded,
            500..=599 => Self::InternalError,
            _ => Self::Unknown,
        }
    }
}

impl fmt::Display for SpanStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for SpanStatus {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "unknown" {
            return Ok(Self::Unknown);
        }
        ALL.into_iter()
            .find(|status| status.as_str() == text)
            .ok_or(UnknownStatus)
    }
}

impl Serialize for SpanStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl fmt::Display for UnknownStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not the name of a span status")
    }
}

impl std::error::Error for UnknownStatus {}

/// All statuses, in the order of the codes of gRPC.
const ALL: [SpanStatus; 17] = [
    SpanStatus::Ok,
    SpanStatus::Cancelled,
    SpanStatus::Unknown,
    SpanStatus::InvalidArgument,
    SpanStatus::DeadlineExceeded,
    SpanStatus::NotFound,
    SpanStatus::AlreadyExists,
    SpanStatus::PermissionDenied,
    SpanStatus::ResourceExhausted,
    SpanStatus::FailedPrecondition,
    SpanStatus::Aborted,
    SpanStatus::OutOfRange,
    SpanStatus::Unimplemented,
    SpanStatus::InternalError,
    SpanStatus::Unavailable,
    SpanStatus::DataLoss,
    SpanStatus::Unauthenticated,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back() {
        for status in ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
        }
        assert_eq!("error".parse::<SpanStatus>(), Err(UnknownStatus));
    }

    #[test]
    fn grpc_codes_are_the_order_of_the_statuses() {
        assert_eq!(SpanStatus::from_grpc(0), Some(SpanStatus::Ok));
        assert_eq!(SpanStatus::from_grpc(5), Some(SpanStatus::NotFound));
        assert_eq!(SpanStatus::from_grpc(16), Some(SpanStatus::Unauthenticated));
        assert_eq!(SpanStatus::from_grpc(17), None);
    }

    #[test]
    fn http_codes_follow_the_practice_of_sdks() {
        let table = [
            (99, "unknown_error"),
            (100, "ok"),
            (204, "ok"),
            (302, "ok"),
            (400, "invalid_argument"),
            (401, "unauthenticated"),
            (403, "permission_denied"),
            (404, "not_found"),
            (409, "already_exists"),
            (413, "failed_precondition"),
            (418, "invalid_argument"),
            (429, "resource_exhausted"),
            (499, "cancelled"),
            (500, "internal_error"),
            (501, "unimplemented"),
            (502, "internal_error"),
            (503, "unavailable"),
            (504, "deadline_exceeded"),
            (599, "internal_error"),
            (600, "unknown_error"),
        ];
        for (code, name) in table {
            assert_eq!(SpanStatus::from_http(code).as_str(), name, "{code}");
        }
    }
}
