//! Connections, standing alone or lent by a pool.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use sqlx_core::connection::{ConnectOptions as _, Connection as _};
use sqlx_core::database::Database;
use sqlx_core::error::Error;
use sqlx_core::pool;

use super::server::Server;

/// A connection to a database whose queries are spans.
///
/// It takes the place of `sqlx::PgConnection` and the like: `&mut connection` is an
/// `sqlx::Executor`. [`PoolConnection`] and [`Transaction`](super::Transaction) dereference to it, so a function that
/// takes `&mut Connection<Postgres>` serves them all.
///
/// For what is not here there is [`AsMut`], whose queries are no spans.
pub struct Connection<DB: Database> {
    pub(super) inner: Inner<DB>,
    pub(super) server: Arc<Server>,
}

/// A connection that goes back to its pool when it is dropped.
///
/// It takes the place of `sqlx::pool::PoolConnection`, and dereferences to a [`Connection`].
pub struct PoolConnection<DB: Database> {
    connection: Connection<DB>,
}

/// Whose the connection is.
pub(super) enum Inner<DB: Database> {
    Own(DB::Connection),
    Pooled(pool::PoolConnection<DB>),
}

impl<DB: Database> Connection<DB> {
    /// Connects to the database at the URL, which is a span `connect`.
    ///
    /// # Errors
    ///
    /// If the URL is none for this database, and those of `sqlx::Connection::connect`.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        let options = url.parse()?;
        Self::connect_with(&options).await
    }

    /// Connects to the database of the options, which is a span `connect`.
    ///
    /// # Errors
    ///
    /// Those of `sqlx::Connection::connect_with`.
    pub async fn connect_with(
        options: &<DB::Connection as sqlx_core::connection::Connection>::Options,
    ) -> Result<Self, Error> {
        let server = Arc::new(Server::of::<DB>(options));
        let inner = server.connecting("connect", options.connect()).await?;
        Ok(Self {
            inner: Inner::Own(inner),
            server,
        })
    }

    /// Whether a transaction has begun and not ended, as far as sqlx knows.
    pub fn is_in_transaction(&self) -> bool {
        self.inner.get().is_in_transaction()
    }

    /// Asks the database whether it is still there. It is no span.
    ///
    /// # Errors
    ///
    /// Those of `sqlx::Connection::ping`.
    pub async fn ping(&mut self) -> Result<(), Error> {
        self.inner.get_mut().ping().await
    }

    /// Closes the connection, and lets the database know.
    ///
    /// # Errors
    ///
    /// Those of `sqlx::Connection::close`.
    pub async fn close(self) -> Result<(), Error> {
        match self.inner {
            Inner::Own(connection) => connection.close().await,
            Inner::Pooled(connection) => connection.close().await,
        }
    }
}

impl<DB: Database> PoolConnection<DB> {
    pub(super) fn new(inner: pool::PoolConnection<DB>, server: Arc<Server>) -> Self {
        Self {
            connection: Connection {
                inner: Inner::Pooled(inner),
                server,
            },
        }
    }

    /// Closes the connection, and lets the database know.
    ///
    /// # Errors
    ///
    /// Those of `sqlx::pool::PoolConnection::close`.
    pub async fn close(self) -> Result<(), Error> {
        self.connection.close().await
    }

    /// Has the connection closed when it is dropped, instead of going back to the pool.
    pub fn close_on_drop(&mut self) {
        if let Inner::Pooled(connection) = &mut self.connection.inner {
            connection.close_on_drop();
        }
    }

    /// Takes the connection out of the pool, which may open another one in its place.
    pub fn detach(self) -> Connection<DB> {
        self.take(pool::PoolConnection::detach)
    }

    /// Takes the connection out of the pool, which has one less from then on.
    pub fn leak(self) -> Connection<DB> {
        self.take(pool::PoolConnection::leak)
    }

    fn take(self, take: impl FnOnce(pool::PoolConnection<DB>) -> DB::Connection) -> Connection<DB> {
        let Connection { inner, server } = self.connection;
        let inner = match inner {
            Inner::Pooled(connection) => Inner::Own(take(connection)),
            own => own,
        };
        Connection { inner, server }
    }
}

impl<DB: Database> Inner<DB> {
    pub(super) fn get(&self) -> &DB::Connection {
        match self {
            Self::Own(connection) => connection,
            Self::Pooled(connection) => connection,
        }
    }

    pub(super) fn get_mut(&mut self) -> &mut DB::Connection {
        match self {
            Self::Own(connection) => connection,
            Self::Pooled(connection) => connection,
        }
    }
}

impl<DB: Database> Deref for PoolConnection<DB> {
    type Target = Connection<DB>;

    fn deref(&self) -> &Connection<DB> {
        &self.connection
    }
}

impl<DB: Database> DerefMut for PoolConnection<DB> {
    fn deref_mut(&mut self) -> &mut Connection<DB> {
        &mut self.connection
    }
}

/// The connection inside.
impl<DB: Database> AsRef<DB::Connection> for Connection<DB> {
    fn as_ref(&self) -> &DB::Connection {
        self.inner.get()
    }
}

/// The connection inside, whose own queries are no spans.
impl<DB: Database> AsMut<DB::Connection> for Connection<DB> {
    fn as_mut(&mut self) -> &mut DB::Connection {
        self.inner.get_mut()
    }
}

impl<DB: Database> fmt::Debug for Connection<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

impl<DB: Database> fmt::Debug for PoolConnection<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolConnection").finish_non_exhaustive()
    }
}
