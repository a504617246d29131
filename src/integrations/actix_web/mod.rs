//! The middleware of [actix-web](https://docs.rs/actix-web).
//!
//! ```
//! use actix_web::test::{TestRequest, call_and_read_body, init_service};
//! use actix_web::{App, web};
//! use taskspan::Options;
//! use taskspan::actix_web::ServerMiddleware;
//!
//! async fn item(id: web::Path<u32>) -> String {
//!     taskspan::span("db.query", "SELECT 1").in_scope(|_| format!("item {id}"))
//! }
//!
//! # #[actix_web::main] async fn main() {
//! # let (client, sent) = taskspan::test::client(Options::default().traces_sample_rate(1.0));
//! let app = App::new()
//!     .route("/items/{id}", web::get().to(item))
//!     // Last, so that it is around all others.
//!     .wrap(ServerMiddleware::new().with_client(&client)); // only `new()`, where a client is installed
//!
//! let app = init_service(app).await;
//! let request = TestRequest::with_uri("/items/3").to_request();
//! assert_eq!(call_and_read_body(&app, request).await, "item 3");
//! assert_eq!(sent.tree(), "http.server GET /items/{id} (ok)\n  db.query SELECT 1 (ok)\n");
//! # }
//! ```
//!
//! What a worker spawns with `actix_web::rt::spawn` and `web::block` stays in the transaction if it
//! is wrapped, as in `rt::spawn(work.`[`in_current_scope()`](crate::Instrument::in_current_scope)`)`
//! and `web::block(`[`in_current_scope`](crate::in_current_scope)`(work))`.

mod head;
mod middleware;
mod server_body;

pub use self::middleware::{Server, ServerFuture, ServerMiddleware};
pub use self::server_body::ServerBody;
