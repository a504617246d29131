//! Pools of connections.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use sqlx_core::database::Database;
use sqlx_core::error::Error;
use sqlx_core::pool;
use sqlx_core::sql_str::SqlSafeStr;

use super::connection::PoolConnection;
use super::server::Server;
use super::transaction::{Holder, Transaction};

/// A pool of connections whose queries are spans.
///
/// It takes the place of `sqlx::PgPool` and the like: `&pool` is an `sqlx::Executor`. It is made
/// of one, `Pool::from(inner)`, and is as cheap to clone. All that does not lead to a query is
/// that of the pool inside, to which it dereferences.
pub struct Pool<DB: Database> {
    pub(super) inner: pool::Pool<DB>,
    server: Arc<Server>,
}

impl<DB: Database> Pool<DB> {
    /// Waits for a connection, which is a span `pool acquire`.
    ///
    /// # Errors
    ///
    /// Those of `sqlx::Pool::acquire`.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up the place in the queue, and ends the span as `cancelled`.
    pub fn acquire(
        &self,
    ) -> impl Future<Output = Result<PoolConnection<DB>, Error>> + Send + use<DB> {
        let server = Arc::clone(&self.server);
        let inner = self.inner.acquire();
        async move {
            let connection = server.connecting("pool acquire", inner).await?;
            Ok(PoolConnection::new(connection, server))
        }
    }

    /// Takes a connection if one is idle. It is no span.
    pub fn try_acquire(&self) -> Option<PoolConnection<DB>> {
        let connection = self.inner.try_acquire()?;
        Some(PoolConnection::new(connection, Arc::clone(&self.server)))
    }

    /// Waits for a connection and begins a transaction, which are two spans.
    ///
    /// # Errors
    ///
    /// Those of `sqlx::Pool::begin`.
    pub async fn begin(&self) -> Result<Transaction<'static, DB>, Error> {
        Transaction::begin(Holder::Pooled(self.acquire().await?), None).await
    }

    /// Waits for a connection and begins a transaction with a statement of your own.
    ///
    /// # Errors
    ///
    /// Those of `sqlx::Pool::begin_with`.
    pub async fn begin_with(
        &self,
        statement: impl SqlSafeStr,
    ) -> Result<Transaction<'static, DB>, Error> {
        let statement = statement.into_sql_str();
        Transaction::begin(Holder::Pooled(self.acquire().await?), Some(statement)).await
    }

    /// Begins a transaction if a connection is idle.
    ///
    /// # Errors
    ///
    /// Those of `sqlx::Pool::try_begin`.
    pub async fn try_begin(&self) -> Result<Option<Transaction<'static, DB>>, Error> {
        match self.try_acquire() {
            Some(connection) => {
                let begun = Transaction::begin(Holder::Pooled(connection), None);
                begun.await.map(Some)
            }
            None => Ok(None),
        }
    }

    /// Begins a transaction with a statement of your own if a connection is idle.
    ///
    /// # Errors
    ///
    /// Those of `sqlx::Pool::try_begin_with`.
    pub async fn try_begin_with(
        &self,
        statement: impl SqlSafeStr,
    ) -> Result<Option<Transaction<'static, DB>>, Error> {
        match self.try_acquire() {
            Some(connection) => {
                let statement = statement.into_sql_str();
                let begun = Transaction::begin(Holder::Pooled(connection), Some(statement));
                begun.await.map(Some)
            }
            None => Ok(None),
        }
    }
}

/// Where the database is, is taken from the options that the pool has now.
impl<DB: Database> From<pool::Pool<DB>> for Pool<DB> {
    fn from(inner: pool::Pool<DB>) -> Self {
        let server = Arc::new(Server::of::<DB>(&inner.connect_options()));
        Self { inner, server }
    }
}

/// The pool inside, whose own queries are no spans.
impl<DB: Database> Deref for Pool<DB> {
    type Target = pool::Pool<DB>;

    fn deref(&self) -> &pool::Pool<DB> {
        &self.inner
    }
}

impl<DB: Database> Clone for Pool<DB> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            server: Arc::clone(&self.server),
        }
    }
}

impl<DB: Database> fmt::Debug for Pool<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
