//! Neighbours: one module for each, behind a feature of its name.
//!
//! What servers have in common is in [`server`]: a transaction from the head
//! of a request to the end of the response's body.

#[cfg(feature = "actix-web")]
pub mod actix_web;
#[cfg(feature = "axum")]
pub mod axum;
#[cfg(feature = "_http-server")]
mod server;
#[cfg(feature = "tonic")]
pub mod tonic;
#[cfg(feature = "tower")]
pub mod tower;
