//! Futures that carry a transaction, a span or a scope with them.

mod in_span;
mod in_transaction;
mod instrument;
mod record_err;
mod with_scope;

pub use self::in_span::InSpan;
pub use self::in_transaction::{InScope, InTransaction};
pub use self::instrument::Instrument;
pub use self::record_err::RecordErr;
pub use self::with_scope::WithScope;
