//! Layers for [`tower`](https://docs.rs/tower) services over the types of the crate `http`.
//!
//! [`ServerLayer`] makes a transaction of every request to a service, and belongs outside of all
//! other layers: it goes on until the body of the response has left. It knows no routes, so that
//! transactions are named by the path of their URL, and those that end with the status code 404
//! `GET /{*path}`; for axum and tonic there are layers that know routes.
//!
#![cfg_attr(not(doctest), doc = include_str!("../examples/tower_server.md"))]
//!
//! [`ClientLayer`] makes a span of every request that a client sends, such as the one of the crate
//! `hyper-util`, and passes the trace on:
//!
#![cfg_attr(not(doctest), doc = include_str!("../examples/tower_client.md"))]

mod client;
mod dialect;
mod server;
mod server_body;

pub use self::client::{Client, ClientFuture, ClientLayer};
#[cfg(any(feature = "axum", feature = "tonic"))]
pub(super) use self::dialect::{Dialect, HTTP};
pub use self::server::{Server, ServerFuture, ServerLayer};
pub use self::server_body::ServerBody;
pub use super::client::body::ClientBody;
