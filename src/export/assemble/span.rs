//! One span on its way to the wire, and what was set on it.

use crate::protocol::value::Borrowed;
use crate::protocol::{Data, Link, Tags};
#[cfg(feature = "_call-sites")]
use crate::record::CallSite;
#[cfg(feature = "_http-server")]
use crate::record::RecordedRequest;
#[cfg(feature = "tracing")]
use crate::record::metadata;
use crate::record::{Attributes, Content, Kind, Record, SpanNumber};

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
            data.insert_value(key.into(), value);
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
    for (attribute, content) in attributes.iter() {
        let Ok(place) = spans.binary_search_by_key(&attribute.span, |span| span.number) else {
            continue;
        };
        let span = &mut spans[place];
        match (attribute.kind, content) {
            (Kind::Tag, Content::Value(Borrowed::Text(text))) => {
                span.tags.set(attribute.key.clone(), text.to_owned());
            }
            (Kind::Data, Content::Value(value)) => {
                span.data
                    .insert_value(attribute.key.clone(), value.to_value());
            }
            #[cfg(feature = "tracing")]
            (Kind::Link, _) => {
                let ids = attribute.key.split_once('-');
                if let Some((Ok(trace), Ok(cause))) = ids.map(|(a, b)| (a.parse(), b.parse())) {
                    let link = Link::follows_from(trace, cause);
                    if span.links.len() < MAX_LINKS && !span.links.contains(&link) {
                        span.links.push(link);
                    }
                }
            }
            #[cfg(feature = "_http-server")]
            (Kind::Request, Content::Bytes(bytes)) => {
                span.request = Some(RecordedRequest::new(bytes));
            }
            #[cfg(feature = "_call-sites")]
            (Kind::CallSite, Content::Bytes(bytes)) => {
                if let Some(site) = CallSite::resolve(bytes) {
                    site.note(&mut span.data);
                }
            }
            // No other kind has no other content.
            _ => {}
        }
    }
}

/// How many links a span may have, as in OpenTelemetry: they are not shortened later.
#[cfg(feature = "tracing")]
const MAX_LINKS: usize = 128;
