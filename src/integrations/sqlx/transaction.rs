//! Transactions of databases, and savepoints in them.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::{fmt, mem};

use futures_util::future::BoxFuture;
use sqlx_core::database::Database;
use sqlx_core::error::Error;
use sqlx_core::sql_str::{SqlSafeStr, SqlStr};
use sqlx_core::transaction::TransactionManager;

use super::calls::Words;
use super::connection::{Connection, PoolConnection};
use super::server::Server;
use crate::protocol::SpanStatus;

/// A transaction that has begun, or a savepoint, whose queries are spans.
///
/// It takes the place of `sqlx::Transaction`, and dereferences to a [`Connection`], on which
/// queries run: `query.execute(&mut *transaction)`. Its begin, commit and rollback are spans too.
///
/// Dropped without either of these two it is rolled back, as soon as the connection is used again
/// or goes back to its pool. The span `ROLLBACK` has no length then and ends as `aborted`: it is
/// the moment in which the transaction was given up, and what the database does later is not seen.
pub struct Transaction<'c, DB: Database> {
    connection: Holder<'c, DB>,
    stage: Stage,
    /// Whether it is a savepoint.
    nested: bool,
}

/// Whose the connection is.
pub(super) enum Holder<'c, DB: Database> {
    Borrowed(&'c mut Connection<DB>),
    Pooled(PoolConnection<DB>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It is not known whether it has begun.
    Beginning,
    Open,
    Ended,
}

impl<DB: Database> Connection<DB> {
    /// Begins a transaction, or sets a savepoint in the current one.
    ///
    /// # Errors
    ///
    /// Those of `sqlx::Connection::begin`.
    pub async fn begin(&mut self) -> Result<Transaction<'_, DB>, Error> {
        Transaction::begin(Holder::Borrowed(self), None).await
    }

    /// Begins a transaction with a statement of your own, such as `BEGIN IMMEDIATE`.
    ///
    /// # Errors
    ///
    /// Those of `sqlx::Connection::begin_with`: there must be no transaction already.
    pub async fn begin_with(
        &mut self,
        statement: impl SqlSafeStr,
    ) -> Result<Transaction<'_, DB>, Error> {
        let statement = statement.into_sql_str();
        Transaction::begin(Holder::Borrowed(self), Some(statement)).await
    }

    /// Calls `work` in a transaction, which is committed if it succeeds and rolled back otherwise.
    ///
    /// # Errors
    ///
    /// That of `work`, and those of beginning and ending the transaction.
    pub async fn transaction<F, R, E>(&mut self, work: F) -> Result<R, E>
    where
        for<'t> F: FnOnce(&'t mut Transaction<'_, DB>) -> BoxFuture<'t, Result<R, E>>,
        E: From<Error>,
    {
        let mut transaction = self.begin().await?;
        let result = work(&mut transaction).await;
        match result {
            Ok(_) => transaction.commit().await?,
            Err(_) => transaction.rollback().await?,
        }
        result
    }
}

impl<'c, DB: Database> Transaction<'c, DB> {
    pub(super) async fn begin(
        connection: Holder<'c, DB>,
        statement: Option<SqlStr>,
    ) -> Result<Self, Error> {
        let mut transaction = Self {
            nested: connection.is_in_transaction(),
            connection,
            // Rolled back if this is dropped meanwhile.
            stage: Stage::Beginning,
        };
        let words = match transaction.nested {
            true => Words::same("SAVEPOINT"),
            false => Words {
                operation: "BEGIN",
                statement: statement.clone(),
            },
        };
        let (server, connection) = transaction.parts();
        let begun = DB::TransactionManager::begin(connection, statement);
        server.in_transaction(&words, begun).await?;
        transaction.stage = Stage::Open;
        Ok(transaction)
    }

    /// Commits the transaction, or gives up the savepoint and keeps what was done since.
    ///
    /// # Errors
    ///
    /// Those of `sqlx::Transaction::commit`. The transaction is rolled back then.
    pub async fn commit(mut self) -> Result<(), Error> {
        let operation = if self.nested {
            "RELEASE SAVEPOINT"
        } else {
            "COMMIT"
        };
        let (server, connection) = self.parts();
        let committed = DB::TransactionManager::commit(connection);
        server
            .in_transaction(&Words::same(operation), committed)
            .await?;
        self.stage = Stage::Ended;
        Ok(())
    }

    /// Rolls the transaction back, or what was done since the savepoint.
    ///
    /// # Errors
    ///
    /// Those of `sqlx::Transaction::rollback`.
    pub async fn rollback(mut self) -> Result<(), Error> {
        let words = self.rollback_words();
        let (server, connection) = self.parts();
        let rolled_back = DB::TransactionManager::rollback(connection);
        server.in_transaction(&words, rolled_back).await?;
        self.stage = Stage::Ended;
        Ok(())
    }

    fn rollback_words(&self) -> Words {
        Words::same(if self.nested {
            "ROLLBACK TO SAVEPOINT"
        } else {
            "ROLLBACK"
        })
    }

    fn parts(&mut self) -> (Arc<Server>, &mut DB::Connection) {
        let connection: &mut Connection<DB> = &mut self.connection;
        (Arc::clone(&connection.server), connection.inner.get_mut())
    }
}

impl<DB: Database> Drop for Transaction<'_, DB> {
    fn drop(&mut self) {
        let stage = mem::replace(&mut self.stage, Stage::Ended);
        if stage == Stage::Ended {
            return;
        }
        let words = self.rollback_words();
        let (server, connection) = self.parts();
        DB::TransactionManager::start_rollback(connection);
        if stage == Stage::Open
            && let Some(span) = server.begin_transaction(&words)
        {
            span.finish_as(SpanStatus::Aborted);
        }
    }
}

impl<DB: Database> Deref for Transaction<'_, DB> {
    type Target = Connection<DB>;

    fn deref(&self) -> &Connection<DB> {
        &self.connection
    }
}

impl<DB: Database> DerefMut for Transaction<'_, DB> {
    fn deref_mut(&mut self) -> &mut Connection<DB> {
        &mut self.connection
    }
}

impl<DB: Database> Deref for Holder<'_, DB> {
    type Target = Connection<DB>;

    fn deref(&self) -> &Connection<DB> {
        match self {
            Self::Borrowed(connection) => connection,
            Self::Pooled(connection) => connection,
        }
    }
}

impl<DB: Database> DerefMut for Holder<'_, DB> {
    fn deref_mut(&mut self) -> &mut Connection<DB> {
        match self {
            Self::Borrowed(connection) => connection,
            Self::Pooled(connection) => connection,
        }
    }
}

impl<DB: Database> fmt::Debug for Transaction<'_, DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").finish_non_exhaustive()
    }
}
