//! Which of our spans belongs to which span of `tracing`.

use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use tracing_core::span::Id;

use crate::span::{OpenSpan, SpanKey};
use crate::task::TaskScope;

/// The open spans of a layer by their ids.
///
/// The registry has a place for such things with each span, but to find it, lock it and look into
/// it takes longer than all else that is done here. Ids are only used by those who hold the span,
/// who have it from where it was made; so whoever looks one up finds what was written there, and
/// plain loads and stores are enough. Only two spans that begin at once have to agree on who gets
/// a place.
pub(super) struct Table {
    /// Which of them a span is in depends on its id.
    buckets: Box<[Bucket]>,
    /// For those who found no place here.
    next: OnceLock<Box<Self>>,
}

/// Some open spans. Their ids are beside each other, as they are what is looked at.
#[derive(Default)]
#[repr(align(64))]
struct Bucket {
    /// Zero where there is none.
    ids: [AtomicU64; PLACES],
    entries: [Entry; PLACES],
}

/// What is known of an open span.
#[derive(Default)]
struct Entry {
    trace: AtomicU64,
    number: AtomicU64,
    /// Whether anything is.
    keeps: AtomicBool,
    kept: Mutex<Kept>,
}

/// An open span.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    id: &'a AtomicU64,
    entry: &'a Entry,
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

    fn of_size(buckets: usize) -> Self {
        Self {
            buckets: (0..buckets).map(|_| Bucket::default()).collect(),
            next: OnceLock::new(),
        }
    }

    /// The span of this id, if it is known.
    #[inline]
    pub(super) fn find(&self, id: &Id) -> Option<Known<'_>> {
        let id = id.into_u64();
        match self.bucket(id).find(id) {
            None => self.next.get()?.find_further(id),
            found => found,
        }
    }

    #[cold]
    fn find_further(&self, id: u64) -> Option<Known<'_>> {
        let found = self.bucket(id).find(id);
        found.or_else(|| self.next.get()?.find_further(id))
    }

    /// Notes which of our spans it is. It is not there yet.
    #[inline]
    pub(super) fn insert(&self, id: &Id, key: SpanKey) -> Known<'_> {
        let id = id.into_u64();
        let known = self.bucket(id).claim(id);
        let known = known.unwrap_or_else(|| self.claim_further(id));
        let entry = known.entry;
        entry.trace.store(key.trace, Ordering::Relaxed);
        entry.number.store(key.number, Ordering::Relaxed);
        entry.keeps.store(false, Ordering::Relaxed);
        known
    }

    #[cold]
    fn claim_further(&self, id: u64) -> Known<'_> {
        let size = self.buckets.len() * GROWTH;
        let next = self.next.get_or_init(|| Box::new(Self::of_size(size)));
        let known = next.bucket(id).claim(id);
        known.unwrap_or_else(|| next.claim_further(id))
    }

    #[inline]
    fn bucket(&self, id: u64) -> &Bucket {
        // The upper bits of the product depend on all bits of the id.
        let mixed = (id.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize;
        &self.buckets[mixed & (self.buckets.len() - 1)]
    }
}

impl Drop for Table {
    /// Ends what is still open, as nobody else knows of it.
    fn drop(&mut self) {
        let open = |known: &Known<'_>| known.id.load(Ordering::Relaxed) != 0;
        let known = self.buckets.iter().flat_map(Bucket::places);
        known.filter(open).for_each(Known::close);
    }
}

impl Bucket {
    #[inline]
    fn find(&self, id: u64) -> Option<Known<'_>> {
        self.places()
            .find(|known| known.id.load(Ordering::Relaxed) == id)
    }

    #[inline]
    fn claim(&self, id: u64) -> Option<Known<'_>> {
        self.places().find(|known| known.claim(id))
    }

    #[inline]
    fn places(&self) -> impl Iterator<Item = Known<'_>> {
        let places = self.ids.iter().zip(&self.entries);
        places.map(|(id, entry)| Known { id, entry })
    }
}

impl<'a> Known<'a> {
    #[inline]
    pub(super) fn key(self) -> SpanKey {
        SpanKey {
            trace: self.entry.trace.load(Ordering::Relaxed),
            number: self.entry.number.load(Ordering::Relaxed),
        }
    }

    /// What is kept with it, to add to it.
    pub(super) fn keep(self) -> MutexGuard<'a, Kept> {
        self.entry.keeps.store(true, Ordering::Relaxed);
        let kept = self.entry.kept.lock();
        kept.unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the scope that is kept with it.
    pub(super) fn take_scope(self) -> Option<Box<TaskScope>> {
        self.keeps().then(|| self.keep().scope.take())?
    }

    /// Ends the span and forgets it.
    #[inline]
    pub(super) fn close(self) {
        let key = self.key();
        if self.keeps() {
            return self.close_kept(key);
        }
        self.id.store(0, Ordering::Release);
        key.end();
    }

    #[cold]
    fn close_kept(self, key: SpanKey) {
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
    fn claim(&self, id: u64) -> bool {
        let claim = || {
            self.id
                .compare_exchange(0, id, Ordering::Acquire, Ordering::Relaxed)
        };
        self.id.load(Ordering::Relaxed) == 0 && claim().is_ok()
    }

    #[inline]
    fn keeps(self) -> bool {
        self.entry.keeps.load(Ordering::Relaxed)
    }
}

/// How many buckets the first table has. A power of two, as is how much larger each next one is.
const FIRST_SIZE: usize = 256;
const GROWTH: usize = 4;
/// How many spans there may be in a bucket.
const PLACES: usize = 4;
