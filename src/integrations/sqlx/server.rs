//! What is known of the database that a connection leads to.

use std::fmt::Debug;

use sqlx_core::connection::{ConnectOptions, Connection};
use sqlx_core::database::Database;
use url::Url;

use crate::integrations::sql::Dialect;
use crate::propagation::without_brackets;
use crate::span::Span;

/// The database that a connection leads to, as spans tell of it.
#[derive(Debug, PartialEq)]
pub(super) struct Server {
    system: &'static str,
    pub(super) dialect: Dialect,
    namespace: Option<String>,
    /// The host, or the path of a socket.
    address: Option<String>,
    port: Option<u16>,
}

impl Server {
    pub(super) fn of<DB: Database>(options: &<DB::Connection as Connection>::Options) -> Self {
        match DB::NAME {
            "PostgreSQL" => Self::from_fields("postgresql", Dialect::PostgreSql, options),
            "MySQL" => Self::from_fields("mysql", Dialect::MySql, options),
            "SQLite" => Self::from_file(options),
            "Any" => Self::from_url(&options.to_url_lossy()),
            _ => Self::new("other_sql", Dialect::Other),
        }
    }

    /// Says it on the span of a call.
    pub(super) fn note(&self, span: &Span) {
        span.set_data("db.system.name", self.system);
        if let Some(namespace) = &self.namespace {
            span.set_data("db.namespace", namespace);
        }
        if let Some(address) = &self.address {
            span.set_data("server.address", address);
        }
        if let Some(port) = self.port {
            span.set_data("server.port", port);
        }
    }

    fn new(system: &'static str, dialect: Dialect) -> Self {
        Self {
            system,
            dialect,
            namespace: None,
            address: None,
            port: None,
        }
    }

    /// Of options in general only `Debug` tells it all: URLs can be made of some of them, and it
    /// panics for others, such as those for sockets and for memory.
    fn from_fields(system: &'static str, dialect: Dialect, options: &impl Debug) -> Self {
        let options = format!("{options:?}");
        let host = text(&options, "host: \"");
        let socket = text(&options, ", socket: Some(\"");
        let socket = socket.or(host.filter(|host| host.starts_with('/')));
        let port = options.split_once(", port: ").map(|(_, rest)| rest);
        let port = port.and_then(|rest| rest.split(',').next()?.parse().ok());
        Self {
            namespace: text(&options, ", database: Some(\"").map(str::to_owned),
            address: socket.or(host.map(without_brackets)).map(str::to_owned),
            port: port.filter(|_| socket.is_none()),
            ..Self::new(system, dialect)
        }
    }

    fn from_file(options: &impl Debug) -> Self {
        let options = format!("{options:?}");
        let namespace = match options.contains(", in_memory: true") {
            true => Some(":memory:"),
            false => text(&options, "filename: \"").map(file_name),
        };
        Self {
            namespace: namespace.map(str::to_owned),
            ..Self::new("sqlite", Dialect::Sqlite)
        }
    }

    fn from_url(url: &Url) -> Self {
        let path = url.path().trim_start_matches('/');
        let (system, dialect) = match url.scheme() {
            "postgres" | "postgresql" => ("postgresql", Dialect::PostgreSql),
            "mysql" | "mariadb" => ("mysql", Dialect::MySql),
            "sqlite" => {
                let in_memory = url.as_str().contains(":memory:");
                let file = Some(file_name(path)).filter(|file| !file.is_empty());
                let namespace = if in_memory {
                    Some(":memory:")
                } else {
                    file.or(url.host_str())
                };
                return Self {
                    namespace: namespace.map(str::to_owned),
                    ..Self::new("sqlite", Dialect::Sqlite)
                };
            }
            _ => return Self::new("other_sql", Dialect::Other),
        };
        Self {
            namespace: Some(path)
                .filter(|path| !path.is_empty())
                .map(str::to_owned),
            address: url.host_str().map(without_brackets).map(str::to_owned),
            port: url.port(),
            ..Self::new(system, dialect)
        }
    }
}

/// The text that begins behind `before`, if it is there as it is, without escapes.
///
/// What `Debug` writes of other texts can't be taken for it: quotes in them are escaped.
fn text<'a>(options: &'a str, before: &str) -> Option<&'a str> {
    let (_, rest) = options.split_once(before)?;
    let (text, _) = rest.split_once('"')?;
    (!text.is_empty() && !text.contains('\\')).then_some(text)
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(server: &Server) -> String {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let (namespace, address) = (text(&server.namespace), text(&server.address));
        format!(
            "{} {namespace} {address} {}",
            server.system,
            server.port.unwrap_or_default()
        )
    }

    #[test]
    fn urls_of_any_database_are_read() {
        let table = [
            (
                "postgres://me:secret@db.example:5433/shop?a=b",
                "postgresql shop db.example 5433",
            ),
            ("mysql://me:secret@db.example", "mysql  db.example 0"),
            ("postgres://[::1]:5433/shop", "postgresql shop ::1 5433"),
            (
                "mariadb://db.example:3307/shop",
                "mysql shop db.example 3307",
            ),
            ("sqlite:///home/me/shop.db", "sqlite shop.db  0"),
            ("sqlite:shop.db?mode=rwc", "sqlite shop.db  0"),
            ("sqlite://shop.db", "sqlite shop.db  0"),
            ("sqlite::memory:", "sqlite :memory:  0"),
            ("mssql://me:secret@db.example", "other_sql   0"),
        ];
        for (url, expected) in table {
            let server = Server::from_url(&url.parse().unwrap());
            assert_eq!(told(&server), expected, "{url}");
        }
    }
}
