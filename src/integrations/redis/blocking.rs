//! Connections that block until the reply is there.
//!
//! Commands come here as they go over the wire, so they are read from that.

use redis::{Cmd, ConnectionLike, RedisResult, Value};

use super::call::Call;
use super::command::Command;
use super::connection::Connection;
use super::keys::number;

impl<C: ConnectionLike> ConnectionLike for Connection<C> {
    fn req_command(&mut self, cmd: &Cmd) -> RedisResult<Value> {
        let call = Call::begin(&self.layer, self.inner.get_db(), || cmd.into());
        let send = || self.inner.req_command(cmd);
        Call::run(call, send, |end, span, reply| {
            end.of_command(span, cmd.is_no_response(), reply)
        })
    }

    fn req_packed_command(&mut self, cmd: &[u8]) -> RedisResult<Value> {
        let command = || Commands(cmd).next().unwrap_or_else(Command::unknown);
        let call = Call::begin(&self.layer, self.inner.get_db(), command);
        let send = || self.inner.req_packed_command(cmd);
        Call::run(call, send, |end, span, reply| {
            end.of_command(span, false, reply)
        })
    }

    fn req_packed_commands(
        &mut self,
        cmd: &[u8],
        offset: usize,
        count: usize,
    ) -> RedisResult<Vec<Value>> {
        // The replies of `MULTI` and of those that it has queued are left out.
        let is_transaction = offset > 0;
        let length = if is_transaction { offset - 1 } else { count };
        let commands = || Commands(cmd).skip(usize::from(is_transaction)).take(length);
        let database = self.inner.get_db();
        let call = Call::begin_pipeline(&self.layer, database, commands, length, is_transaction);
        let send = || self.inner.req_packed_commands(cmd, offset, count);
        Call::run(call, send, |end, span, replies| {
            end.of_pipeline(span, replies)
        })
    }

    fn get_db(&self) -> i64 {
        self.inner.get_db()
    }

    fn supports_pipelining(&self) -> bool {
        self.inner.supports_pipelining()
    }

    fn check_connection(&mut self) -> bool {
        self.inner.check_connection()
    }

    fn is_open(&self) -> bool {
        self.inner.is_open()
    }
}

/// Commands as they go over the wire, each an array of strings.
struct Commands<'a>(&'a [u8]);

impl<'a> Iterator for Commands<'a> {
    type Item = Command<'a>;

    fn next(&mut self) -> Option<Command<'a>> {
        let count = self.length(b'*')?;
        let args = (0..count).map_while(|_| {
            let length = self.length(b'$')?;
            let (arg, rest) = self.0.split_at_checked(length)?;
            self.0 = rest.strip_prefix(b"\r\n")?;
            Some(arg)
        });
        let args: Vec<_> = args.collect();
        Some(Command::new(args.into_iter()))
    }
}

impl Commands<'_> {
    /// Reads a line that tells how much comes after it.
    fn length(&mut self, kind: u8) -> Option<usize> {
        let line = self.0.strip_prefix(&[kind])?;
        let end = line.iter().position(|byte| *byte == b'\r')?;
        self.0 = line[end..].strip_prefix(b"\r\n")?;
        usize::try_from(number(&line[..end])?).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn commands_are_read_as_they_were_written() {
        let mut pipeline = redis::pipe();
        pipeline.atomic().set("a", "1\r\n$2").get("").cmd("PING");
        let packed = pipeline.get_packed_pipeline();
        let read = Commands(&packed).map(|command| (command.name, command.args));
        let expected: [(_, Vec<&[u8]>); 5] = [
            ("MULTI".to_owned(), vec![]),
            ("SET".to_owned(), vec![b"a", b"1\r\n$2"]),
            ("GET".to_owned(), vec![b""]),
            ("PING".to_owned(), vec![]),
            ("EXEC".to_owned(), vec![]),
        ];
        assert_eq!(read.collect::<Vec<_>>(), expected);
    }

    proptest! {
        #[test]
        fn anything_can_be_read(text in "[*$0-9\r\na]{0,40}") {
            assert!(Commands(text.as_bytes()).count() <= text.len());
        }
    }
}
