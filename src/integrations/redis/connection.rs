//! Connections.

use std::fmt;

use redis::aio::ConnectionLike;
use redis::{Cmd, Pipeline, RedisFuture, Value};

use super::call::Call;
use super::command::Command;
use super::settings::ConnectionLayer;
use crate::integrations::call::InCall;
use crate::span::Span;

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
    /// Wraps a connection, so that its commands are recorded as spans.
    pub fn layer<C>(&self, connection: C) -> Connection<C> {
        Connection {
            inner: connection,
            layer: self.clone(),
        }
    }
}

impl<C: ConnectionLike> ConnectionLike for Connection<C> {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        let call = Call::begin(&self.layer, self.inner.get_db(), || cmd.into());
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
        let call = Call::begin_pipeline(&self.layer, database, commands, length, is_transaction);
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
