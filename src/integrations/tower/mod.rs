//! Layers for [`tower`](https://docs.rs/tower) services over the types of the crate `http`.
//!
//! [`ServerLayer`] makes a transaction of every request to a service, and belongs outside of all
//! other layers: it goes on until the body of the response has left. It knows no routes, so that
//! transactions are named by the path of their URL; for axum and tonic there are layers that do.
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use taskspan::tower::ServerLayer;
//! use taskspan::Options;
//! use tower::{ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! # let (client, sent) = taskspan::test::client(Options::default().traces_sample_rate(1.0));
//! let service = ServiceBuilder::new()
//!     .layer(ServerLayer::new().with_client(&client)) // only `new()`, where a client is installed
//!     .service_fn(async |request: Request<()>| {
//!         taskspan::span("db.query", "SELECT 1").in_scope(|_| { /* … */ });
//!         Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from("hello")))
//!     });
//!
//! let response = service.oneshot(Request::get("/items").body(()).unwrap()).await.unwrap();
//! assert!(sent.transactions().is_empty(), "the body has not left yet");
//! assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "hello");
//! assert_eq!(sent.tree(), "http.server GET /items (ok)\n  db.query SELECT 1 (ok)\n");
//! # }
//! ```
//!
//! [`ClientLayer`] makes a span of every request that a client sends, such as the one of the crate
//! `hyper-util`, and passes the trace on:
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Empty, Full};
//! use taskspan::tower::ClientLayer;
//! use taskspan::{Instrument, Options};
//! use tower::{ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! # let (client, sent) = taskspan::test::client(Options::default().traces_sample_rate(1.0));
//! # let client_of_hyper = tower::service_fn(async |request: Request<Empty<Bytes>>| {
//! #     assert!(request.headers().contains_key("sentry-trace"));
//! #     Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from("7")))
//! # });
//! let http = ServiceBuilder::new()
//!     .layer(ClientLayer::new())
//!     .service(client_of_hyper);
//!
//! let work = async {
//!     let request = Request::get("https://shop.example/items?limit=7").body(Empty::new());
//!     let response = http.oneshot(request.unwrap()).await.unwrap();
//!     response.into_body().collect().await.unwrap().to_bytes()
//! };
//! assert_eq!(work.in_transaction("task", "import").with_client(&client).await, "7");
//! assert_eq!(
//!     sent.tree(),
//!     "task import (ok)\n  http.client GET https://shop.example/items (ok)\n"
//! );
//! # }
//! ```

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
