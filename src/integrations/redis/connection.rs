//! Connections, and what makes them.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use redis::aio::ConnectionLike;
use redis::{Cmd, ConnectionAddr, ConnectionInfo, Pipeline, RedisFuture, Value};

use super::cache::Access;
use super::command::{Command, describe_all};
use super::status::End;
use crate::integrations::call::{InCall, begin};
use crate::protocol::SpanStatus;
use crate::trace::{PolledSpan, Span, is_recording};

/// A connection whose commands are spans.
///
/// It goes wherever the connection inside of it would: to `AsyncCommands`, `query_async` of
/// commands and pipelines, scripts and `transaction_async`. A command is sent and answered as it
/// would be without this.
///
/// # Cancel safety
///
/// Dropping the future of a command ends its span as `cancelled`, and is otherwise up to the
/// connection inside: one that is multiplexed has sent the command by then, or not.
#[derive(Clone)]
pub struct Connection<C> {
    pub(super) inner: C,
    pub(super) layer: ConnectionLayer,
}

/// Makes a [`Connection`] of any other, in the same way each time.
///
/// It is cheap to clone. Keep it beside a pool, for the connections that come out of that.
#[derive(Clone, Debug, Default)]
pub struct ConnectionLayer {
    /// `None` until anything is set, so that this costs nothing.
    settings: Option<Arc<Settings>>,
}

#[derive(Clone, Debug, Default)]
struct Settings {
    cache_prefixes: Vec<Box<[u8]>>,
    server: Option<ConnectionAddr>,
}

/// A command on its way, and what has to be known when its reply is there.
pub(super) struct Call {
    pub(super) span: PolledSpan,
    pub(super) end: End,
}

impl Call {
    /// Does all of it at once.
    pub(super) fn run<R>(
        mut self,
        send: impl FnOnce() -> R,
        end: impl FnOnce(End, &Span, &R) -> SpanStatus,
    ) -> R {
        let reply = self.span.run(send);
        let status = end(self.end, &self.span, &reply);
        self.span.set_status(status);
        self.span.finish();
        reply
    }
}

impl<C> Connection<C> {
    /// Makes the commands of a connection spans. [`ConnectionLayer`] is for more than that.
    pub fn new(connection: C) -> Self {
        ConnectionLayer::new().layer(connection)
    }

    /// The connection inside, whose own commands are no spans.
    pub fn get_ref(&self) -> &C {
        &self.inner
    }

    /// The connection inside, to subscribe or to set its timeout. Its own commands are no spans.
    pub fn get_mut(&mut self) -> &mut C {
        &mut self.inner
    }

    /// Takes the connection out.
    pub fn into_inner(self) -> C {
        self.inner
    }
}

impl ConnectionLayer {
    /// A layer without any settings.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets which keys are those of a cache, by how they begin. By default none are.
    ///
    /// Commands that read, write or remove such keys, and no others, become `cache.get`,
    /// `cache.put` and `cache.remove`. The empty prefix is that of all keys.
    pub fn cache_prefixes(self, prefixes: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Self {
        let prefixes = prefixes.into_iter();
        let prefixes = prefixes.map(|prefix| prefix.as_ref().into()).collect();
        self.set(|settings| settings.cache_prefixes = prefixes)
    }

    /// Tells where the server is, which connections don't know. By default it is left out.
    ///
    /// A `redis::Client` has it: `client.get_connection_info()`. User and password are not looked at.
    pub fn server(self, server: &ConnectionInfo) -> Self {
        self.set(|settings| settings.server = Some(server.addr().clone()))
    }

    /// Makes the commands of a connection spans.
    pub fn layer<C>(&self, connection: C) -> Connection<C> {
        Connection {
            inner: connection,
            layer: self.clone(),
        }
    }

    fn set(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(Arc::make_mut(self.settings.get_or_insert_default()));
        self
    }

    /// Starts the span of a command. `None` if nothing is recorded.
    pub(super) fn begin<'a>(
        &self,
        command: impl FnOnce() -> Command<'a>,
        database: i64,
    ) -> Option<Call> {
        // Nothing is looked at where nothing is recorded.
        let command = is_recording().then(command)?;
        let settings = self.settings.as_ref();
        let prefixes = settings.map_or(&[][..], |settings| &settings.cache_prefixes);
        let access = Access::of(&command, prefixes);
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
        self.note_database(&span, &command.name, database);
        if !keys.is_empty() {
            span.set_data("db.redis.key", keys.join(", "));
        }
        if let Some(access) = access {
            access.note_command(&span, &command, &keys);
        }
        Some(Call {
            span,
            end: End {
                access,
                is_transaction: command.name == "EXEC",
            },
        })
    }

    /// Starts the span of so many commands that are sent together. `None` if nothing is recorded.
    pub(super) fn begin_pipeline<'a, P: Iterator<Item = Command<'a>>>(
        &self,
        commands: impl FnOnce() -> P,
        count: usize,
        is_transaction: bool,
        database: i64,
    ) -> Option<Call> {
        let span = begin(OP, ORIGIN, || {
            let text = describe_all(commands(), count);
            Cow::Owned(match is_transaction {
                true => format!("MULTI; {text}; EXEC"),
                false => text,
            })
        })?
        .located();
        let name = if is_transaction { "MULTI" } else { "PIPELINE" };
        self.note_database(&span, name, database);
        span.set_data("db.operation.batch.size", count);
        Some(Call {
            span,
            end: End {
                access: None,
                is_transaction,
            },
        })
    }

    fn note_database(&self, span: &Span, operation: &str, database: i64) {
        span.set_data("db.system.name", "redis");
        span.set_data("db.operation.name", operation);
        span.set_data("db.namespace", database.to_string());
        let settings = self.settings.as_ref();
        match settings.and_then(|settings| settings.server.as_ref()) {
            Some(ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. }) => {
                span.set_data("server.address", host);
                span.set_data("server.port", port);
            }
            Some(ConnectionAddr::Unix(path)) => {
                span.set_data("server.address", path.to_string_lossy());
            }
            _ => {}
        }
    }
}

impl<C: ConnectionLike> ConnectionLike for Connection<C> {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        let call = self.layer.begin(|| cmd.into(), self.inner.get_db());
        let reply = self.inner.req_packed_command(cmd);
        match call {
            None => reply,
            Some(Call { span, end }) => {
                let end =
                    move |span: &Span, reply: &_| end.of_command(span, cmd.is_no_response(), reply);
                Box::pin(InCall::new(span, reply, end))
            }
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        let commands = || pipeline.cmd_iter().map(Command::from);
        let (length, is_transaction) = (pipeline.len(), pipeline.is_transaction());
        let database = self.inner.get_db();
        let call = self
            .layer
            .begin_pipeline(commands, length, is_transaction, database);
        let replies = self.inner.req_packed_commands(pipeline, offset, count);
        match call {
            None => replies,
            Some(Call { span, end }) => {
                let end = move |span: &Span, replies: &_| end.of_pipeline(span, replies);
                Box::pin(InCall::new(span, replies, end))
            }
        }
    }

    fn get_db(&self) -> i64 {
        self.inner.get_db()
    }
}

impl<C> fmt::Debug for Connection<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

const OP: &str = "db.redis";
const ORIGIN: &str = "auto.db.redis";
