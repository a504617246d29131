//! The connections of [redis](https://docs.rs/redis): commands as spans.
//!
//! redis has no place where a layer sees every command, so a [`Connection`] goes around one of its
//! own: `MultiplexedConnection`, `ConnectionManager`, what a pool hands out, or the blocking
//! `redis::Connection`. It implements the same trait as the one inside, so commands are written as
//! before.
//!
//! ```
//! use redis::AsyncCommands;
//! use taskspan::redis::Connection;
//! # use taskspan::{Instrument, Options};
//! # use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> redis::RedisResult<()> {
//! # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! # let url = format!("redis://{}", listener.local_addr()?);
//! # tokio::spawn(async move {
//! #     // A server that is content with everything.
//! #     let (mut stream, _) = listener.accept().await.unwrap();
//! #     let mut bytes = [0; 1024];
//! #     while let Ok(length @ 1..) = stream.read(&mut bytes).await {
//! #         let commands = bytes[..length].iter().filter(|byte| **byte == b'*').count();
//! #         stream.write_all("+OK\r\n".repeat(commands).as_bytes()).await.unwrap();
//! #     }
//! # });
//! # let (client, sent) = taskspan::test::client(Options::default().traces_sample_rate(1.0));
//! # async {
//! let client = redis::Client::open(url)?;
//! let mut redis = Connection::new(client.get_multiplexed_async_connection().await?);
//! redis.set::<_, _, ()>("session:7", "a secret").await?;
//! # Ok::<_, redis::RedisError>(())
//! # }.in_transaction("task", "import").with_client(&client).await?;
//! # assert_eq!(sent.tree(), "task import (ok)\n  db.redis SET session:7 ? (ok)\n");
//! # Ok(())
//! # }
//! ```
//!
//! With a pool, each connection that comes out of it is wrapped. A [`ConnectionLayer`] does that,
//! and knows which keys are those of a cache:
//!
#![cfg_attr(not(doctest), doc = include_str!("../examples/redis_pool.md"))]
//!
//! # Spans
//!
//! A command is a `db.redis`, described by its name and its keys; all else of it is a `?`, and
//! commands that are not known to have keys are told by their names alone. Values, passwords and
//! scripts are never told. Keys always are, so they are no place for secrets: of long ones the first
//! 200 characters, and of many the first 20.
//!
//! A pipeline is one span, whatever is in it, with the first 10 of its commands. So is a transaction
//! (`atomic`), between `MULTI` and `EXEC`. One that is written by hand is a span for each command.
//! A script is a span for `EVALSHA`, and the first time those for loading it as well.
//!
//! Spans end with the reply: as `internal_error` if that is an error, also if it is that of one
//! command of a pipeline; as `unauthenticated`, `permission_denied`, `not_found` (a script),
//! `resource_exhausted` (memory) or `unavailable` where the server's error code says it; as
//! `aborted` if a transaction did not come to be because of `WATCH`; as `deadline_exceeded` after
//! the connection's timeout; as `unavailable` if the connection is lost; and as `cancelled` if the
//! future is dropped.
//!
//! Slow commands say where in the program they were made: see
//! [`Options::call_site_threshold`](crate::Options::call_site_threshold).
//!
//! # Caches
//!
//! Where all keys of a command are those of a [cache](ConnectionLayer::cache_prefixes), it is
//! described by them, and its span has another `op`:
//!
//! | `op` | Commands |
//! |---|---|
//! | `cache.get` | `GET`, `GETEX`, `MGET`, `HGET`, `HMGET`, `HGETALL` |
//! | `cache.put` | `SET`, `SETEX`, `PSETEX`, `SETNX`, `GETSET`, `MSET`, `MSETNX`, `HSET`, `HSETNX`, `HMSET` |
//! | `cache.remove` | `DEL`, `UNLINK`, `GETDEL`, `HDEL` |
//! | `cache.flush` | `FLUSHDB`, `FLUSHALL`, if there are any prefixes |
//!
//! A `cache.get` is a hit if all that was asked for was there. The size is that of the values that
//! were read by a hit, or written. Commands of pipelines remain part of their `db.redis`.
//!
//! # What is not seen
//!
//! * Connecting, and what pools and connections send by themselves.
//! * Subscriptions and what they bring, and whatever else is done with the connection inside.
//! * The time at which a multiplexed connection sends a command: its span begins when the command
//!   is handed over, and so includes waiting for others.

mod blocking;
mod cache;
mod call;
mod command;
mod connection;
mod keys;
mod settings;
mod status;

pub use self::connection::Connection;
pub use self::settings::ConnectionLayer;
