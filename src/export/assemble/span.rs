//! One span on its way to the wire, and what was set on it.

use serde_json::value::RawValue;

use crate::protocol::{Data, Link, Tags};
#[cfg(feature = "_call-sites")]
use crate::record::CallSite;
#[cfg(feature = "_http-server")]
use crate::record::RecordedRequest;
#[cfg(feature = "tracing")]
use crate::record::metadata;
use crate::record::{Attributes, Kind, Record, SpanNumber};

/// A record on its way to the wire, and what was set on it.
pub(crate) struct Assembled {
    pub(crate) number: SpanNumber,
    pub(crate) record: Record,
    pub(crate) tags: Tags,
    pub(crate) data: Data,
    pub(crate) links: Vec<Link>,
    /// The request that a root answers.
    #[cfg(feature = "_http-server")]
    pub(crate) request: Option<RecordedRequest>,
}

impl Assembled {
    pub(super) fn new(number: SpanNumber, record: Record) -> Self {
        #[cfg_attr(not(feature = "tracing"), expect(unused_mut))]
        let mut data = Data::default();
        #[cfg(feature = "tracing")]
        for (key, value) in record.metadata.into_iter().flat_map(metadata::attributes) {
            data.insert_raw(key.into(), value);
        }
        Self {
            number,
            record,
            tags: Tags::default(),
            data,
            links: Vec::new(),
            #[cfg(feature = "_http-server")]
            request: None,
        }
    }
}

/// Puts attributes on the spans that they belong to. `spans` is ordered by number.
pub(super) fn set(spans: &mut [Assembled], attributes: &Attributes) {
    for (attribute, text) in attributes.iter() {
        let Ok(place) = spans.binary_search_by_key(&attribute.span, |span| span.number) else {
            continue;
        };
        let span = &mut spans[place];
        let as_text = || String::from_utf8_lossy(text).into_owned();
        match attribute.kind {
            Kind::Tag => span.tags.set(attribute.key.clone(), as_text()),
            Kind::Data => {
                if let Ok(json) = RawValue::from_string(as_text()) {
                    span.data.insert_raw(attribute.key.clone(), json);
                }
            }
            #[cfg(feature = "tracing")]
            Kind::Link => {
                let ids = attribute.key.split_once('-');
                if let Some((Ok(trace), Ok(cause))) = ids.map(|(a, b)| (a.parse(), b.parse())) {
                    let link = Link::follows_from(trace, cause);
                    if span.links.len() < MAX_LINKS && !span.links.contains(&link) {
                        span.links.push(link);
                    }
                }
            }
            #[cfg(feature = "_http-server")]
            Kind::Request => span.request = Some(RecordedRequest::new(text)),
            #[cfg(feature = "_call-sites")]
            Kind::CallSite => {
                if let Some(site) = CallSite::resolve(text) {
                    site.note(&mut span.data);
                }
            }
        }
    }
}

/// How many links a span may have, as in OpenTelemetry: they are not shortened later.
#[cfg(feature = "tracing")]
const MAX_LINKS: usize = 128;
