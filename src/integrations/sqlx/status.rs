//! How a call ended, by its error.

use std::io;

use sqlx_core::error::{DatabaseError, Error, ErrorKind};

use crate::protocol::SpanStatus;
use crate::span::Span;

/// The status of a call, and on its span the code of the database, if that says more.
pub(super) fn end_call<T>(span: &Span, result: &Result<T, Error>) -> SpanStatus {
    let Err(error) = result else {
        return SpanStatus::Ok;
    };
    if let Some(code) = error.as_database_error().and_then(DatabaseError::code) {
        span.set_data("db.response.status_code", code);
    }
    status_of(error)
}

fn status_of(error: &Error) -> SpanStatus {
    match error {
        // The database has answered, and it depends on the method whether this is an error.
        Error::RowNotFound => SpanStatus::Ok,
        Error::PoolTimedOut => SpanStatus::DeadlineExceeded,
        Error::PoolClosed | Error::Tls(_) | Error::WorkerCrashed => SpanStatus::Unavailable,
        Error::Io(error) if error.kind() == io::ErrorKind::TimedOut => SpanStatus::DeadlineExceeded,
        Error::Io(_) => SpanStatus::Unavailable,
        Error::Encode(_) | Error::InvalidArgument(_) => SpanStatus::InvalidArgument,
        Error::Database(error) => status_of_database_error(&**error),
        _ => SpanStatus::InternalError,
    }
}

fn status_of_database_error(error: &dyn DatabaseError) -> SpanStatus {
    match error.kind() {
        ErrorKind::UniqueViolation => return SpanStatus::AlreadyExists,
        ErrorKind::ForeignKeyViolation | ErrorKind::ExclusionViolation => {
            return SpanStatus::FailedPrecondition;
        }
        ErrorKind::NotNullViolation | ErrorKind::CheckViolation => {
            return SpanStatus::InvalidArgument;
        }
        _ => {}
    }
    let code = error.code().unwrap_or_default();
    // Classes of SQLSTATE, and where it is a number, results of SQLite.
    match code.as_bytes() {
        b"5" | b"6" => SpanStatus::Unavailable,
        // Canceled as it took too long, or on request.
        b"57014" | b"70100" => SpanStatus::DeadlineExceeded,
        b"42501" => SpanStatus::PermissionDenied,
        [b'0', b'8', ..] | [b'5', b'7', b'P', ..] => SpanStatus::Unavailable,
        [b'2', b'8', ..] => SpanStatus::Unauthenticated,
        [b'4', b'0', ..] => SpanStatus::Aborted,
        [b'5', b'3', ..] => SpanStatus::ResourceExhausted,
        _ => SpanStatus::InternalError,
    }
}
