//! A query on its way to a connection, and what is told of it.

use std::sync::Arc;

use futures_util::future::{BoxFuture, Either, FutureExt};
use futures_util::stream::{BoxStream, StreamExt};
use sqlx_core::database::Database;
use sqlx_core::error::{BoxDynError, Error};
use sqlx_core::executor::Execute;
use sqlx_core::sql_str::SqlStr;

use super::server::Server;
use super::status::end_call;
use crate::integrations::call::{InCall, ReadItems, StreamInCall, begin};
use crate::integrations::sql::Statement;
use crate::protocol::SpanStatus;
use crate::span::{PolledSpan, Span};

/// A query that was taken apart, as its text is told only to those who take it all.
pub(super) struct Query<DB: Database> {
    statement: Option<DB::Statement>,
    arguments: Option<Result<Option<DB::Arguments>, BoxDynError>>,
    persistent: bool,
    sql: SqlStr,
}

/// What the span of a query says before it is run.
pub(super) struct Told {
    server: Arc<Server>,
    statement: Statement,
    op: &'static str,
    /// What is done with the statement, if it is not run.
    instead: Option<&'static str>,
}

impl<DB: Database> Query<DB> {
    pub(super) fn take<'q>(mut query: impl Execute<'q, DB>) -> Self {
        Self {
            statement: query.statement().cloned(),
            arguments: Some(query.take_arguments()),
            persistent: query.persistent(),
            sql: query.sql(),
        }
    }

    pub(super) fn text(&self) -> &str {
        self.sql.as_str()
    }
}

impl<DB: Database> Execute<'_, DB> for Query<DB> {
    fn sql(self) -> SqlStr {
        self.sql
    }

    fn statement(&self) -> Option<&DB::Statement> {
        self.statement.as_ref()
    }

    fn take_arguments(&mut self) -> Result<Option<DB::Arguments>, BoxDynError> {
        self.arguments.take().unwrap_or(Ok(None))
    }

    fn persistent(&self) -> bool {
        self.persistent
    }
}

impl Told {
    /// Of a statement that is run.
    pub(super) fn query(server: &Arc<Server>, sql: &str) -> Self {
        Self {
            statement: Statement::new(sql, server.dialect),
            server: Arc::clone(server),
            op: "db.query",
            instead: None,
        }
    }

    /// Of a statement that the database is asked about.
    pub(super) fn question(server: &Arc<Server>, sql: &str, operation: &'static str) -> Self {
        Self {
            op: "db",
            instead: Some(operation),
            ..Self::query(server, sql)
        }
    }

    /// Has a future be the call, from its first poll on.
    pub(super) fn future<'e, T: 'e>(
        self,
        inner: BoxFuture<'e, Result<T, Error>>,
        rows: fn(&T) -> Option<usize>,
    ) -> BoxFuture<'e, Result<T, Error>> {
        let call = async move {
            let Some(span) = self.begin() else {
                return inner.await;
            };
            let end = |span: &Span, result: &Result<T, Error>| {
                let rows = match result {
                    Ok(output) => rows(output),
                    Err(Error::RowNotFound) => Some(0),
                    Err(_) => None,
                };
                if let Some(rows) = rows {
                    span.set_data(RETURNED_ROWS, rows);
                }
                end_call(span, result)
            };
            InCall::new(span, inner, end).await
        };
        call.boxed()
    }

    /// Has a stream be the call, from its first poll on.
    pub(super) fn stream<'e, T: 'e>(
        self,
        inner: BoxStream<'e, Result<T, Error>>,
        is_row: Option<fn(&T) -> bool>,
    ) -> BoxStream<'e, Result<T, Error>> {
        let call = async move {
            match self.begin() {
                Some(span) => {
                    Either::Left(StreamInCall::new(span, inner, Rows { is_row, rows: 0 }))
                }
                None => Either::Right(inner),
            }
        };
        call.flatten_stream().boxed()
    }

    fn begin(self) -> Option<PolledSpan> {
        let summary = self.statement.summary();
        let Statement {
            text,
            operation,
            collection,
        } = self.statement;
        let span = begin(self.op, ORIGIN, || text.into())?.located();
        self.server.note(&span);
        match (self.instead, operation) {
            (Some(operation), _) => span.set_data(OPERATION, operation),
            (None, Some(operation)) => span.set_data(OPERATION, operation),
            (None, None) => {}
        }
        if let Some(collection) = collection {
            span.set_data("db.collection.name", collection);
        }
        if let Some(summary) = summary {
            span.set_data("db.query.summary", summary);
        }
        Some(span)
    }
}

/// Counts the rows among what a stream gives.
struct Rows<T> {
    /// `None` where nobody would see any.
    is_row: Option<fn(&T) -> bool>,
    rows: u64,
}

impl<T> ReadItems<Result<T, Error>> for Rows<T> {
    fn read(&mut self, span: &Span, item: &Result<T, Error>) -> Option<SpanStatus> {
        match item {
            Ok(item) => {
                self.rows += u64::from(self.is_row.is_some_and(|is_row| is_row(item)));
                None
            }
            Err(_) => Some(end_call(span, item)),
        }
    }

    fn tell(self, span: &Span) {
        if self.is_row.is_some() {
            span.set_data(RETURNED_ROWS, self.rows);
        }
    }
}

pub(super) const ORIGIN: &str = "auto.db.sqlx";
pub(super) const OPERATION: &str = "db.operation.name";
const RETURNED_ROWS: &str = "db.response.returned_rows";
