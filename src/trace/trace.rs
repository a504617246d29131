//! What the tasks of one transaction share.

#[cfg(feature = "tracing")]
use std::sync::atomic::AtomicI64;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::mailbox::Mailbox;
use crate::client::Client;
use crate::propagation::{PropagationContext, Remote};
use crate::protocol::DynamicSamplingContext;
use crate::record::{AttributeRoom, Name, TraceInfo};
use crate::scope::Scopes;

/// What the tasks of one transaction share.
pub(crate) struct Trace {
    pub(crate) client: Client,
    pub(crate) info: TraceInfo,
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
    /// For how many spans the tasks have asked for room.
    pub(crate) reserved: AtomicU32,
    /// How much of what it may hold in attributes is reserved.
    pub(crate) attribute_room: AttributeRoom,
    /// Whether anything was changed away from its home. From then on every
    /// change is left with the trace, which keeps them in order.
    pub(crate) changed_away: AtomicBool,
    /// Whether the root has ended. What comes later is not part of the
    /// transaction. Only changed, and only relied on, under the lock.
    pub(crate) ended: AtomicBool,
    /// Whether the trace is found by its number.
    #[cfg(feature = "tracing")]
    pub(super) listed: AtomicBool,
    /// How many of its spans are open that are known by their keys, as far as tasks have told.
    #[cfg(feature = "tracing")]
    pub(super) open_keys: AtomicI64,
    /// `None` as long as nobody has left anything, as in most transactions.
    pub(crate) mailbox: Mutex<Option<Box<Mailbox>>>,
}

impl Trace {
    pub(crate) fn new(
        client: Client,
        info: TraceInfo,
        recorded: bool,
        name: Name,
        head: Option<Arc<Self>>,
        continued: Option<Arc<PropagationContext>>,
    ) -> Self {
        Self {
            client,
            recorded,
            name: Mutex::new(name),
            head,
            continued,
            frozen: OnceLock::new(),
            reserved: AtomicU32::new(0),
            attribute_room: AttributeRoom::default(),
            changed_away: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            #[cfg(feature = "tracing")]
            listed: AtomicBool::new(false),
            #[cfg(feature = "tracing")]
            open_keys: AtomicI64::new(0),
            mailbox: Mutex::new(None),
            info,
        }
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

    pub(crate) fn mailbox(&self) -> MutexGuard<'_, Option<Box<Mailbox>>> {
        self.mailbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// The scopes of a transaction that has ended or has no task of its own.
    pub(crate) fn scopes(&self) -> Scopes {
        self.mailbox()
            .as_ref()
            .map(|mailbox| mailbox.scopes.clone())
            .unwrap_or_default()
    }

    /// Takes the scopes of a transaction without a task of its own, now that it ends.
    pub(crate) fn take_scopes(&self) -> Scopes {
        let mut mailbox = self.mailbox();
        mailbox
            .as_mut()
            .map(|mailbox| std::mem::take(&mut mailbox.scopes))
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
