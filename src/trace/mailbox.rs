//! What the tasks of a transaction leave with it, under one lock.

use std::collections::BTreeSet;

use crate::record::{Changes, HandedOver, SpanBuffer};
#[cfg(feature = "tracing")]
use crate::scope::Scope;
use crate::scope::Scopes;

/// Buffers of tasks that have ended, and changes to spans of those that have not.
#[derive(Debug, Default)]
pub(crate) struct Mailbox {
    /// How many tasks were registered.
    tasks: u32,
    /// The numbers of the tasks that are recording, without the root's own.
    pub(crate) live: BTreeSet<u32>,
    /// Spans that were started outside of any task, as those of task 0.
    pub(crate) buffer: SpanBuffer,
    /// For how many of these spans there is room before more must be asked for.
    pub(super) room: u32,
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

impl Mailbox {
    /// Gives a number to a task that starts recording.
    pub(super) fn register_task(&mut self) -> u32 {
        let task = FIRST_TASK.saturating_add(self.tasks);
        self.tasks = self.tasks.saturating_add(1);
        self.live.insert(task);
        task
    }
}

/// The number of the first task that is spawned in a transaction.
const FIRST_TASK: u32 = 2;
