//! What the tasks of a transaction leave with it, under one lock.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::mem;
use std::sync::atomic::Ordering;

use super::Trace;
use super::attributes::{Attributes, Kind};
use super::buffer::SpanBuffer;
use super::record::{Amendment, Change, Record, SpanNumber};
use crate::scope::Scope;

/// Buffers of tasks that have ended, and changes to spans of those that have not.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// How many tasks were registered.
    tasks: u32,
    /// The numbers of the tasks that are recording, without the root's own.
    pub(super) live: Vec<u32>,
    /// Whether the root has ended. What comes later is not part of the transaction.
    pub(super) ended: bool,
    /// Spans that were started outside of any task, as those of task 0.
    pub(super) buffer: SpanBuffer,
    /// For how many of these spans there is room before more must be asked for.
    room: u32,
    /// The buffers of tasks that have ended, by their numbers.
    pub(super) handed_over: Vec<(u32, SpanBuffer)>,
    /// Changes to records, made away from where they are.
    pub(super) amendments: BTreeMap<SpanNumber, Amendment>,
    /// Attributes, set away from where the spans are.
    pub(super) attributes: Attributes,
    /// How many spans there was no room for.
    pub(super) refused: u32,
    /// The scope of a transaction without a task of its own, and once the root
    /// has ended, the scope that it ended with.
    pub(super) scope: Scope,
    /// The name of the transaction, once its root has ended while tasks go on.
    pub(super) name: Cow<'static, str>,
}

impl Shared {
    /// Takes out what belongs to spans of tasks that are no longer recording.
    pub(super) fn take_changes_of_ended_tasks(
        &mut self,
    ) -> (BTreeMap<SpanNumber, Amendment>, Attributes) {
        let live = mem::take(&mut self.live);
        let is_live = |number: SpanNumber| live.contains(&number.task());
        let (kept, amendments) = mem::take(&mut self.amendments)
            .into_iter()
            .partition(|(number, _)| is_live(*number));
        let (kept_attributes, attributes) = mem::take(&mut self.attributes).partition(is_live);
        (self.live, self.amendments, self.attributes) = (live, kept, kept_attributes);
        (amendments, attributes)
    }

    /// Takes out what belongs to the spans of one task.
    pub(super) fn take_changes_of(
        &mut self,
        task: u32,
    ) -> (BTreeMap<SpanNumber, Amendment>, Attributes) {
        let of_task = |number: SpanNumber| number.task() == task;
        let (amendments, kept) = mem::take(&mut self.amendments)
            .into_iter()
            .partition(|(number, _)| of_task(*number));
        let (attributes, kept_attributes) = mem::take(&mut self.attributes).partition(of_task);
        (self.amendments, self.attributes) = (kept, kept_attributes);
        (amendments, attributes)
    }

    /// Whether a change to this span can still reach a server.
    fn is_open(&self, number: SpanNumber) -> bool {
        !self.ended || self.live.contains(&number.task())
    }
}

impl Trace {
    /// Gives a number to a task that starts recording.
    pub(super) fn register_task(&self) -> u32 {
        let mut shared = self.shared();
        let task = FIRST_TASK.saturating_add(shared.tasks);
        shared.tasks = shared.tasks.saturating_add(1);
        shared.live.push(task);
        task
    }

    /// Starts a span outside of any task. Tells its number, unless there is no
    /// room for it or nothing to be a part of any more.
    pub(super) fn start_away(&self, record: Record) -> Option<SpanNumber> {
        let mut shared = self.shared();
        if shared.ended {
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
    pub(super) fn change_away(&self, number: SpanNumber, change: Change) {
        let mut shared = self.shared();
        if !shared.is_open(number) {
            return;
        }
        if number.task() == NO_TASK {
            if let Some(record) = shared.buffer.records.get_mut(number.index()) {
                record.apply(change);
            }
        } else {
            shared.amendments.entry(number).or_default().add(change);
            self.changed_away.store(true, Ordering::Release);
        }
    }

    /// Sets an attribute of a span that is not in the current task's buffer.
    #[cold]
    pub(super) fn set_away(
        &self,
        number: SpanNumber,
        kind: Kind,
        key: Cow<'static, str>,
        value: &[u8],
    ) {
        let mut shared = self.shared();
        if shared.is_open(number) {
            shared.attributes.push(number, kind, key, value);
            self.changed_away.store(true, Ordering::Release);
        }
    }
}

/// The number under which spans are recorded that were started outside of any task.
pub(super) const NO_TASK: u32 = 0;

/// The number of the task that is a transaction's own.
pub(super) const ROOT_TASK: u32 = 1;

/// The number of the first task that is spawned in a transaction.
const FIRST_TASK: u32 = 2;
