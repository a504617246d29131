//! The wire: what a Sentry-speaking server is sent, as typed values.
//!
//! Nothing in here records or delivers anything. Recording fills in a
//! [`Transaction`]; delivery writes it into an [`Envelope`].

mod breadcrumb;
mod category;
mod client_report;
mod data;
mod dsn;
mod dsn_error;
mod dsn_parts;
mod envelope;
pub(crate) mod fields;
pub(crate) mod id;
mod identity;
mod json;
mod refusal;
mod request;
pub(crate) mod sampling_context;
mod sdk;
mod span;
pub(crate) mod tags;
mod timestamp;
mod transaction;
mod user;
pub(crate) mod valid;
pub(crate) mod value;

pub use self::breadcrumb::Breadcrumb;
pub use self::category::{Category, DiscardReason};
pub use self::client_report::{ClientReport, Discarded};
pub use self::data::Data;
pub use self::dsn::Dsn;
pub use self::dsn_error::ParseDsnError;
pub use self::envelope::{Envelope, EnvelopeHeaders, Item};
pub use self::id::{EventId, ParseIdError, SpanId, TraceId};
pub(crate) use self::identity::Identity;
pub(crate) use self::refusal::{
    Refusal, check_dist, check_environment, check_release, check_server_name,
};
pub use self::request::Request;
pub use self::sampling_context::DynamicSamplingContext;
pub use self::sdk::{Sdk, SdkPackage};
pub use self::span::{Link, LinkAttributes, Span, SpanStatus, UnknownStatus};
pub(crate) use self::tags::Tags;
pub use self::timestamp::Timestamp;
pub use self::transaction::{
    Contexts, Level, TraceContext, Transaction, TransactionInfo, TransactionSource,
};
pub use self::user::User;
