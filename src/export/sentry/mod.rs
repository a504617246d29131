//! What a server that speaks Sentry's protocol is sent, and how its answers are read.

mod envelope;
mod fit;
mod rate_limit;
mod shorten;
mod transaction;

pub(crate) use self::envelope::Prepared;
pub(crate) use self::rate_limit::RateLimits;
pub(crate) use self::transaction::transaction;
