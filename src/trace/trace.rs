//! Recording: transactions, spans, and the futures that carry them.
//!
//! A [`Trace`] is what the tasks of one transaction share. Each task records
//! into a buffer of its own ([`TaskSpans`]) while it is polled, and hands that
//! over when it ends. Whoever touches a span from elsewhere leaves the change
//! with the trace. [`Finished`] puts it all together, away from the request.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

#[cfg(feature = "tracing")]
use super::listing::Listed;
use super::mailbox::Shared;
use super::sampling::Sampling;
use crate::client::Client;
use crate::clock::Anchor;
use crate::propagation::{PropagationContext, Remote};
use crate::protocol::{DynamicSamplingContext, EventId, SpanId, TraceId, TransactionSource};
use crate::record::SpanNumber;
use crate::scope::Scopes;

/// What the tasks of one transaction share.
pub(crate) struct Trace {
    pub(crate) client: Client,
    pub(crate) trace_id: TraceId,
    /// Every span id is this number mixed with the span's own.
    pub(crate) id_seed: u64,
    /// The span outside of the transaction that caused it.
    pub(crate) parent: Option<SpanId>,
    pub(crate) sampling: Sampling,
    /// Whether there is a record: for the server if the trace is sampled, and for Spotlight.
    pub(crate) recorded: bool,
    /// Apart from the record, because others are told of it, also where nothing is recorded.
    pub(crate) name: Mutex<Name>,
    /// The transaction around, which knows what others are told of the trace.
    pub(crate) head: Option<Arc<Self>>,
    /// The trace that came in from elsewhere and goes on here.
    pub(crate) continued: Option<Arc<PropagationContext>>,
    /// What others are told of the trace, from when the first of them is.
    pub(crate) frozen: OnceLock<Arc<DynamicSamplingContext>>,
    pub(crate) anchor: Anchor,
    pub(crate) root: SpanNumber,
    /// For how many spans the tasks have asked for room.
    pub(crate) reserved: AtomicU32,
    /// Whether anything was changed away from its home. From then on every
    /// change is left with the trace, which keeps them in order.
    pub(crate) changed_away: AtomicBool,
    /// Whether the root has ended. What comes later is not part of the
    /// transaction. Only changed, and only relied on, under the lock.
    pub(crate) ended: AtomicBool,
    #[cfg(feature = "tracing")]
    pub(crate) listed: Listed,
    /// `None` as long as nobody has left anything, as in most transactions.
    pub(crate) shared: Mutex<Option<Box<Shared>>>,
}

/// The name of a transaction and what it is made of.
#[derive(Clone, Debug)]
pub(crate) struct Name {
    pub(crate) text: Cow<'static, str>,
    pub(crate) source: TransactionSource,
}

impl Trace {
    /// The id of a span by its number: never zero, and different for every number.
    pub(crate) fn span_id(&self, number: SpanNumber) -> SpanId {
        let id = |bits: u64| SpanId::from_bits(mix(self.id_seed.wrapping_add(bits)));
        // Only one number gives zero. It then gets the id of a number that is
        // never used, which can't be zero as well.
        id(number.bits())
            .or_else(|| id(u64::MAX))
            .unwrap_or(SpanId::ONE)
    }

    /// The id of the event whose root is this span. It is made of the same
    /// random numbers as the span's id, and differs wherever that does.
    pub(crate) fn event_id(&self, root: SpanNumber) -> EventId {
        let number = self.id_seed.wrapping_add(root.bits());
        let half = |salt: u64| u128::from(mix(number ^ salt));
        EventId::from_random(half(0) << 64 | half(self.trace_id.bits() as u64))
    }

    /// Asks for room for more spans, and tells whether it was given.
    ///
    /// A task asks for as many as it has recorded, so at least half of what is
    /// given is used. Given is up to twice the limit, so nobody is refused who
    /// is within it; what is recorded beyond the limit is cut off at the end.
    pub(crate) fn reserve(&self, wanted: u32) -> bool {
        let limit = self.client.max_spans().saturating_mul(2);
        let given = self.reserved.load(Ordering::Relaxed) < limit;
        if given {
            self.reserved.fetch_add(wanted, Ordering::Relaxed);
        }
        given
    }

    pub(crate) fn shared(&self) -> MutexGuard<'_, Option<Box<Shared>>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// The scopes of a transaction that has ended or has no task of its own.
    pub(crate) fn scopes(&self) -> Scopes {
        self.shared()
            .as_ref()
            .map(|shared| shared.scopes.clone())
            .unwrap_or_default()
    }

    /// The process that the trace came from.
    pub(crate) fn remote(&self) -> Option<&Remote> {
        self.continued.as_ref()?.remote.as_ref()
    }

    pub(crate) fn name(&self) -> Name {
        let name = self.name.lock().unwrap_or_else(PoisonError::into_inner);
        name.clone()
    }

    /// Gives the transaction another name or another source, unless it has ended.
    pub(crate) fn rename(&self, change: impl FnOnce(&mut Name)) {
        let mut name = self.name.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.has_ended() {
            change(&mut name);
        }
    }
}

/// Maps numbers to numbers that look random, and no two of them to the same.
fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
