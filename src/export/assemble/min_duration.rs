//! Spans that are too short to be of interest.

use std::time::Duration;

use super::span::Assembled;
use crate::clock;
use crate::protocol::SpanStatus;

/// Takes out spans that took less time, ended as `ok` and have no child that stays. Returns how many.
///
/// `spans` is ordered by number, and has no span of which another is above itself.
pub(crate) fn remove_short(spans: &mut Vec<Assembled>, min: Duration) -> u64 {
    let is_short = |span: &Assembled| {
        let record = &span.record;
        record.status == Some(SpanStatus::Ok) && clock::span(record.start, record.end) < min
    };
    let parent_of = |span: &Assembled| {
        let parent = span.record.parent;
        spans.binary_search_by_key(&parent, |span| span.number).ok()
    };
    let parents: Vec<_> = spans.iter().map(parent_of).collect();
    let mut children = vec![0_u32; spans.len()];
    for parent in parents.iter().flatten() {
        children[*parent] += 1;
    }
    let mut stays = vec![true; spans.len()];
    for leaf in 0..spans.len() {
        // From a leaf upwards: a parent comes after the last of its children.
        let mut next = Some(leaf);
        while let Some(place) = next
            && stays[place]
            && children[place] == 0
            && is_short(&spans[place])
        {
            stays[place] = false;
            next = parents[place];
            if let Some(parent) = next {
                children[parent] -= 1;
            }
        }
    }
    let before = spans.len();
    let mut stays = stays.into_iter();
    spans.retain(|_| stays.next() == Some(true));
    (before - spans.len()) as u64
}
