//! Databases whose connections run queries.

use sqlx_core::database::Database;
use sqlx_core::executor::Executor;

/// A database whose connections run queries, as those of all drivers do.
///
/// It stands for `for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>`, and every database
/// of which that holds has it. Generic code that asks for the one has the other.
pub trait Driver: Database {
    /// The connection as what runs queries.
    ///
    /// Were it asked for itself where [`Connection`](super::Connection) is an `Executor`, the
    /// compiler would ask whether the connection inside is one of those, and so on without an end,
    /// in all code that leaves it to find out the database.
    #[doc(hidden)]
    fn executor<'c>(
        connection: &'c mut Self::Connection,
    ) -> impl Executor<'c, Database = Self> + use<'c, Self>;
}

impl<DB: Database> Driver for DB
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    fn executor<'c>(
        connection: &'c mut DB::Connection,
    ) -> impl Executor<'c, Database = DB> + use<'c, DB> {
        connection
    }
}
