//! How a trace is found by its number.

use std::collections::HashMap;
use std::mem;
use std::sync::atomic::Ordering;
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
        if !self.listed.load(Ordering::Relaxed) {
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
        self.listed.store(true, Ordering::Relaxed);
    }

    /// Counts open spans that are known by their keys, and keeps the trace as long as there are any.
    ///
    /// Tasks count for themselves and tell it when they end. As long as there are tasks that have
    /// not, the count may be wrong, but then it is they who keep the trace.
    #[cold]
    pub(crate) fn count_open_keys(self: &Arc<Self>, change: i64) {
        let mut traces = traces();
        let open = self.open_keys.fetch_add(change, Ordering::Relaxed) + change;
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

impl Drop for Trace {
    fn drop(&mut self) {
        if *self.listed.get_mut() {
            traces().remove(&self.number());
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
