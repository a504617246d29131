//! The program's own callbacks, and what a panic in one of them does.

mod breadcrumb;
mod callback;
mod original;
mod request_head;
mod sampler;

pub(crate) use self::breadcrumb::BeforeBreadcrumb;
pub(crate) use self::callback::{BeforeSendSpan, BeforeSendTransaction, EventProcessor};
pub(crate) use self::original::Original;
pub(crate) use self::request_head::RequestHead;
pub(crate) use self::sampler::Sampler;
pub use self::sampler::SamplingContext;
