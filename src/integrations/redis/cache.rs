//! Commands that read and write a cache.

use redis::Value;

use super::command::Command;
use super::keys::number;
use crate::span::Span;

/// What a command does with a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Get,
    Put,
    Remove,
    Flush,
}

impl Access {
    /// `None` if it is no cache that the command is about, but the database as such.
    pub(super) fn of(command: &Command<'_>, prefixes: &[Box<[u8]>]) -> Option<Self> {
        if prefixes.is_empty() {
            return None;
        }
        let access = match command.name.as_str() {
            "GET" | "GETEX" | "HGET" | "HGETALL" | "HMGET" | "MGET" => Self::Get,
            "GETSET" | "HMSET" | "HSET" | "HSETNX" | "MSET" | "MSETNX" | "PSETEX" | "SET"
            | "SETEX" | "SETNX" => Self::Put,
            "DEL" | "GETDEL" | "HDEL" | "UNLINK" => Self::Remove,
            // They have no keys, and concern all of them.
            "FLUSHALL" | "FLUSHDB" => return Some(Self::Flush),
            _ => return None,
        };
        let is_cached = |key: &[u8]| prefixes.iter().any(|prefix| key.starts_with(prefix));
        let is_cache = command.keys().next().is_some() && command.keys().all(is_cached);
        is_cache.then_some(access)
    }

    pub(super) fn op(self) -> &'static str {
        match self {
            Self::Get => "cache.get",
            Self::Put => "cache.put",
            Self::Remove => "cache.remove",
            Self::Flush => "cache.flush",
        }
    }

    /// Says on a span what is accessed.
    pub(super) fn note_command(self, span: &Span, command: &Command<'_>, keys: &[String]) {
        if !keys.is_empty() {
            span.set_data("cache.key", keys);
        }
        if let Some(seconds) = ttl(command) {
            span.set_data("cache.ttl", seconds);
        }
        if let (Self::Put, Some(bytes)) = (self, written(command)) {
            span.set_data(ITEM_SIZE, bytes);
        }
    }

    /// Says on a span what came of it.
    pub(super) fn note_reply(self, span: &Span, value: &Value) {
        if self != Self::Get {
            return;
        }
        let hit = match value {
            Value::Nil => false,
            Value::BulkString(_) => true,
            // All of those that were asked for.
            Value::Array(items) => !items.is_empty() && !items.contains(&Value::Nil),
            Value::Map(fields) => !fields.is_empty(),
            // An error, or what is not known before `EXEC`.
            _ => return,
        };
        span.set_data("cache.hit", hit);
        if hit {
            span.set_data(ITEM_SIZE, size(value));
        }
    }
}

/// After how many seconds what is written or read is gone, if the command says that.
fn ttl(command: &Command<'_>) -> Option<u64> {
    let args = &command.args;
    let (unit, time) = match command.name.as_str() {
        "SETEX" => (b"EX".as_slice(), args.get(1)?),
        "PSETEX" => (b"PX".as_slice(), args.get(1)?),
        "SET" | "GETEX" => {
            let first = if command.name == "SET" { 2 } else { 1 };
            let options = args.get(first..)?.windows(2);
            let mut times = options.filter(|option| {
                option[0].eq_ignore_ascii_case(b"EX") || option[0].eq_ignore_ascii_case(b"PX")
            });
            let option = times.next()?;
            (option[0], &option[1])
        }
        _ => return None,
    };
    let time = number(time)?;
    let is_seconds = unit.eq_ignore_ascii_case(b"EX");
    Some(if is_seconds {
        time
    } else {
        time.div_ceil(1_000)
    })
}

/// How many bytes the command writes. The fields of hashes are part of those.
fn written(command: &Command<'_>) -> Option<usize> {
    let values = match command.name.as_str() {
        "GETSET" | "SET" | "SETNX" => command.args.get(1..2),
        "PSETEX" | "SETEX" => command.args.get(2..3),
        "HMSET" | "HSET" | "HSETNX" | "MSET" | "MSETNX" => command.args.get(1..),
        _ => None,
    };
    let step = if command.name.starts_with('M') { 2 } else { 1 };
    Some(values?.iter().step_by(step).map(|value| value.len()).sum())
}

/// How many bytes there are in a reply.
fn size(value: &Value) -> usize {
    match value {
        Value::BulkString(bytes) => bytes.len(),
        Value::Array(items) => items.iter().map(size).sum(),
        Value::Map(fields) => fields
            .iter()
            .map(|(name, value)| size(name) + size(value))
            .sum(),
        _ => 0,
    }
}

const ITEM_SIZE: &str = "cache.item_size";
