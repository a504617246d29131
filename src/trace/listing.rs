//! How a trace is found by its number.

use std::collections::HashMap;
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

use super::trace::Trace;

impl Trace {
    /// A number that no other trace has, and which is even.
    pub(crate) fn number(&self) -> u64 {
        self.info.id_seed & !1
    }

    /// The trace of this number, if it is there.
    pub(crate) fn listed(number: u64) -> Option<Arc<Self>> {
        traces().get(&number)?.found.upgrade()
    }

    /// Has the trace found by its number from now on.
    #[inline]
    pub(crate) fn list(self: &Arc<Self>) {
        if !self.listed.is.load(Ordering::Relaxed) {
            self.list_now();
        }
    }

    #[cold]
    fn list_now(self: &Arc<Self>) {
        let trace = Listing {
            found: Arc::downgrade(self),
            kept: None,
        };
        traces().entry(self.number()).or_insert(trace);
        self.listed.is.store(true, Ordering::Relaxed);
    }

    /// Counts open spans that are known by their keys, and keeps the trace as long as there are any.
    ///
    /// Tasks count for themselves and tell it when they end. As long as there are tasks that have
    /// not, the count may be wrong, but then it is they who keep the trace.
    #[cold]
    pub(crate) fn count_open_keys(self: &Arc<Self>, change: i64) {
        let mut traces = traces();
        let open = self.listed.open.fetch_add(change, Ordering::Relaxed) + change;
        let Some(listing) = traces.get_mut(&self.number()) else {
            return;
        };
        let kept = (open > 0).then(|| Arc::clone(self));
        let not_kept = mem::replace(&mut listing.kept, kept);
        // It may be the end of the trace, which then takes it out of the list.
        drop(traces);
        drop(not_kept);
    }
}

/// How a trace is found by its number, until it ends.
pub(crate) struct Listed {
    number: u64,
    is: AtomicBool,
    /// How many of its spans are open that are known by their keys, as far as tasks have told.
    open: AtomicI64,
}

impl Listed {
    pub(crate) fn new(id_seed: u64) -> Self {
        Self {
            number: id_seed & !1,
            is: AtomicBool::new(false),
            open: AtomicI64::new(0),
        }
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        if *self.is.get_mut() {
            traces().remove(&self.number);
        }
    }
}

/// A trace in the list.
struct Listing {
    found: Weak<Trace>,
    /// For spans that are open and whose tasks have ended.
    kept: Option<Arc<Trace>>,
}

fn traces() -> MutexGuard<'static, HashMap<u64, Listing>> {
    static TRACES: LazyLock<Mutex<HashMap<u64, Listing>>> = LazyLock::new(Mutex::default);
    TRACES.lock().unwrap_or_else(PoisonError::into_inner)
}
