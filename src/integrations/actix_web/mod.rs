//! The middleware of [actix-web](https://docs.rs/actix-web).
//!
#![cfg_attr(not(doctest), doc = include_str!("../examples/actix_web.md"))]
//!
//! What a worker spawns with `actix_web::rt::spawn` and `web::block` stays in the transaction if it
//! is wrapped, as in `rt::spawn(work.`[`in_current_scope()`](crate::Instrument::in_current_scope)`)`
//! and `web::block(`[`in_current_scope`](crate::in_current_scope)`(work))`.

mod head;
mod middleware;
mod server_body;

pub use self::middleware::{Server, ServerFuture, ServerMiddleware};
pub use self::server_body::ServerBody;
