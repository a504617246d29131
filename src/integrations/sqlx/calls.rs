//! Calls that are no queries: those that make connections, and those around transactions.

use std::borrow::Cow;

use sqlx_core::error::Error;
use sqlx_core::sql_str::SqlStr;

use super::query::{OPERATION, ORIGIN};
use super::server::Server;
use super::status::end_call;
use crate::integrations::call::{InCall, begin};
use crate::integrations::sql::Statement;
use crate::span::PolledSpan;

/// How the begin or the end of a transaction is recorded.
pub(super) struct Words {
    pub(super) operation: &'static str,
    /// The statement, if it is not the operation itself.
    pub(super) statement: Option<SqlStr>,
}

impl Words {
    /// The statement is the operation itself.
    pub(super) fn same(operation: &'static str) -> Self {
        Self {
            operation,
            statement: None,
        }
    }
}

impl Server {
    /// Waits for a connection, in a span.
    pub(super) async fn connecting<T>(
        &self,
        description: &'static str,
        connecting: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        match begin("db.connection", ORIGIN, || description.into()) {
            Some(span) => {
                self.note(&span);
                InCall::new(span.located(), connecting, end_call).await
            }
            None => connecting.await,
        }
    }

    /// Waits for the begin or the end of a transaction, in a span.
    pub(super) async fn in_transaction(
        &self,
        words: &Words,
        work: impl Future<Output = Result<(), Error>>,
    ) -> Result<(), Error> {
        match self.begin_transaction(words) {
            Some(span) => InCall::new(span.located(), work, end_call).await,
            None => work.await,
        }
    }

    /// Starts the span of a begin or an end of a transaction.
    pub(super) fn begin_transaction(&self, words: &Words) -> Option<PolledSpan> {
        let description = || match &words.statement {
            Some(sql) => Cow::Owned(Statement::new(sql.as_str(), self.dialect).text),
            None => Cow::Borrowed(words.operation),
        };
        let span = begin("db.sql.transaction", ORIGIN, description)?;
        self.note(&span);
        span.set_data(OPERATION, words.operation);
        Some(span)
    }
}
