//! Neighbours: one module for each, behind a feature of its name.
//!
//! What servers have in common is in [`server`]: a transaction from the head
//! of a request to the end of the response's body. What clients have in common
//! is in [`client`]: a span for the same time, and the trace in the headers.
//! Whatever is called in another way makes its spans with [`call`], and what
//! may be told of a statement is found out by `sql`.

#[cfg(feature = "actix-web")]
pub mod actix_web;
#[cfg(feature = "apalis")]
pub mod apalis;
#[cfg(feature = "axum")]
pub mod axum;
#[cfg(feature = "_client-spans")]
mod call;
#[cfg(feature = "_http-client")]
mod client;
#[cfg(feature = "messaging")]
pub mod messaging;
#[cfg(feature = "process")]
pub mod process;
#[cfg(feature = "redis")]
pub mod redis;
#[cfg(feature = "axum")]
mod request_body;
#[cfg(feature = "reqwest")]
pub mod reqwest;
#[cfg(feature = "_http-server")]
mod server;
#[cfg(feature = "sqlx")]
mod sql;
#[cfg(feature = "sqlx")]
pub mod sqlx;
#[cfg(feature = "tonic")]
pub mod tonic;
#[cfg(feature = "tower")]
pub mod tower;
#[cfg(feature = "tracing")]
pub mod tracing;
