//! What a program drops from its transactions, and what it changes in them.
//!
//! ```text
//! status codes ─► event processors: scope, global scope, client ─► ignore_transactions
//!   ─► ignore_spans ─► before_send_span ─► before_send_transaction
//! ```
//!
//! The order is the protocol's. All of it runs on the worker, on a transaction that is complete.
//! What the program's own code returns is made valid again before anything else sees it.

mod filters;
mod ignore;

pub(crate) use self::filters::{Build, Built, Filters};
pub use self::ignore::SpanRule;
