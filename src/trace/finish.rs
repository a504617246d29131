//! The end of a transaction, and of tasks that outlive it.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::mailbox::Mailbox;
use super::trace::Trace;
use crate::clock::Ticks;
use crate::record::{
    Change, Changes, HandedOver, Item, Left, NO_TASK, Name, Root, Segment, SpanBuffer, SpanNumber,
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
    ///
    /// `own` is the buffer of the root's task. A root without a task has its buffer in the mailbox.
    pub(crate) fn root_ended(
        self: &mut Arc<Self>,
        mut own: SpanBuffer,
        end: Change,
        mut refused: u32,
        mut scopes: Scopes,
    ) {
        let sampled = self.info.sampling.sampled;
        if !sampled {
            // Recorded for the local viewer alone.
            self.unsampled_root_ended();
        }
        let root_number = self.info.root;
        let mut left = None;
        let mut mailbox = self.mailbox();
        self.ended.store(true, Ordering::Relaxed);
        if let Some(mailbox) = mailbox.as_deref_mut() {
            left = Some(take_left(mailbox, self, &mut own, &mut scopes));
            refused = refused.saturating_add(mem::take(&mut mailbox.refused));
        }
        let Some(root) = own.records.get_mut(root_number.index()) else {
            return;
        };
        if let Some(left) = &mut left
            && let Some(amendment) = left.changes.take_amendment(root_number)
        {
            amendment.apply_to(root);
        }
        root.apply(end);
        let ended = root.end;
        if let Some(mailbox) = mailbox.as_deref_mut().filter(|it| !it.live.is_empty()) {
            // Late tasks go by what the root ended with.
            mailbox.scopes = scopes.clone();
        }
        drop(mailbox);

        let others = left.as_ref().map_or(0, |left| left.others.len());
        let children = own.records.len() - 1 + others;
        let item = Item::Transaction(Segment {
            info: self.info,
            name: self.take_name(),
            root: Root::Recorded(root_number),
            task: root_number.task(),
            own,
            left,
            scopes,
            sampling_context: self.sampling_context_source(),
            ended,
            children: u32::try_from(children).unwrap_or(u32::MAX),
        });
        self.deliver(item, refused);
    }

    /// Delivers what a task recorded that outlived its transaction, if it is anything.
    pub(crate) fn late_task_ended(
        self: &mut Arc<Self>,
        task: u32,
        own: SpanBuffer,
        spawned_by: SpanNumber,
        changes: Changes,
        refused: u32,
        scopes: Scopes,
    ) {
        let outermost = own.records.iter();
        let outermost = outermost
            .filter(|record| record.parent.task() != task)
            .count();
        if outermost == 0 {
            if refused > 0 && self.info.sampling.sampled {
                self.client.count_refused_spans(refused);
            }
            return;
        }
        let children = own.records.len() - usize::from(outermost == 1);
        let item = Item::Transaction(Segment {
            info: self.info,
            name: self.name(),
            root: Root::Late { spawned_by },
            task,
            own,
            left: Some(Box::new(Left {
                others: HandedOver::default(),
                changes,
            })),
            scopes,
            sampling_context: self.sampling_context_source(),
            ended: Ticks::now(),
            children: u32::try_from(children).unwrap_or(u32::MAX),
        });
        self.deliver(item, refused);
    }

    /// Gives a segment to the client, and counts the spans that were not recorded if it is sampled.
    #[inline]
    fn deliver(&self, item: Item, refused: u32) {
        if !self.info.sampling.sampled {
            return self.client.show(item);
        }
        if refused > 0 {
            self.client.count_refused_spans(refused);
        }
        self.client.submit(item);
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

/// Takes what was left with a trace whose root ends. What was changed of spans that are still
/// recorded stays there.
#[cold]
fn take_left(
    mailbox: &mut Mailbox,
    trace: &Trace,
    own: &mut SpanBuffer,
    #[cfg_attr(not(feature = "tracing"), expect(unused_variables))] scopes: &mut Scopes,
) -> Box<Left> {
    let away = mem::take(&mut mailbox.buffer);
    let mut others = mem::take(&mut mailbox.handed_over);
    if trace.info.root.task() == NO_TASK {
        *own = away;
    } else {
        others.add(NO_TASK, away, &trace.attribute_room);
    }
    #[cfg(feature = "tracing")]
    {
        let left = mem::take(&mut mailbox.on_the_way);
        scopes.isolation.merge(&Scope::default(), &left);
    }
    let live = &mailbox.live;
    let changes = mailbox.changes.take_tasks(|task| !live.contains(&task));
    Box::new(Left { others, changes })
}
