//! The end of a transaction, and of tasks that outlive it.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::trace::Trace;
use crate::clock::Ticks;
use crate::record::{
    Change, Changes, HandedOver, Item, NO_TASK, Name, Root, Segment, SpanBuffer, SpanNumber,
};
#[cfg(feature = "tracing")]
use crate::scope::Scope;
use crate::scope::Scopes;

impl Trace {
    /// Ends the root of a transaction that is not sampled: it is counted.
    pub(crate) fn unsampled_root_ended(&self) {
        if let Some(reason) = self.info.sampling.discard_reason() {
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
        if !self.info.sampling.sampled {
            // Recorded for the local viewer alone.
            self.unsampled_root_ended();
        }
        let root_number = self.info.root;
        let mut refused = refused;
        let mut others = HandedOver::default();
        let mut changes = Changes::default();
        let mut mailbox = self.mailbox();
        self.ended.store(true, Ordering::Relaxed);
        if let Some(mailbox) = mailbox.as_deref_mut() {
            let away = mem::take(&mut mailbox.buffer);
            others = mem::take(&mut mailbox.handed_over);
            if root_number.task() == NO_TASK {
                buffer = away;
            } else {
                others.add(NO_TASK, away, &self.attribute_room);
            }
            #[cfg(feature = "tracing")]
            {
                let left = mem::take(&mut mailbox.on_the_way);
                scopes.isolation.merge(&Scope::default(), &left);
            }
            // What was changed of spans that are still recorded stays here.
            let live = &mailbox.live;
            changes = mailbox.changes.take_tasks(|task| !live.contains(&task));
            refused = refused.saturating_add(mem::take(&mut mailbox.refused));
        }
        let Some(root) = buffer.records.get_mut(root_number.index()) else {
            return;
        };
        if let Some(amendment) = changes.take_amendment(root_number) {
            amendment.apply_to(root);
        }
        root.apply(end);
        let ended = root.end;
        if let Some(mailbox) = mailbox.as_deref_mut().filter(|it| !it.live.is_empty()) {
            // Late tasks go by what the root ended with.
            mailbox.scopes = scopes.clone();
        }
        drop(mailbox);

        let children = buffer.records.len() - 1 + others.len();
        let parts = Parts {
            root: Root::Recorded(root_number),
            own: (root_number.task(), buffer),
            others,
            changes,
            scopes,
            ended,
            children,
        };
        self.deliver(parts, refused);
    }

    /// Delivers what a task recorded that outlived its transaction, if it is anything.
    pub(crate) fn late_task_ended(
        self: Arc<Self>,
        own: (u32, SpanBuffer),
        spawned_by: SpanNumber,
        changes: Changes,
        refused: u32,
        scopes: Scopes,
    ) {
        let outermost = own.1.records.iter();
        let outermost = outermost
            .filter(|record| record.parent.task() != own.0)
            .count();
        if outermost == 0 {
            if refused > 0 && self.info.sampling.sampled {
                self.client.count_refused_spans(refused);
            }
            return;
        }
        let children = own.1.records.len() - usize::from(outermost == 1);
        let parts = Parts {
            root: Root::Late { spawned_by },
            own,
            others: HandedOver::default(),
            changes,
            scopes,
            ended: Ticks::now(),
            children,
        };
        self.deliver(parts, refused);
    }

    /// Gives a segment to the client, and counts the spans that were not recorded if it is sampled.
    fn deliver(mut self: Arc<Self>, parts: Parts, refused: u32) {
        let Parts {
            root,
            own,
            others,
            changes,
            scopes,
            ended,
            children,
        } = parts;
        let segment = Segment {
            sampling_context: self.sampling_context_source(),
            info: self.info,
            name: self.take_name(),
            root,
            own,
            others,
            changes,
            scopes,
            ended,
            children: u32::try_from(children).unwrap_or(u32::MAX),
        };
        let item = Item::Transaction(Box::new(segment));
        let client = &self.client;
        if !self.info.sampling.sampled {
            return client.show(item);
        }
        if refused > 0 {
            client.count_refused_spans(refused);
        }
        client.submit(item);
    }

    /// The name of the transaction. It is copied only if something else may ask for it later.
    fn take_name(self: &mut Arc<Self>) -> Name {
        match Arc::get_mut(self) {
            Some(alone) => {
                let name = alone.name.get_mut();
                let name = name.unwrap_or_else(std::sync::PoisonError::into_inner);
                Name {
                    text: mem::take(&mut name.text),
                    source: name.source,
                }
            }
            None => self.name(),
        }
    }
}

/// What was recorded of a segment, apart from what its trace knows.
struct Parts {
    root: Root,
    own: (u32, SpanBuffer),
    others: HandedOver,
    changes: Changes,
    scopes: Scopes,
    ended: Ticks,
    /// How many spans there are below the root.
    children: usize,
}
