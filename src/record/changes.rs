//! What was changed of spans away from where they are recorded.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::mem;

use super::attributes::{AttributeRoom, Attributes, Content, Kind};
use super::span::{Amendment, Change, SpanNumber};

/// Changes to spans, by the task whose buffer they are recorded in.
///
/// So what belongs to one task is found without looking at the others.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    of_tasks: BTreeMap<u32, ChangesOfTask>,
}

/// Changes to the spans of one task.
#[derive(Debug, Default)]
pub(crate) struct ChangesOfTask {
    amendments: BTreeMap<SpanNumber, Amendment>,
    attributes: Attributes,
}

impl Changes {
    /// Notes a change to a span.
    pub(crate) fn add(&mut self, number: SpanNumber, change: Change) {
        let of_task = self.of_tasks.entry(number.task()).or_default();
        of_task.amendments.entry(number).or_default().add(change);
    }

    /// Notes an attribute of a span.
    pub(crate) fn set(
        &mut self,
        number: SpanNumber,
        kind: Kind,
        key: Cow<'static, str>,
        content: Content<'_>,
        room: &AttributeRoom,
    ) {
        let of_task = self.of_tasks.entry(number.task()).or_default();
        of_task.attributes.push(number, kind, key, content, room);
    }

    /// Takes out what belongs to the spans of one task.
    pub(crate) fn take_task(&mut self, task: u32) -> Self {
        let of_task = self.of_tasks.remove_entry(&task);
        Self {
            of_tasks: of_task.into_iter().collect(),
        }
    }

    /// Takes out what belongs to spans of tasks that `is_taken` says.
    pub(crate) fn take_tasks(&mut self, is_taken: impl Fn(u32) -> bool) -> Self {
        if self.of_tasks.is_empty() {
            return Self::default();
        }
        let all = mem::take(&mut self.of_tasks);
        let (of_tasks, kept) = all.into_iter().partition(|(task, _)| is_taken(*task));
        self.of_tasks = kept;
        Self { of_tasks }
    }

    /// Takes out the amendment of one span.
    pub(crate) fn take_amendment(&mut self, number: SpanNumber) -> Option<Amendment> {
        let of_task = self.of_tasks.get_mut(&number.task())?;
        of_task.amendments.remove(&number)
    }

    /// Takes out all amendments.
    pub(crate) fn take_amendments(&mut self) -> impl Iterator<Item = (SpanNumber, Amendment)> {
        let of_tasks = self.of_tasks.values_mut();
        of_tasks.flat_map(|of_task| mem::take(&mut of_task.amendments))
    }

    /// The attributes that were set away from home.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = &Attributes> {
        self.of_tasks.values().map(|of_task| &of_task.attributes)
    }

    /// About how many bytes they hold on to.
    pub(crate) fn size(&self) -> usize {
        let of_tasks = self.of_tasks.values();
        let sizes = of_tasks.map(|of_task| {
            let amendments = of_task.amendments.len() * size_of::<(SpanNumber, Amendment)>();
            size_of::<(u32, ChangesOfTask)>() + amendments + of_task.attributes.capacity()
        });
        sizes.sum()
    }
}
