//! What is removed from data that a program has not set itself.
//!
//! One place decides which names hold secrets ([`is_secret`]) and which headers identify people
//! ([`is_personal`]), and one place finds them in each shape: URLs ([`url`](fn@url)), queries and
//! forms ([`query`]), JSON ([`json`](fn@json)), headers, cookies, and any other text
//! ([`text`](fn@text)). The rules are those of Sentry's data scrubbing. Data that a program sets
//! itself is never changed.

#[cfg(any(feature = "process", test))]
mod arguments;
#[cfg(any(feature = "tracing", test))]
mod field;
#[cfg(any(feature = "axum", test))]
mod json;
mod method;
mod name;
mod query;
mod request;
#[cfg(test)]
mod table;
mod text;
mod url;

#[cfg(any(feature = "process", test))]
pub(crate) use self::arguments::arguments;
#[cfg(any(feature = "tracing", test))]
pub(crate) use self::field::field;
#[cfg(any(feature = "axum", test))]
pub(crate) use self::json::json;
#[cfg(any(feature = "_http-client", feature = "_http-server"))]
pub(crate) use self::method::OTHER_METHOD;
pub(crate) use self::method::known_method;
pub(crate) use self::name::{is_personal, is_secret};
pub(crate) use self::query::query;
#[cfg(test)]
pub(crate) use self::request::request;
#[cfg(feature = "_http-server")]
pub(crate) use self::request::{cookies, headers};
pub(crate) use self::text::text;
#[cfg(feature = "_http-server")]
pub(crate) use self::url::path;
pub(crate) use self::url::{request_url, url};

/// Replaces a value that is removed.
pub(crate) const FILTERED: &str = "[Filtered]";
