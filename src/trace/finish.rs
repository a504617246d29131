//! The end of a transaction, and of tasks that outlive it.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::mailbox::{Changes, NO_TASK};
use super::trace::Trace;
use crate::export::{Finished, Root};
use crate::record::{Change, SpanBuffer};
#[cfg(feature = "tracing")]
use crate::scope::Scope;
use crate::scope::Scopes;

impl Trace {
    /// Ends the root of a transaction that is not sampled: it is counted.
    pub(crate) fn unsampled_root_ended(&self) {
        if let Some(reason) = self.sampling.left_out_because() {
            self.client.count_unsampled(reason);
        }
    }

    /// Ends the root and delivers the transaction, without what is still recorded by other tasks.
    pub(crate) fn root_ended(
        self: Arc<Self>,
        mut buffer: SpanBuffer,
        end: Change,
        refused: u32,
        #[cfg_attr(not(feature = "tracing"), expect(unused_mut))] mut scopes: Scopes,
    ) {
        if !self.sampling.sampled {
            // Recorded for the local viewer alone.
            self.unsampled_root_ended();
        }
        let mut refused = refused;
        let mut others = Vec::new();
        let mut changes = Changes::default();
        let mut left = self.shared();
        self.ended.store(true, Ordering::Relaxed);
        if let Some(shared) = left.as_deref_mut() {
            let away = mem::take(&mut shared.buffer);
            others = mem::take(&mut shared.handed_over);
            if self.root.task() == NO_TASK {
                buffer = away;
            } else if !away.records.is_empty() {
                others.push((NO_TASK, away));
            }
            #[cfg(feature = "tracing")]
            {
                let left = mem::take(&mut shared.on_the_way);
                scopes.isolation.merge(&Scope::default(), &left);
            }
            // What was changed of spans that are still recorded stays here.
            changes = shared.take_changes_of_ended_tasks();
            refused = refused.saturating_add(mem::take(&mut shared.refused));
        }
        let Some(root) = buffer.records.get_mut(self.root.index()) else {
            return;
        };
        if let Some(amendment) = changes.amendments.remove(&self.root) {
            amendment.apply_to(root);
        }
        root.apply(end);
        let ended = root.end;
        if let Some(shared) = left.as_deref_mut().filter(|shared| !shared.live.is_empty()) {
            // Late tasks go by what the root ended with.
            shared.scopes = scopes.clone();
        }
        drop(left);

        let recorded = buffer.records.len()
            + others
                .iter()
                .map(|other| other.1.records.len())
                .sum::<usize>();
        let finished = Finished {
            root: Root::Recorded(self.root),
            own: (self.root.task(), buffer),
            others,
            changes,
            scopes,
            ended,
            children: u32::try_from(recorded - 1).unwrap_or(u32::MAX),
            refused,
            trace: self,
        };
        finished.deliver();
    }
}
