//! Which of our spans belongs to which span of `tracing`.

use std::mem;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use tracing_core::span::Id;

use crate::scope::task::TaskScope;
use crate::trace::{OpenSpan, SpanKey};

/// The open spans of a layer by their ids.
///
/// The registry has a place for such things with each span, but to find it, lock it and look into
/// it takes longer than all else that is done here. Ids are only used by those who hold the span,
/// who have it from where it was made; so whoever looks one up finds what was written there, and
/// plain loads and stores are enough. Only two spans that begin at once have to agree on who gets
/// a place.
pub(super) struct Table {
    places: Box<[Entry]>,
    /// Where those go who found no place here.
    next: OnceLock<Box<Self>>,
}

/// An open span.
#[derive(Default)]
#[repr(align(64))]
pub(super) struct Entry {
    /// Zero where there is none.
    id: AtomicU64,
    trace: AtomicU64,
    number: AtomicU64,
    flags: AtomicU8,
    /// Only looked at where the flags say so.
    kept: Mutex<Kept>,
}

/// What few spans have.
#[derive(Default)]
pub(super) struct Kept {
    /// What the span is entered in away from its trace, as long as it is not.
    pub(super) scope: Option<Box<TaskScope>>,
    /// The transaction that ends with it.
    pub(super) transaction: Option<Box<OpenSpan>>,
}

impl Table {
    pub(super) fn new() -> Self {
        Self::of_size(FIRST_SIZE)
    }

    fn of_size(size: usize) -> Self {
        Self {
            places: (0..size).map(|_| Entry::default()).collect(),
            next: OnceLock::new(),
        }
    }

    /// The span of this id, if it is known.
    #[inline]
    pub(super) fn find(&self, id: &Id) -> Option<&Entry> {
        let id = id.into_u64();
        let mut table = self;
        loop {
            let found = table.candidates(id).find(|entry| entry.is(id));
            if found.is_some() {
                return found;
            }
            table = table.next.get()?;
        }
    }

    /// Notes which of our spans it is. It is not there yet.
    #[inline]
    pub(super) fn insert(&self, id: &Id, key: SpanKey) -> &Entry {
        let id = id.into_u64();
        let mut table = self;
        let entry = loop {
            if let Some(entry) = table.candidates(id).find(|entry| entry.claim(id)) {
                break entry;
            }
            let next_size = table.places.len() * GROWTH;
            let next = || Box::new(Self::of_size(next_size));
            table = table.next.get_or_init(next);
        };
        entry.trace.store(key.trace, Ordering::Relaxed);
        entry.number.store(key.number, Ordering::Relaxed);
        let flags = if key.recorded { RECORDED } else { 0 };
        entry.flags.store(flags, Ordering::Relaxed);
        entry
    }

    /// The places where a span of this id may be.
    #[inline]
    fn candidates(&self, id: u64) -> impl Iterator<Item = &Entry> {
        // The upper bits of the product depend on all bits of the id.
        let mixed = id.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let first = mixed as usize & (self.places.len() - 1) & !(CANDIDATES - 1);
        self.places[first..].iter().take(CANDIDATES)
    }
}

impl Drop for Table {
    /// Ends what is still open, as nobody else knows of it.
    fn drop(&mut self) {
        for entry in &self.places {
            if !entry.is(0) {
                entry.close();
            }
        }
    }
}

impl Entry {
    #[inline]
    pub(super) fn key(&self) -> SpanKey {
        SpanKey {
            trace: self.trace.load(Ordering::Relaxed),
            number: self.number.load(Ordering::Relaxed),
            recorded: self.has(RECORDED),
        }
    }

    /// What is kept with it, to add to it.
    pub(super) fn keep(&self) -> MutexGuard<'_, Kept> {
        self.flags.fetch_or(KEEPS, Ordering::Relaxed);
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the scope that is kept with it.
    pub(super) fn take_scope(&self) -> Option<Box<TaskScope>> {
        self.has(KEEPS).then(|| self.keep().scope.take())?
    }

    /// Ends the span and forgets it.
    #[inline]
    pub(super) fn close(&self) {
        let key = self.key();
        if self.has(KEEPS) {
            return self.close_kept(key);
        }
        self.id.store(0, Ordering::Release);
        key.end();
    }

    #[cold]
    fn close_kept(&self, key: SpanKey) {
        let Kept { scope, transaction } = mem::take(&mut *self.keep());
        self.id.store(0, Ordering::Release);
        // In this order, so that the transaction has what was recorded in the scope.
        drop(scope);
        match transaction {
            Some(transaction) => drop(transaction),
            None => key.end(),
        }
    }

    #[inline]
    fn is(&self, id: u64) -> bool {
        self.id.load(Ordering::Relaxed) == id
    }

    #[inline]
    fn claim(&self, id: u64) -> bool {
        self.is(0)
            && self
                .id
                .compare_exchange(0, id, Ordering::Acquire, Ordering::Relaxed)
                .is_ok()
    }

    #[inline]
    fn has(&self, flag: u8) -> bool {
        self.flags.load(Ordering::Relaxed) & flag != 0
    }
}

/// How many spans may be open before there is a second table. A power of two, as all of these.
const FIRST_SIZE: usize = 1_024;
/// By how much each table is larger than the one before.
const GROWTH: usize = 4;
/// In how many places a span may be.
const CANDIDATES: usize = 4;

const RECORDED: u8 = 1;
const KEEPS: u8 = 2;
