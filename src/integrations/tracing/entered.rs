//! What spans of `tracing` a thread has entered.

use std::cell::{Cell, RefCell};

use crate::span::SpanKey;
use crate::task::Owner;

/// A span that was entered.
#[derive(Clone, Copy)]
pub(super) struct Entered {
    pub(super) owner: Owner,
    pub(super) key: SpanKey,
    /// What was current before, if that is a span of the same trace. Otherwise a scope lies over
    /// what was current.
    pub(super) before: Option<u64>,
}

// Spans are entered and left on the same thread, but not always in the order of a stack.
thread_local! {
    // Most spans are left before another one is entered, and have nothing to do with the vector,
    // which has to be dropped with the thread.
    static LAST: Last = const { Last::none() };
    static OTHERS: RefCell<Vec<Entered>> = const { RefCell::new(Vec::new()) };
}

/// The one that was entered last, if it was not left.
///
/// In parts, since a copy of the whole has to wait until all of them are written.
struct Last {
    is: Cell<bool>,
    owner: Cell<Owner>,
    trace: Cell<u64>,
    number: Cell<u64>,
    before: Cell<Option<u64>>,
    /// Whether there are any in the vector.
    others: Cell<bool>,
}

#[inline]
pub(super) fn push(entered: Entered) {
    if LAST.with(|last| last.is.replace(true)) {
        push_to_others();
    }
    LAST.with(|last| {
        last.owner.set(entered.owner);
        last.trace.set(entered.key.trace);
        last.number.set(entered.key.number);
        last.before.set(entered.before);
    });
}

#[cold]
fn push_to_others() {
    let last = LAST.with(Last::get);
    with_others(|others| others.push(last));
}

/// Takes out the last one of this owner, and gives what was current before it to the one after it.
#[inline]
pub(super) fn pop(owner: Owner) -> Option<Entered> {
    if LAST.with(|last| last.is.get() && last.owner.get() == owner) {
        return Some(LAST.with(|last| {
            last.is.set(false);
            last.get()
        }));
    }
    match LAST.with(|last| last.others.get()) {
        true => pop_other(owner),
        false => None,
    }
}

/// The last one that was entered of a layer.
pub(super) fn last_of(layer: u64) -> Option<Owner> {
    LAST.with(|last| {
        if last.is.get() && last.owner.get().0 == layer {
            return Some(last.owner.get());
        }
        with_others(|others| {
            let mut owners = others.iter().rev().map(|entered| entered.owner);
            owners.find(|owner| owner.0 == layer)
        })?
    })
}

impl Last {
    const fn none() -> Self {
        Self {
            is: Cell::new(false),
            owner: Cell::new((0, 0)),
            trace: Cell::new(0),
            number: Cell::new(0),
            before: Cell::new(None),
            others: Cell::new(false),
        }
    }

    #[inline(always)]
    fn get(&self) -> Entered {
        Entered {
            owner: self.owner.get(),
            key: SpanKey {
                trace: self.trace.get(),
                number: self.number.get(),
            },
            before: self.before.get(),
        }
    }
}

#[cold]
fn pop_other(owner: Owner) -> Option<Entered> {
    if LAST.with(|last| last.is.replace(false)) {
        push_to_others();
    }
    with_others(|others| {
        let index = others.iter().rposition(|entered| entered.owner == owner)?;
        let taken = others.remove(index);
        if taken.before.is_some() {
            let mut later = others.iter_mut().skip(index);
            let next = later.find(|next| next.before.is_some() && next.key.has_trace_of(taken.key));
            if let Some(next) = next {
                next.before = taken.before;
            }
        }
        Some(taken)
    })?
}

/// A thread that ends has nothing to do with it any more.
#[cold]
fn with_others<R>(f: impl FnOnce(&mut Vec<Entered>) -> R) -> Option<R> {
    let with = |others: &RefCell<Vec<Entered>>| {
        let mut others = others.try_borrow_mut().ok()?;
        let result = f(&mut others);
        LAST.with(|last| last.others.set(!others.is_empty()));
        Some(result)
    };
    OTHERS.try_with(with).ok()?
}
