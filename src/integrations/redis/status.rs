//! How commands end.

use std::slice;

use redis::{ErrorKind, RedisError, RedisResult, Value};

use super::cache::Access;
use crate::protocol::SpanStatus;
use crate::span::Span;

/// What has to be known of a command when its reply is there.
#[derive(Clone, Copy)]
pub(super) struct End {
    pub(super) access: Option<Access>,
    /// Whether the last reply is that of `EXEC`.
    pub(super) is_transaction: bool,
}

impl End {
    pub(super) fn of_command(
        self,
        span: &Span,
        without_reply: bool,
        reply: &RedisResult<Value>,
    ) -> SpanStatus {
        if let (Some(access), Ok(value), false) = (self.access, reply, without_reply) {
            access.note_reply(span, value);
        }
        self.status(span, reply.as_ref().map(slice::from_ref))
    }

    pub(super) fn of_pipeline(self, span: &Span, replies: &RedisResult<Vec<Value>>) -> SpanStatus {
        self.status(span, replies.as_ref().map(Vec::as_slice))
    }

    fn status(self, span: &Span, replies: Result<&[Value], &RedisError>) -> SpanStatus {
        let (status, code) = match replies {
            Err(error) => (of_error(error), error.code()),
            // Something that was watched has changed.
            Ok([.., Value::Nil]) if self.is_transaction => (SpanStatus::Aborted, None),
            Ok([.., Value::Array(replies)]) if self.is_transaction => of_replies(replies),
            Ok(replies) => of_replies(replies),
        };
        if let Some(code) = code.filter(|code| is_word(code)) {
            span.set_data("db.response.status_code", code);
        }
        status
    }
}

/// The status and the code of the first error among replies.
fn of_replies(replies: &[Value]) -> (SpanStatus, Option<&str>) {
    let mut codes = replies.iter().filter_map(|reply| match reply {
        Value::ServerError(error) => Some(error.code()),
        _ => None,
    });
    let code = codes.next();
    (code.map_or(SpanStatus::Ok, of_code), code)
}

fn of_error(error: &RedisError) -> SpanStatus {
    if error.is_timeout() {
        return SpanStatus::DeadlineExceeded;
    }
    match (error.kind(), error.code()) {
        (ErrorKind::AuthenticationFailed, _) => SpanStatus::Unauthenticated,
        (ErrorKind::Io | ErrorKind::ClusterConnectionNotFound, _) => SpanStatus::Unavailable,
        (_, Some(code)) => of_code(code),
        _ => SpanStatus::InternalError,
    }
}

fn of_code(code: &str) -> SpanStatus {
    match code {
        "NOAUTH" | "WRONGPASS" => SpanStatus::Unauthenticated,
        "NOPERM" => SpanStatus::PermissionDenied,
        "NOSCRIPT" => SpanStatus::NotFound,
        "OOM" => SpanStatus::ResourceExhausted,
        "CLUSTERDOWN" | "LOADING" | "MASTERDOWN" | "TRYAGAIN" => SpanStatus::Unavailable,
        _ => SpanStatus::InternalError,
    }
}

/// A code is one. What else a script may put in its place is nobody's business.
fn is_word(code: &str) -> bool {
    code.len() <= 32 && code.bytes().all(|c| c.is_ascii_uppercase())
}
