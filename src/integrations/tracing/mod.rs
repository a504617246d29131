//! The layer of [tracing](https://docs.rs/tracing): spans of any library as spans.
//!
//! ```
//! use taskspan::{Instrument as _, Options};
//! use tracing_subscriber::prelude::*;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! # let (client, sent) = taskspan::test::client(Options::default().traces_sample_rate(1.0));
//! let subscriber = tracing_subscriber::registry().with(taskspan::tracing::layer());
//! // A program has `subscriber.init()` instead.
//! let _default = tracing::subscriber::set_default(subscriber);
//!
//! #[tracing::instrument(fields(sentry.op = "cache.get"))]
//! async fn load(item: u32) {
//!     tracing::info!("it is not in the cache");
//!     async {}.in_span("db.query", "SELECT * FROM items").await;
//! }
//!
//! load(7).with_client(&client).await;
//!
//! assert_eq!(
//!     sent.tree(),
//!     "cache.get load (ok)\n  db.query SELECT * FROM items (ok)\n"
//! );
//! let transaction = &sent.transactions()[0];
//! assert_eq!(transaction.contexts.trace.data.get("item"), Some(7.into()));
//! assert_eq!(transaction.breadcrumbs[0].message, "it is not in the cache");
//! # }
//! ```
mod entered;
mod fields;
mod kind;
mod layer;
mod table;

pub use self::layer::Layer;

/// Makes the layer.
pub fn layer() -> Layer {
    Layer::new()
}
