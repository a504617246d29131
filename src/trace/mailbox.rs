//! What the tasks of a transaction leave with it, under one lock.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::mem;
use std::sync::atomic::Ordering;

use super::trace::Trace;
#[cfg(feature = "tracing")]
use crate::protocol::Breadcrumb;
use crate::record::{Amendment, Attributes, Change, Kind, Record, SpanBuffer, SpanNumber};
#[cfg(feature = "tracing")]
use crate::scope::Scope;
use crate::scope::Scopes;

/// Buffers of tasks that have ended, and changes to spans of those that have not.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// How many tasks were registered.
    tasks: u32,
    /// The numbers of the tasks that are recording, without the root's own.
    pub(crate) live: Vec<u32>,
    /// Spans that were started outside of any task, as those of task 0.
    pub(crate) buffer: SpanBuffer,
    /// For how many of these spans there is room before more must be asked for.
    room: u32,
    /// The buffers of tasks that have ended, by their numbers.
    pub(crate) handed_over: Vec<(u32, SpanBuffer)>,
    changes: Changes,
    /// How many spans there was no room for.
    pub(crate) refused: u32,
    /// The scopes of a transaction without a task of its own, and once the root
    /// has ended, the scopes that it ended with.
    pub(crate) scopes: Scopes,
    /// What happened on the way, away from the task that speaks for the root.
    #[cfg(feature = "tracing")]
    pub(crate) on_the_way: Scope,
}

/// What was changed of spans away from where they are recorded.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) amendments: BTreeMap<SpanNumber, Amendment>,
    pub(crate) attributes: Attributes,
}

impl Shared {
    /// Takes out what belongs to spans of tasks that are no longer recording.
    pub(crate) fn take_changes_of_ended_tasks(&mut self) -> Changes {
        let live = &self.live;
        self.changes.take(|task| !live.contains(&task))
    }

    /// Takes out what belongs to the spans of one task.
    pub(crate) fn take_changes_of(&mut self, task: u32) -> Changes {
        self.changes.take(|of| of == task)
    }
}

impl Changes {
    /// Takes out what belongs to the spans of some tasks.
    fn take(&mut self, of_task: impl Fn(u32) -> bool) -> Self {
        let Self {
            amendments,
            attributes,
        } = mem::take(self);
        let is_taken = |number: SpanNumber| of_task(number.task());
        let (taken, kept) = amendments
            .into_iter()
            .partition(|(number, _)| is_taken(*number));
        self.amendments = kept;
        let (attributes, kept) = attributes.partition(is_taken);
        self.attributes = kept;
        Self {
            amendments: taken,
            attributes,
        }
    }
}

impl Trace {
    /// Whether a change to this span can still reach a server.
    fn is_open(&self, shared: &Shared, number: SpanNumber) -> bool {
        !self.has_ended() || shared.live.contains(&number.task())
    }

    /// Gives a number to a task that starts recording.
    pub(crate) fn register_task(&self) -> u32 {
        let mut shared = self.shared();
        let shared = shared.get_or_insert_default();
        let task = FIRST_TASK.saturating_add(shared.tasks);
        shared.tasks = shared.tasks.saturating_add(1);
        shared.live.push(task);
        task
    }

    /// Starts a span outside of any task. Tells its number, unless there is no
    /// room for it or nothing to be a part of any more.
    pub(crate) fn start_away(&self, record: Record) -> Option<SpanNumber> {
        let mut shared = self.shared();
        let shared = shared.get_or_insert_default();
        if self.has_ended() {
            return None;
        }
        if shared.room == 0 {
            let wanted = u32::try_from(shared.buffer.records.len())
                .unwrap_or(u32::MAX)
                .max(1);
            if wanted > self.client.max_spans() || !self.reserve(wanted) {
                shared.refused = shared.refused.saturating_add(1);
                return None;
            }
            shared.room = wanted;
        }
        shared.room -= 1;
        let index = u32::try_from(shared.buffer.records.len()).ok()?;
        shared.buffer.records.push(record);
        Some(SpanNumber::new(NO_TASK, index))
    }

    /// Makes a change to a span that is not in the current task's buffer.
    #[cold]
    pub(crate) fn change_away(&self, number: SpanNumber, change: Change) {
        let mut shared = self.shared();
        let shared = shared.get_or_insert_default();
        if !self.is_open(shared, number) {
            return;
        }
        if number.task() == NO_TASK {
            if let Some(record) = shared.buffer.records.get_mut(number.index()) {
                record.apply(change);
            }
        } else {
            shared
                .changes
                .amendments
                .entry(number)
                .or_default()
                .add(change);
            self.changed_away.store(true, Ordering::Release);
        }
    }

    /// Adds a breadcrumb to the transaction, unless that has ended.
    #[cfg(feature = "tracing")]
    pub(crate) fn leave_breadcrumb(&self, breadcrumb: &mut Option<Breadcrumb>) {
        let mut shared = self.shared();
        if self.has_ended() {
            return;
        }
        if let Some(breadcrumb) = breadcrumb.take() {
            let shared = shared.get_or_insert_default();
            shared.on_the_way.add_breadcrumb(breadcrumb);
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
        let mut shared = self.shared();
        let shared = shared.get_or_insert_default();
        if self.is_open(shared, number) {
            shared.changes.attributes.push(number, kind, key, value);
            self.changed_away.store(true, Ordering::Release);
        }
    }
}

/// The number under which spans are recorded that were started outside of any task.
pub(crate) const NO_TASK: u32 = 0;

/// The number of the task that is a transaction's own.
pub(crate) const ROOT_TASK: u32 = 1;

/// The number of the first task that is spawned in a transaction.
const FIRST_TASK: u32 = 2;
