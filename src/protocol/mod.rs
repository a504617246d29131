//! The wire: what a Sentry-speaking server is sent, as typed values.
//!
//! Nothing in here records or delivers anything. Recording fills in a
//! [`Transaction`]; delivery writes it into an [`Envelope`].

mod breadcrumb;
mod client_report;
mod data;
mod envelope;
mod request;
pub(crate) mod sampling_context;
mod sdk;
mod span;
mod timestamp;
mod transaction;
mod user;

pub use self::breadcrumb::Breadcrumb;
pub use self::client_report::{Category, ClientReport, DiscardReason, Discarded};
pub use self::data::Data;
pub use self::envelope::{Envelope, EnvelopeHeaders, Item};
pub use self::request::Request;
pub use self::sampling_context::DynamicSamplingContext;
pub use self::sdk::{Sdk, SdkPackage};
pub use self::span::{Link, LinkAttributes, Span, SpanStatus, UnknownStatus};
pub use self::timestamp::Timestamp;
pub use self::transaction::{
    Contexts, Level, TraceContext, Transaction, TransactionInfo, TransactionSource,
};
pub use self::user::User;
