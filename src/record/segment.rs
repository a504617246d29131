//! A finished transaction, as its tasks left it.

use std::borrow::Cow;
use std::sync::Arc;

#[cfg(feature = "_call-sites")]
use super::attributes::Attributes;
use super::buffer::{HandedOver, SpanBuffer};
use super::changes::Changes;
use super::span::{Record, SpanNumber};
use super::trace_info::{Name, TraceInfo};
use crate::clock::Ticks;
use crate::propagation::PropagationContext;
use crate::protocol::DynamicSamplingContext;
use crate::scope::Scopes;

/// All that was recorded of a transaction.
///
/// It is made where the root ends, which only moves things here. The worker turns it into what
/// servers read.
pub(crate) struct Segment {
    pub(crate) info: TraceInfo,
    pub(crate) name: Name,
    pub(crate) root: Root,
    /// The buffer with the root in it, and the number of its task.
    pub(crate) own: (u32, SpanBuffer),
    /// What other tasks recorded.
    pub(crate) others: HandedOver,
    pub(crate) changes: Changes,
    pub(crate) scopes: Scopes,
    pub(crate) sampling_context: SamplingContextSource,
    pub(crate) ended: Ticks,
    /// How many spans below the root are recorded.
    pub(crate) children: u32,
}

/// What the root of a transaction is.
#[derive(Clone, Copy)]
pub(crate) enum Root {
    /// The span that it was started with.
    Recorded(SpanNumber),
    /// The only outermost span of a task that outlived its transaction, or a
    /// span that stands for the task if it has more of them.
    Late { spawned_by: SpanNumber },
}

/// What the dynamic sampling context of a finished transaction is made of.
pub(crate) enum SamplingContextSource {
    /// It has left the process before, and changes no more.
    Frozen(Arc<DynamicSamplingContext>),
    /// The trace came from another process.
    Continued(Arc<PropagationContext>),
    /// The trace began with the transaction.
    Own,
}

impl Segment {
    /// How many spans are recorded, the root included. Not all of them may be sent.
    pub(crate) fn spans(&self) -> u32 {
        self.children.saturating_add(1)
    }

    /// About how many bytes it holds on to.
    pub(crate) fn size(&self) -> usize {
        let own = &self.own.1;
        size_of::<Self>()
            + own.size()
            + self.others.size()
            + texts(own.records.iter().chain(self.others.records()))
            + self.changes.size()
            + self.scopes.size()
    }

    /// Whether it may take long to put it together, however small it is.
    pub(crate) fn takes_long(&self) -> bool {
        #[cfg(feature = "_call-sites")]
        {
            let own = [&self.own.1.attributes].into_iter();
            own.chain(self.others.attributes())
                .chain(self.changes.attributes())
                .any(Attributes::has_call_sites)
        }
        #[cfg(not(feature = "_call-sites"))]
        false
    }
}

/// How many bytes records hold on to beside themselves.
fn texts<'a>(records: impl Iterator<Item = &'a Record>) -> usize {
    let owned = |text: &Cow<'static, str>| match text {
        Cow::Borrowed(_) => 0,
        Cow::Owned(text) => text.capacity(),
    };
    records
        .map(|record| owned(&record.op) + owned(&record.name))
        .sum()
}
