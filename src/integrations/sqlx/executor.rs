//! Queries on a connection.

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use sqlx_core::Either;
use sqlx_core::describe::Describe;
use sqlx_core::error::Error;
use sqlx_core::executor::{Execute, Executor};
use sqlx_core::sql_str::SqlStr;

use super::connection::Connection;
use super::driver::Driver;
use super::query::{Query, Told};
use crate::span::is_recording;

/// Has the connection inside do it, as a call if anything is recorded.
macro_rules! in_call {
    ($connection:ident.$method:ident($query:ident).$call:ident($($rows:tt)*)) => {{
        if !is_recording() {
            return DB::executor($connection.inner.get_mut()).$method($query);
        }
        let query = Query::take($query);
        let told = Told::query(&$connection.server, query.text());
        told.$call(DB::executor($connection.inner.get_mut()).$method(query), $($rows)*)
    }};
}

impl<'c, DB: Driver> Executor<'c> for &'c mut Connection<DB> {
    type Database = DB;

    fn execute<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<DB::QueryResult, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, DB>,
    {
        in_call!(self.execute(query).future(|_| None))
    }

    fn execute_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<DB::QueryResult, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, DB>,
    {
        in_call!(self.execute_many(query).stream(None))
    }

    fn fetch<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<DB::Row, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, DB>,
    {
        in_call!(self.fetch(query).stream(Some(|_| true)))
    }

    fn fetch_many<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxStream<'e, Result<Either<DB::QueryResult, DB::Row>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, DB>,
    {
        in_call!(self.fetch_many(query).stream(Some(Either::is_right)))
    }

    fn fetch_all<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Vec<DB::Row>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, DB>,
    {
        in_call!(self.fetch_all(query).future(|rows| Some(rows.len())))
    }

    fn fetch_one<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<DB::Row, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, DB>,
    {
        in_call!(self.fetch_one(query).future(|_| Some(1)))
    }

    fn fetch_optional<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxFuture<'e, Result<Option<DB::Row>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, DB>,
    {
        in_call!(
            self.fetch_optional(query)
                .future(|row| Some(row.iter().count()))
        )
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [DB::TypeInfo],
    ) -> BoxFuture<'e, Result<DB::Statement, Error>>
    where
        'c: 'e,
    {
        if !is_recording() {
            return DB::executor(self.inner.get_mut()).prepare_with(sql, parameters);
        }
        let told = Told::question(&self.server, sql.as_str(), "PREPARE");
        let prepared = DB::executor(self.inner.get_mut()).prepare_with(sql, parameters);
        told.future(prepared, |_| None)
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<DB>, Error>>
    where
        'c: 'e,
    {
        if !is_recording() {
            return DB::executor(self.inner.get_mut()).describe(sql);
        }
        let told = Told::question(&self.server, sql.as_str(), "DESCRIBE");
        told.future(DB::executor(self.inner.get_mut()).describe(sql), |_| None)
    }
}
