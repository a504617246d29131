//! Makes a transaction fit that is larger than servers take.
//!
//! Servers refuse a transaction of more than 1 MiB as a whole, and cut off the
//! end of a list of spans that has more than 800 KiB, without a word. So this
//! side decides what to leave out, and says so. Very long strings and the like
//! are shortened first; after that the newest leaves of the tree are dropped,
//! so that what stays is a tree still.

use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::mem;

use serde_json::{Map, Value};

use super::shorten::{length, shorten};
use crate::protocol::{Breadcrumb, Data, Request, Span, Transaction, User};

/// Whether a transaction of so many bytes may have to be made smaller.
pub(crate) fn may_be_too_large(bytes: usize) -> bool {
    bytes > LIST
}

/// Leaves out what is needed for the transaction to fit. Returns how many spans that were.
///
/// Their number goes into the data of the root, and the number of values that
/// were shortened goes into the data of the span that they were set on.
pub(crate) fn fit(transaction: &mut Transaction) -> serde_json::Result<u32> {
    let mut spans = mem::take(&mut transaction.spans);
    let mut root = length(transaction)?;
    let mut lengths = spans
        .iter()
        .map(|span| Ok(length(span)? + AROUND))
        .collect::<serde_json::Result<Vec<usize>>>()?;
    let list: usize = lengths.iter().sum();
    if list <= LIST && root + list <= ITEM {
        transaction.spans = spans;
        return Ok(0);
    }
    if root > ROOT {
        drop_breadcrumbs(&mut transaction.breadcrumbs)?;
        root = length(transaction)?;
    }
    if root > ROOT {
        shorten_root(transaction, root)?;
        root = length(transaction)?;
    }
    for (span, span_length) in spans.iter_mut().zip(&mut lengths) {
        if *span_length > SPAN {
            shorten_span(span, *span_length)?;
            *span_length = length(span)? + AROUND;
        }
    }
    let dropped = drop_leaves(&mut spans, &lengths, LIST.min(ITEM.saturating_sub(root)));
    transaction.spans = spans;
    if dropped > 0 {
        transaction
            .contexts
            .trace
            .data
            .insert(DROPPED_SPANS, &dropped)?;
    }
    Ok(u32::try_from(dropped).unwrap_or(u32::MAX))
}

/// Whether a transaction, once written, is one that servers take.
pub(crate) fn fits(bytes: usize) -> bool {
    bytes <= LARGEST
}

/// Drops the newest of those spans that no other is below, until the rest fits. Returns how many.
fn drop_leaves(spans: &mut Vec<Span>, lengths: &[usize], budget: usize) -> usize {
    let mut list: usize = lengths.iter().sum();
    let places: HashMap<_, _> = spans
        .iter()
        .enumerate()
        .map(|(place, span)| (span.span_id, place))
        .collect();
    let parents: Vec<Option<usize>> = spans
        .iter()
        .map(|span| places.get(&span.parent_span_id).copied())
        .collect();
    let mut children = vec![0_usize; spans.len()];
    for parent in parents.iter().flatten() {
        children[*parent] += 1;
    }
    let newness = |place: usize| (spans[place].start_timestamp, place);
    let mut leaves: BinaryHeap<_> = (0..spans.len())
        .filter(|place| children[*place] == 0)
        .map(newness)
        .collect();
    let mut stays = vec![true; spans.len()];
    while list > budget
        && let Some((_, place)) = leaves.pop()
    {
        stays[place] = false;
        list -= lengths[place];
        if let Some(parent) = parents[place] {
            children[parent] -= 1;
            if children[parent] == 0 {
                leaves.push(newness(parent));
            }
        }
    }
    let before = spans.len();
    let mut stays = stays.into_iter();
    spans.retain(|_| stays.next() == Some(true));
    before - spans.len()
}

/// Drops the oldest breadcrumbs, until the rest has the size that they may have.
fn drop_breadcrumbs(breadcrumbs: &mut Vec<Breadcrumb>) -> serde_json::Result<()> {
    let (mut oldest, mut bytes) = (breadcrumbs.len(), 0);
    while let Some(next) = oldest.checked_sub(1) {
        bytes += length(&breadcrumbs[next])? + 1;
        if bytes > BREADCRUMBS {
            break;
        }
        oldest = next;
    }
    breadcrumbs.drain(..oldest);
    Ok(())
}

/// Shortens what is set on a span, which has so many bytes.
fn shorten_span(span: &mut Span, length: usize) -> serde_json::Result<()> {
    let mut parts = Map::new();
    parts.insert(
        "description".into(),
        mem::take(&mut span.description).into(),
    );
    parts.insert("tags".into(), strings(mem::take(&mut span.tags)));
    parts.insert("data".into(), span.data.take_values().into());

    let mut parts = shorten_parts(parts, length, SPAN)?;
    if let Some(Value::String(description)) = parts.values.remove("description") {
        span.description = description.into();
    }
    span.tags = to_strings(parts.take("tags"));
    parts.put_data(&mut span.data)
}

/// Shortens what is set on the root, which has so many bytes.
fn shorten_root(transaction: &mut Transaction, length: usize) -> serde_json::Result<()> {
    let trace = &mut transaction.contexts.trace;
    let contexts = mem::take(&mut transaction.contexts.others);
    let contexts: Map<_, _> = contexts
        .into_iter()
        .map(|(name, context)| (name.into_owned(), context))
        .collect();
    let mut parts = Map::new();
    parts.insert("contexts".into(), contexts.into());
    parts.insert("data".into(), trace.data.take_values().into());
    parts.insert("tags".into(), strings(mem::take(&mut transaction.tags)));
    if let Some(user) = transaction.user.take() {
        parts.insert("user".into(), serde_json::to_value(user)?);
    }
    if let Some(request) = transaction.request.take() {
        parts.insert("request".into(), serde_json::to_value(request)?);
    }

    let mut parts = shorten_parts(parts, length, ROOT)?;
    let contexts = parts.take("contexts").into_iter();
    transaction.contexts.others = contexts
        .map(|(name, context)| (name.into(), context))
        .collect();
    transaction.tags = to_strings(parts.take("tags"));
    if parts.values.contains_key("user") {
        transaction.user = Some(to_user(parts.take("user")));
    }
    if parts.values.contains_key("request") {
        transaction.request = Some(to_request(parts.take("request")));
    }
    parts.put_data(&mut trace.data)
}

/// What was taken out of a span, shortened.
struct Parts {
    values: Map<String, Value>,
    /// How many values were cut or left out.
    shortened: u64,
}

/// Shortens the parts of a span that has so many bytes, so that it has at most `limit`.
fn shorten_parts(
    parts: Map<String, Value>,
    span_length: usize,
    limit: usize,
) -> serde_json::Result<Parts> {
    let mut parts = Value::Object(parts);
    let rest = span_length.saturating_sub(length(&parts)?);
    let shortened = shorten(&mut parts, limit.saturating_sub(rest + NOTE))?;
    let values = match parts {
        Value::Object(values) => values,
        _ => Map::new(),
    };
    Ok(Parts { values, shortened })
}

impl Parts {
    fn take(&mut self, name: &str) -> Map<String, Value> {
        match self.values.remove(name) {
            Some(Value::Object(map)) => map,
            _ => Map::new(),
        }
    }

    /// Puts the data back, and says there how much was shortened.
    fn put_data(mut self, data: &mut Data) -> serde_json::Result<()> {
        for (key, value) in self.take("data") {
            data.insert(key, &value)?;
        }
        if self.shortened > 0 {
            data.insert(SHORTENED, &self.shortened)?;
        }
        Ok(())
    }
}

type Tags = BTreeMap<std::borrow::Cow<'static, str>, String>;

fn strings(tags: Tags) -> Value {
    let tags = tags.into_iter();
    tags.map(|(key, value)| (key.into_owned(), Value::from(value)))
        .collect::<Map<_, _>>()
        .into()
}

fn to_strings<K: From<String> + Ord>(map: Map<String, Value>) -> BTreeMap<K, String> {
    map.into_iter()
        .filter_map(|(key, value)| Some((key.into(), to_string(value)?)))
        .collect()
}

fn to_string(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

fn to_user(mut map: Map<String, Value>) -> User {
    let mut text = |name: &str| map.remove(name).and_then(to_string);
    User {
        id: text("id"),
        username: text("username"),
        email: text("email"),
        ip_address: text("ip_address").and_then(|text| text.parse().ok()),
        other: map.into_iter().collect(),
    }
}

fn to_request(mut map: Map<String, Value>) -> Request {
    let headers = match map.remove("headers") {
        Some(Value::Object(headers)) => to_strings(headers),
        _ => BTreeMap::new(),
    };
    let mut text = |name: &str| map.remove(name).and_then(to_string);
    let cookies = text("cookies").unwrap_or_default();
    let cookies = cookies
        .split("; ")
        .filter_map(|cookie| cookie.split_once('='));
    let cookies = cookies
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    Request {
        method: text("method"),
        url: text("url"),
        query_string: text("query_string"),
        cookies,
        headers,
        data: map.remove("data"),
    }
}

/// Says in the data of a root how many spans were dropped for it to fit.
const DROPPED_SPANS: &str = "taskspan.dropped_spans";
/// Says in the data of a span how many values on it were shortened or left out for it to fit.
const SHORTENED: &str = "taskspan.shortened";

/// Servers refuse more bytes than 1,048,576, and some may count otherwise.
const LARGEST: usize = 1_000_000;
/// What is aimed at: notes, and the header of the item, come on top of it.
const ITEM: usize = 990_000;
/// How many bytes the list of spans may have: servers cut it off at 819,200.
const LIST: usize = 800_000;
/// How many bytes the root may have without its spans, once not everything fits.
const ROOT: usize = 400_000;
/// How many bytes of these the breadcrumbs may have.
const BREADCRUMBS: usize = 100_000;
/// How many bytes one span may have, once not everything fits.
const SPAN: usize = 100_000;
/// A comma, and what servers add to a span before they measure it: its exclusive time.
const AROUND: usize = 33;
/// How many bytes the note on what was shortened may have.
const NOTE: usize = 64;

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::protocol::{SpanId, TraceId};

    /// A span by its number, its parent's and the second that it starts in.
    fn span(number: u64, parent: u64, start: u64) -> Span {
        let start = UNIX_EPOCH + Duration::from_secs(start);
        Span {
            trace_id: TraceId::from_random(1),
            span_id: SpanId::from_bits(number).unwrap(),
            parent_span_id: SpanId::from_bits(parent).unwrap(),
            op: "op".into(),
            description: "".into(),
            start_timestamp: start.into(),
            timestamp: start.into(),
            status: None,
            origin: "manual".into(),
            tags: BTreeMap::new(),
            data: Data::default(),
            links: Vec::new(),
        }
    }

    fn left(mut spans: Vec<Span>, budget: usize) -> Vec<SpanId> {
        let lengths = vec![1; spans.len()];
        let before = spans.len();
        let dropped = drop_leaves(&mut spans, &lengths, budget);
        assert_eq!(dropped, before - spans.len());
        spans.iter().map(|span| span.span_id).collect()
    }

    fn ids<const N: usize>(numbers: [u64; N]) -> Vec<SpanId> {
        let ids = numbers.into_iter().map(|id| SpanId::from_bits(id).unwrap());
        ids.collect()
    }

    #[test]
    fn the_newest_leaves_go_first() {
        // 1 ┬ 2 ─ 5    6 is the newest, 4 the newest leaf after it, then 5, 3, 2, 1.
        //   ├ 3
        //   └ 4        7 is outside: 6 has a parent that is not in the list.
        let tree = || {
            vec![
                span(1, 9, 1),
                span(2, 1, 2),
                span(3, 1, 3),
                span(5, 2, 4),
                span(4, 1, 5),
                span(6, 7, 6),
            ]
        };
        assert_eq!(left(tree(), 6), ids([1, 2, 3, 5, 4, 6]));
        assert_eq!(left(tree(), 5), ids([1, 2, 3, 5, 4]));
        assert_eq!(left(tree(), 4), ids([1, 2, 3, 5]));
        assert_eq!(left(tree(), 3), ids([1, 2, 3]));
        assert_eq!(left(tree(), 2), ids([1, 2]));
        assert_eq!(left(tree(), 0), ids([]));
    }

    #[test]
    fn a_parent_that_started_after_its_child_stays_with_it() {
        let tree = vec![span(1, 2, 1), span(2, 9, 5), span(3, 9, 3)];
        assert_eq!(left(tree, 2), ids([1, 2]));
    }

    #[test]
    fn a_circle_does_no_harm() {
        let circle = vec![span(1, 2, 1), span(2, 1, 2), span(3, 3, 3)];
        assert_eq!(left(circle, 1).len(), 3);
    }
}
