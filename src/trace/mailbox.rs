//! What the tasks of a transaction leave with it, under one lock.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::atomic::Ordering;

use super::trace::Trace;
#[cfg(feature = "tracing")]
use crate::protocol::Breadcrumb;
use crate::record::{Change, Changes, HandedOver, Kind, NO_TASK, Record, SpanBuffer, SpanNumber};
#[cfg(feature = "tracing")]
use crate::scope::Scope;
use crate::scope::Scopes;

/// Buffers of tasks that have ended, and changes to spans of those that have not.
#[derive(Debug, Default)]
pub(crate) struct Mailbox {
    /// How many tasks were registered.
    tasks: u32,
    /// The numbers of the tasks that are recording, without the root's own.
    pub(crate) live: HashSet<u32>,
    /// Spans that were started outside of any task, as those of task 0.
    pub(crate) buffer: SpanBuffer,
    /// For how many of these spans there is room before more must be asked for.
    room: u32,
    pub(crate) handed_over: HandedOver,
    pub(crate) changes: Changes,
    /// How many spans there was no room for.
    pub(crate) refused: u32,
    /// The scopes of a transaction without a task of its own, and once the root
    /// has ended, the scopes that it ended with.
    pub(crate) scopes: Scopes,
    /// What happened on the way, away from the task that speaks for the root.
    #[cfg(feature = "tracing")]
    pub(crate) on_the_way: Scope,
}

impl Trace {
    /// Whether a change to this span can still reach a server.
    fn is_open(&self, mailbox: &Mailbox, number: SpanNumber) -> bool {
        !self.has_ended() || mailbox.live.contains(&number.task())
    }

    /// Gives a number to a task that starts recording.
    pub(crate) fn register_task(&self) -> u32 {
        let mut mailbox = self.mailbox();
        let mailbox = mailbox.get_or_insert_default();
        let task = FIRST_TASK.saturating_add(mailbox.tasks);
        mailbox.tasks = mailbox.tasks.saturating_add(1);
        mailbox.live.insert(task);
        task
    }

    /// Starts a span outside of any task. Tells its number, unless there is no
    /// room for it or nothing to be a part of any more.
    pub(crate) fn start_away(&self, record: Record) -> Option<SpanNumber> {
        let mut mailbox = self.mailbox();
        let mailbox = mailbox.get_or_insert_default();
        if self.has_ended() {
            return None;
        }
        if mailbox.room == 0 {
            let wanted = u32::try_from(mailbox.buffer.records.len())
                .unwrap_or(u32::MAX)
                .max(1);
            if wanted > self.client.max_spans() || !self.reserve(wanted) {
                mailbox.refused = mailbox.refused.saturating_add(1);
                return None;
            }
            mailbox.room = wanted;
        }
        mailbox.room -= 1;
        let index = u32::try_from(mailbox.buffer.records.len()).ok()?;
        mailbox.buffer.records.push(record);
        Some(SpanNumber::new(NO_TASK, index))
    }

    /// Makes a change to a span that is not in the current task's buffer.
    #[cold]
    pub(crate) fn change_away(&self, number: SpanNumber, change: Change) {
        let mut mailbox = self.mailbox();
        let mailbox = mailbox.get_or_insert_default();
        if !self.is_open(mailbox, number) {
            return;
        }
        if number.task() == NO_TASK {
            if let Some(record) = mailbox.buffer.records.get_mut(number.index()) {
                record.apply(change);
            }
        } else {
            mailbox.changes.add(number, change);
            self.changed_away.store(true, Ordering::Release);
        }
    }

    /// Adds a breadcrumb to the transaction, unless that has ended.
    #[cfg(feature = "tracing")]
    pub(crate) fn leave_breadcrumb(&self, breadcrumb: &mut Option<Breadcrumb>) {
        let mut mailbox = self.mailbox();
        if self.has_ended() {
            return;
        }
        if let Some(breadcrumb) = breadcrumb.take() {
            let mailbox = mailbox.get_or_insert_default();
            mailbox.on_the_way.add_breadcrumb(breadcrumb);
        }
    }

    /// Sets an attribute of a span that is not in the current task's buffer.
    #[cold]
    pub(crate) fn set_away(
        &self,
        number: SpanNumber,
        kind: Kind,
        key: Cow<'static, str>,
        value: &[u8],
    ) {
        let mut mailbox = self.mailbox();
        let mailbox = mailbox.get_or_insert_default();
        if self.is_open(mailbox, number) {
            mailbox.changes.set(number, kind, key, value);
            self.changed_away.store(true, Ordering::Release);
        }
    }
}

/// The number of the first task that is spawned in a transaction.
const FIRST_TASK: u32 = 2;
