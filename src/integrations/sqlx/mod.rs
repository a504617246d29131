//! The connections of [sqlx](https://docs.rs/sqlx): queries as spans.
//!
//! sqlx has no place where a layer sees every query, so [`Pool`] takes the place of `sqlx::PgPool`,
//! `sqlx::MySqlPool`, `sqlx::SqlitePool` and any other `sqlx::Pool`. All else stays as it is:
//! queries are sqlx's own, macros included, and so are rows and errors. It needs Rust 1.94, as sqlx
//! does.
//!
#![cfg_attr(not(doctest), doc = include_str!("../examples/sqlx.md"))]
//!
//! # What is recorded
//!
//! | Span | What for |
//! |---|---|
//! | `db.query` | a query, until its last row has been read |
//! | `db.sql.transaction` | `BEGIN`, `COMMIT` and `ROLLBACK`, or what they are for savepoints |
//! | `db.connection` | `pool acquire`, the wait for a connection, and `connect` |
//! | `db` | a statement that is prepared or described and not run |
//!
//! A query on the pool is two spans, as it waits for a connection first. Who has many of them and
//! sees no such waits may leave those out:
//! [`Options::ignore_spans`](crate::Options::ignore_spans) with the op `db.connection`.
//!
//! The description of a query is its text without the values in it: those that are bound are never
//! looked at, those in the text are a `?`, and comments are left out. Where a value ends is up to
//! the settings of the server if there is a backslash before its quote, so the text is cut there.
//! What is in double quotes is a value in MySQL, and a name in the others: SQLite takes it for a
//! value too if there is no such name, and the standard does not. Texts are cut to 4,096 bytes.
//!
//! Spans say `db.system.name`, `db.namespace`, `server.address` and `server.port`; those of queries
//! `db.operation.name`, `db.collection.name` and `db.query.summary`, of the first statement and the
//! first table in it, and `db.response.returned_rows`. How many rows a statement has changed is not
//! told, as sqlx does not say it of databases in general. MariaDB is `mysql`, as it is to sqlx.
//!
//! Slow calls say where in the program they were made: see
//! [`Options::call_site_threshold`](crate::Options::call_site_threshold).
//!
//! # How spans end
//!
//! | Status | Why |
//! |---|---|
//! | `ok` | the database did what it was asked to; that there is no row is an answer too |
//! | `cancelled` | the future or the stream was dropped before its end |
//! | `already_exists` | a unique violation |
//! | `failed_precondition` | a violation of a foreign key or an exclusion |
//! | `invalid_argument` | a violation of `NOT NULL` or `CHECK`, or a value that can't be bound |
//! | `deadline_exceeded` | no connection in the pool in time, or a query was stopped (57014, 70100) |
//! | `aborted` | a deadlock or another transaction in the way (class 40), or `ROLLBACK` by a drop |
//! | `unavailable` | no connection, or lost (I/O, TLS, class 08, 57P), or a SQLite file in use |
//! | `unauthenticated`, `permission_denied` | class 28, and 42501 |
//! | `resource_exhausted` | class 53 |
//! | `internal_error` | any other error, or a panic |
//!
//! The code of the database is `db.response.status_code`: the SQLSTATE, or SQLite's number.
//!
//! # How spans follow the work
//!
//! A query is below the span that is current when it is first polled. A stream is inside of its
//! span only while it is polled, so what is done between two rows stands beside it. Where nothing
//! is recorded sqlx's own future or stream is returned, and costs what it costs there. That is
//! decided where `execute`, `fetch` and the like are called: a stream that is made outside of a
//! transaction is not recorded inside of one.
//!
//! # What is not seen
//!
//! * What runs on the pool inside, which `&*pool` is. Functions that take an `&sqlx::PgPool` get
//!   that one if they are given a `&pool`, so their types are the ones to change. `sqlx::migrate!`
//!   runs there as well: `migrator.run(&*pool)`.
//! * What runs on the connection inside, which [`AsMut`] gives: `COPY`, `PgListener` and what else
//!   is special to a database. `sqlx::Acquire` is not implemented, as by its types it gives
//!   connections and transactions of sqlx's own. Take a `&mut Connection<DB>` instead, which the
//!   pool's connections and transactions dereference to.
//! * Queries of sqlx itself: when a connection is set up, tested or given back, and the rollback of
//!   a [`Transaction`] that is dropped.

mod calls;
mod connection;
mod driver;
mod executor;
mod pool;
mod pool_executor;
mod query;
mod relay;
mod server;
mod status;
mod transaction;

pub use self::connection::{Connection, PoolConnection};
pub use self::driver::Driver;
pub use self::pool::Pool;
pub use self::transaction::Transaction;
