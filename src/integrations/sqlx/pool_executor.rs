//! Queries on whichever connection of a pool.
//!
//! Where they are recorded, to wait for the connection and to run the query are two calls.

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use sqlx_core::Either;
use sqlx_core::database::Database;
use sqlx_core::describe::Describe;
use sqlx_core::error::Error;
use sqlx_core::executor::{Execute, Executor};
use sqlx_core::sql_str::SqlStr;

use super::pool::Pool;
use super::query::Query;
use super::relay::relay;
use crate::span::is_recording;

/// Acquires a connection for a future, if anything is recorded.
macro_rules! acquired {
    ($pool:ident.$method:ident($query:ident $(, $more:ident)?) => $taken:expr) => {{
        if !is_recording() {
            return $pool.inner.$method($query $(, $more)?);
        }
        let (acquiring, query) = ($pool.acquire(), $taken);
        Box::pin(async move {
            let mut connection = acquiring.await?;
            connection.$method(query $(, $more)?).await
        })
    }};
}

/// Acquires a connection for a stream, if anything is recorded.
macro_rules! acquired_stream {
    ($pool:ident.$method:ident($query:ident)) => {{
        if !is_recording() {
            return $pool.inner.$method($query);
        }
        let (acquiring, query) = ($pool.acquire(), Query::take($query));
        relay(async move |items| {
            let mut connection = acquiring.await?;
            items.all_of(connection.$method(query)).await
        })
    }};
}

impl<'p, DB: Database> Executor<'p> for &'_ Pool<DB>
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    type Database = DB;

    fn execute<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<DB::QueryResult, Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, DB>,
    {
        acquired!(self.execute(query) => Query::take(query))
    }

    fn execute_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<DB::QueryResult, Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, DB>,
    {
        acquired_stream!(self.execute_many(query))
    }

    fn fetch<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<DB::Row, Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, DB>,
    {
        acquired_stream!(self.fetch(query))
    }

    fn fetch_many<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxStream<'e, Result<Either<DB::QueryResult, DB::Row>, Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, DB>,
    {
        acquired_stream!(self.fetch_many(query))
    }

    fn fetch_all<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Vec<DB::Row>, Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, DB>,
    {
        acquired!(self.fetch_all(query) => Query::take(query))
    }

    fn fetch_one<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<DB::Row, Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, DB>,
    {
        acquired!(self.fetch_one(query) => Query::take(query))
    }

    fn fetch_optional<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxFuture<'e, Result<Option<DB::Row>, Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, DB>,
    {
        acquired!(self.fetch_optional(query) => Query::take(query))
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [DB::TypeInfo],
    ) -> BoxFuture<'e, Result<DB::Statement, Error>>
    where
        'p: 'e,
    {
        acquired!(self.prepare_with(sql, parameters) => sql)
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<DB>, Error>>
    where
        'p: 'e,
    {
        acquired!(self.describe(sql) => sql)
    }
}
