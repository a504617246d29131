//! The order and the branches in which spans are drawn.

use std::collections::HashMap;

use crate::local::decode::{ReceivedSpan, ReceivedTransaction};
use crate::protocol::SpanId;

/// A line of the tree.
#[derive(Debug)]
pub(super) struct Row<'a> {
    pub(super) span: &'a ReceivedSpan,
    /// The branches that lead to it.
    pub(super) prefix: String,
    /// Whether it hangs below the root only because its own parent is not there.
    pub(super) is_orphan: bool,
}

/// Arranges the spans of a transaction below its root, siblings in the order of their start.
///
/// Branches are drawn for up to `levels` levels; deeper spans are marked with how much deeper they are.
pub(super) fn rows(transaction: &ReceivedTransaction, levels: usize) -> Vec<Row<'_>> {
    let spans = &transaction.spans;
    let mut by_start: Vec<usize> = (0..spans.len()).collect();
    by_start.sort_by_key(|index| spans[*index].start);

    let mut parents = parents(transaction, &by_start);
    break_cycles(&mut parents, &by_start);

    let mut children = vec![Vec::new(); spans.len()];
    let mut top = Vec::new();
    for index in by_start {
        match parents[index] {
            Parent::Span(parent) => children[parent].push(index),
            Parent::Root | Parent::Unknown => top.push(index),
        }
    }

    // A stack in place of recursion: how deep spans are nested is for the sender to say.
    let mut stack = Vec::new();
    let mut rows = Vec::with_capacity(spans.len());
    let mut lasts = Vec::new();
    push_siblings(&mut stack, &top, 0);
    while let Some((index, depth, is_last)) = stack.pop() {
        lasts.truncate(depth);
        lasts.push(is_last);
        rows.push(Row {
            span: &spans[index],
            prefix: prefix(&lasts, levels),
            is_orphan: matches!(parents[index], Parent::Unknown),
        });
        push_siblings(&mut stack, &children[index], depth + 1);
    }
    rows
}

#[derive(Clone, Copy)]
enum Parent {
    Root,
    Span(usize),
    Unknown,
}

/// Finds the parent of every span. Of spans with the same identifier the earliest has the children.
fn parents(transaction: &ReceivedTransaction, by_start: &[usize]) -> Vec<Parent> {
    let spans = &transaction.spans;
    let mut by_id: HashMap<SpanId, usize> = HashMap::with_capacity(spans.len());
    for index in by_start {
        by_id.entry(spans[*index].span_id).or_insert(*index);
    }
    let parent = |span: &ReceivedSpan| match span.parent_span_id {
        None => Parent::Root,
        Some(parent) if parent == transaction.span_id => Parent::Root,
        Some(parent) => by_id
            .get(&parent)
            .map_or(Parent::Unknown, |index| Parent::Span(*index)),
    };
    spans.iter().map(parent).collect()
}

/// Takes one span out of every circle of parents.
fn break_cycles(parents: &mut [Parent], by_start: &[usize]) {
    // By which walk upwards a span was first met, from 1; 0 is none.
    let mut met = vec![0; parents.len()];
    for (walk, start) in (1..).zip(by_start) {
        let mut index = *start;
        while met[index] == 0 {
            met[index] = walk;
            match parents[index] {
                Parent::Span(parent) if met[parent] == walk => parents[parent] = Parent::Unknown,
                Parent::Span(parent) => index = parent,
                Parent::Root | Parent::Unknown => break,
            }
        }
    }
}

/// Puts siblings on the stack so that the first is taken first.
fn push_siblings(stack: &mut Vec<(usize, usize, bool)>, siblings: &[usize], depth: usize) {
    let mut is_last = true;
    for index in siblings.iter().rev() {
        stack.push((*index, depth, is_last));
        is_last = false;
    }
}

/// Draws the branches to a span from whether each of its ancestors, and it itself, is a last child.
fn prefix(lasts: &[bool], levels: usize) -> String {
    let levels = levels.max(1);
    let mut prefix = String::new();
    let drawn = lasts.len().min(levels);
    let Some((own, ancestors)) = lasts[..drawn].split_last() else {
        return prefix;
    };
    for is_last in ancestors {
        prefix.push_str(if *is_last { "   " } else { "│  " });
    }
    match lasts.len() - drawn {
        0 => prefix.push_str(if *own { "└─ " } else { "├─ " }),
        deeper => {
            prefix.push_str(if *own { "   " } else { "│  " });
            prefix.push_str(&format!("+{deeper} "));
        }
    }
    prefix
}
