//! What spans of `tracing` a thread has entered.

use std::cell::RefCell;

use crate::scope::task::Owner;
use crate::trace::SpanKey;

/// A span that was entered.
#[derive(Clone, Copy)]
pub(super) struct Entered {
    pub(super) owner: Owner,
    pub(super) key: SpanKey,
    /// What was current before, if that is a span of the same trace. Otherwise a scope lies over
    /// what was current.
    pub(super) before: Option<u64>,
}

thread_local! {
    // Spans are entered and left on the same thread, but not always in the order of a stack.
    static ENTERED: RefCell<Vec<Entered>> = const { RefCell::new(Vec::new()) };
}

#[inline]
pub(super) fn push(entered: Entered) {
    with(|stack| stack.push(entered));
}

/// Takes out the last one of this owner, and gives what was current before it to the one after it.
#[inline]
pub(super) fn pop(owner: Owner) -> Option<Entered> {
    with(|stack| match stack.last() {
        Some(last) if last.owner == owner => stack.pop(),
        _ => take_out(stack, owner),
    })?
}

/// The last one that was entered of a layer.
pub(super) fn last_of(layer: u64) -> Option<Owner> {
    let owners = |stack: &mut Vec<Entered>| {
        let mut owners = stack.iter().rev().map(|entered| entered.owner);
        owners.find(|owner| owner.0 == layer)
    };
    with(owners)?
}

#[cold]
fn take_out(stack: &mut Vec<Entered>, owner: Owner) -> Option<Entered> {
    let index = stack.iter().rposition(|entered| entered.owner == owner)?;
    let taken = stack.remove(index);
    let mut later = stack.iter_mut().skip(index);
    let next = later.find(|next| next.before.is_some() && next.key.trace == taken.key.trace);
    if let (Some(next), Some(_)) = (next, taken.before) {
        next.before = taken.before;
    }
    Some(taken)
}

/// A thread that ends has nothing to do with it any more.
#[inline]
fn with<R>(f: impl FnOnce(&mut Vec<Entered>) -> R) -> Option<R> {
    ENTERED
        .try_with(|stack| Some(f(&mut *stack.try_borrow_mut().ok()?)))
        .ok()?
}
