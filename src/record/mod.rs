//! What is recorded. It is written and never read back here, and knows no wire form.

mod attributes;
pub(crate) mod buffer;
#[cfg(feature = "_call-sites")]
pub(crate) mod call_site;
mod changes;
mod item;
#[cfg(feature = "tracing")]
pub(crate) mod metadata;
#[cfg(feature = "_http-server")]
mod request;
mod segment;
#[cfg(any(feature = "_call-sites", feature = "tracing"))]
mod source_path;
mod span;
mod trace_info;

pub(crate) use self::attributes::{AttributeRoom, Attributes, Content, Kind};
pub(crate) use self::buffer::{HandedOver, SpanBuffer};
#[cfg(feature = "_call-sites")]
pub(crate) use self::call_site::CallSite;
pub(crate) use self::changes::Changes;
pub(crate) use self::item::Item;
#[cfg(feature = "tracing")]
pub(crate) use self::metadata::Metadata;
#[cfg(feature = "_http-server")]
pub(crate) use self::request::{Fields, RecordedRequest, RequestWriter};
pub(crate) use self::segment::{Left, Root, SamplingContextSource, Segment};
pub(crate) use self::span::{Change, NO_TASK, ROOT_TASK, Record, SPAN_LIMIT, SpanNumber};
pub(crate) use self::trace_info::{Name, Sampling, TraceInfo};
