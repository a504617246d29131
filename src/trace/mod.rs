//! Recording: transactions, spans, and the futures that carry them.
//!
//! A [`Trace`] is what the tasks of one transaction share. Each task records
//! into a buffer of its own ([`TaskSpans`]) while it is polled, and hands that
//! over when it ends. Whoever touches a span from elsewhere leaves the change
//! with the trace. [`Finished`] puts it all together, away from the request.

mod assemble;
mod attributes;
mod buffer;
#[cfg(feature = "_call-sites")]
mod call_site;
mod context;
mod future;
#[cfg(feature = "tracing")]
mod metadata;
mod open_scope;
#[cfg(any(feature = "_calls", feature = "_http-client"))]
mod polled_span;
mod propagate;
mod record;
#[cfg(feature = "_http-server")]
mod recorded_request;
mod request;
mod sampler;
mod sampling;
mod shared;
mod short;
#[cfg(any(feature = "_call-sites", feature = "tracing"))]
mod source_path;
mod span;
mod span_builder;
#[cfg(feature = "tracing")]
mod span_key;
mod spawn;
mod start;
mod task;
mod transaction;

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use self::record::SpanNumber;
use self::sampling::Sampling;
use self::shared::Shared;
use crate::client::Client;
use crate::clock::Anchor;
use crate::id::{EventId, SpanId, TraceId};
use crate::propagation::{PropagationContext, Remote};
use crate::protocol::{DynamicSamplingContext, TransactionSource};
use crate::scope::Scopes;

pub(crate) use self::assemble::{Assembly, Finished};
pub(crate) use self::buffer::BufferPool;
#[cfg(any(
    feature = "_calls",
    feature = "_http-client",
    feature = "_http-server",
    feature = "tracing",
))]
pub(crate) use self::future::poll_and_drop;
#[cfg(any(feature = "_http-server", feature = "apalis"))]
pub(crate) use self::open_scope::OpenScope;
#[cfg(any(feature = "_calls", feature = "_http-client"))]
pub(crate) use self::polled_span::PolledSpan;
#[cfg(feature = "_http-server")]
pub(crate) use self::recorded_request::{Fields, RequestWriter};
#[cfg(feature = "_http-server")]
pub(crate) use self::request::RequestHead;
#[cfg(any(feature = "_calls", feature = "tracing"))]
pub(crate) use self::span::is_recording;
#[cfg(feature = "tracing")]
pub(crate) use self::span_key::SpanKey;
#[cfg(feature = "_http-server")]
pub(crate) use self::start::Arrival;
pub(crate) use self::task::TaskSpans;

pub use self::future::{InScope, InSpan, InTransaction, Instrument, RecordErr, WithScope};
pub use self::propagate::{continue_trace, outgoing_trace, outgoing_trace_to, start_new_trace};
pub use self::sampler::SamplingContext;
pub use self::span::{OpenSpan, Span, current_span, current_transaction};
pub use self::span_builder::{SpanBuilder, span};
pub use self::spawn::{JoinSetExt, in_current_scope, spawn, spawn_blocking};
pub use self::transaction::{TransactionBuilder, transaction};

/// What the tasks of one transaction share.
pub(crate) struct Trace {
    client: Client,
    trace_id: TraceId,
    /// Every span id is this number mixed with the span's own.
    id_seed: u64,
    /// The span outside of the transaction that caused it.
    parent: Option<SpanId>,
    sampling: Sampling,
    /// Whether there is a record: for the server if the trace is sampled, and for Spotlight.
    recorded: bool,
    /// Apart from the record, because others are told of it, also where nothing is recorded.
    name: Mutex<Name>,
    /// The transaction around, which knows what others are told of the trace.
    head: Option<Arc<Self>>,
    /// The trace that came in from elsewhere and goes on here.
    continued: Option<Arc<PropagationContext>>,
    /// What others are told of the trace, from when the first of them is.
    frozen: OnceLock<Arc<DynamicSamplingContext>>,
    anchor: Anchor,
    root: SpanNumber,
    /// For how many spans the tasks have asked for room.
    reserved: AtomicU32,
    /// Whether anything was changed away from its home. From then on every
    /// change is left with the trace, which keeps them in order.
    changed_away: AtomicBool,
    /// Whether the root has ended. What comes later is not part of the
    /// transaction. Only changed, and only relied on, under the lock.
    ended: AtomicBool,
    #[cfg(feature = "tracing")]
    listed: span_key::Listed,
    /// `None` as long as nobody has left anything, as in most transactions.
    shared: Mutex<Option<Box<Shared>>>,
}

/// The name of a transaction and what it is made of.
#[derive(Clone, Debug)]
struct Name {
    text: Cow<'static, str>,
    source: TransactionSource,
}

impl Trace {
    /// The id of a span by its number: never zero, and different for every number.
    fn span_id(&self, number: SpanNumber) -> SpanId {
        let id = |bits: u64| SpanId::from_bits(mix(self.id_seed.wrapping_add(bits)));
        // Only one number gives zero. It then gets the id of a number that is
        // never used, which can't be zero as well.
        id(number.bits())
            .or_else(|| id(u64::MAX))
            .unwrap_or(SpanId::ONE)
    }

    /// The id of the event whose root is this span. It is made of the same
    /// random numbers as the span's id, and differs wherever that does.
    fn event_id(&self, root: SpanNumber) -> EventId {
        let number = self.id_seed.wrapping_add(root.bits());
        let half = |salt: u64| u128::from(mix(number ^ salt));
        EventId::from_random(half(0) << 64 | half(self.trace_id.bits() as u64))
    }

    /// Asks for room for more spans, and tells whether it was given.
    ///
    /// A task asks for as many as it has recorded, so at least half of what is
    /// given is used. Given is up to twice the limit, so nobody is refused who
    /// is within it; what is recorded beyond the limit is cut off at the end.
    fn reserve(&self, wanted: u32) -> bool {
        let limit = self.client.max_spans().saturating_mul(2);
        let given = self.reserved.load(Ordering::Relaxed) < limit;
        if given {
            self.reserved.fetch_add(wanted, Ordering::Relaxed);
        }
        given
    }

    fn shared(&self) -> MutexGuard<'_, Option<Box<Shared>>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// The scopes of a transaction that has ended or has no task of its own.
    fn scopes(&self) -> Scopes {
        self.shared()
            .as_ref()
            .map(|shared| shared.scopes.clone())
            .unwrap_or_default()
    }

    /// The process that the trace came from.
    fn remote(&self) -> Option<&Remote> {
        self.continued.as_ref()?.remote.as_ref()
    }

    fn name(&self) -> Name {
        let name = self.name.lock().unwrap_or_else(PoisonError::into_inner);
        name.clone()
    }

    /// Gives the transaction another name or another source, unless it has ended.
    fn rename(&self, change: impl FnOnce(&mut Name)) {
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
