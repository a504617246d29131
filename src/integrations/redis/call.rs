//! The span of a command, from when it is handed over to its reply.

use std::borrow::Cow;

use super::cache::Access;
use super::command::{Command, describe_all};
use super::settings::ConnectionLayer;
use super::status::End;
use crate::integrations::call::{begin, in_call};
use crate::protocol::SpanStatus;
use crate::span::{PolledSpan, Span, is_recording};

/// A command on its way, and what has to be known when its reply is there.
pub(super) struct Call {
    pub(super) span: PolledSpan,
    pub(super) end: End,
}

impl Call {
    /// Starts the span of a command. `None` if nothing is recorded.
    pub(super) fn begin<'a>(
        layer: &ConnectionLayer,
        database: i64,
        command: impl FnOnce() -> Command<'a>,
    ) -> Option<Self> {
        // Nothing is looked at where nothing is recorded.
        let command = is_recording().then(command)?;
        let access = Access::of(&command, layer.prefixes());
        let keys: Vec<_> = command.key_texts().collect();
        let span = begin(access.map_or(OP, Access::op), ORIGIN, || {
            let mut text = String::new();
            match access {
                None | Some(Access::Flush) => command.describe(&mut text),
                Some(_) => text = keys.join(", "),
            }
            Cow::Owned(text)
        })?
        .located();
        note_database(&span, layer, database, &command.name);
        if !keys.is_empty() {
            span.set_data("db.redis.key", keys.join(", "));
        }
        if let Some(access) = access {
            access.note_command(&span, &command, &keys);
        }
        let end = End {
            access,
            is_transaction: command.name == "EXEC",
        };
        Some(Self { span, end })
    }

    /// Starts the span of so many commands that are sent together. `None` if nothing is recorded.
    pub(super) fn begin_pipeline<'a, P: Iterator<Item = Command<'a>>>(
        layer: &ConnectionLayer,
        database: i64,
        commands: impl FnOnce() -> P,
        count: usize,
        is_transaction: bool,
    ) -> Option<Self> {
        let span = begin(OP, ORIGIN, || {
            let text = describe_all(commands(), count);
            Cow::Owned(match is_transaction {
                true => format!("MULTI; {text}; EXEC"),
                false => text,
            })
        })?
        .located();
        let name = if is_transaction { "MULTI" } else { "PIPELINE" };
        note_database(&span, layer, database, name);
        span.set_data("db.operation.batch.size", count);
        let end = End {
            access: None,
            is_transaction,
        };
        Some(Self { span, end })
    }

    /// Does all of it at once, as a call if it is one.
    pub(super) fn run<R>(
        call: Option<Self>,
        send: impl FnOnce() -> R,
        end: impl FnOnce(End, &Span, &R) -> SpanStatus,
    ) -> R {
        match call {
            None => send(),
            Some(call) => in_call(Some(call.span), send, |span, reply| {
                end(call.end, span, reply)
            }),
        }
    }
}

fn note_database(span: &Span, layer: &ConnectionLayer, database: i64, operation: &str) {
    span.set_data("db.system.name", "redis");
    span.set_data("db.operation.name", operation);
    span.set_data("db.namespace", database.to_string());
    layer.note_server(span);
}

const OP: &str = "db.redis";
const ORIGIN: &str = "auto.db.redis";
