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
    /// The task whose buffer has the root in it.
    pub(crate) task: u32,
    pub(crate) own: SpanBuffer,
    /// `None` if there is nothing but that buffer.
    pub(crate) left: Option<Box<Left>>,
    pub(crate) scopes: Scopes,
    pub(crate) sampling_context: SamplingContextSource,
    pub(crate) ended: Ticks,
    /// How many spans below the root are recorded.
    pub(crate) children: u32,
}

/// What was left with the trace of a segment, away from the task that recorded its root.
#[derive(Debug, Default)]
pub(crate) struct Left {
    /// What other tasks recorded.
    pub(crate) others: HandedOver,
    pub(crate) changes: Changes,
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
        let left = self.left.as_ref().map_or(0, |left| left.size());
        size_of::<Self>() + self.own.size() + texts(&self.own.records) + left + self.scopes.size()
    }

    /// Whether it may take long to put it together, however small it is.
    pub(crate) fn takes_long(&self) -> bool {
        #[cfg(feature = "_call-sites")]
        {
            let left = self.left.iter().flat_map(|left| left.attributes());
            left.chain([&self.own.attributes])
                .any(Attributes::has_call_sites)
        }
        #[cfg(not(feature = "_call-sites"))]
        false
    }
}

impl Left {
    #[cfg(feature = "_call-sites")]
    fn attributes(&self) -> impl Iterator<Item = &Attributes> {
        self.others.attributes().chain(self.changes.attributes())
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.others.size() + texts(self.others.records()) + self.changes.size()
    }
}

/// How many bytes records hold on to beside themselves.
fn texts<'a>(records: impl IntoIterator<Item = &'a Record>) -> usize {
    let owned = |text: &Cow<'static, str>| match text {
        Cow::Borrowed(_) => 0,
        Cow::Owned(text) => text.capacity(),
    };
    records
        .into_iter()
        .map(|record| owned(&record.op) + owned(&record.name))
        .sum()
}
