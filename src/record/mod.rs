//! What is recorded. It is written and never read back here, and knows no wire form.

pub(crate) mod attributes;
mod buffer;
#[cfg(feature = "_call-sites")]
pub(crate) mod call_site;
#[cfg(feature = "tracing")]
pub(crate) mod metadata;
#[cfg(feature = "_http-server")]
mod request;
#[cfg(any(feature = "_call-sites", feature = "tracing"))]
mod source_path;
mod span;

pub(crate) use self::attributes::{Attributes, Kind};
pub(crate) use self::buffer::{BufferPool, SpanBuffer};
#[cfg(feature = "_call-sites")]
pub(crate) use self::call_site::CallSite;
#[cfg(feature = "tracing")]
pub(crate) use self::metadata::Metadata;
#[cfg(feature = "_http-server")]
pub(crate) use self::request::{Fields, RecordedRequest, RequestWriter};
pub(crate) use self::span::{Amendment, Change, Record, SPAN_LIMIT, SpanNumber};
