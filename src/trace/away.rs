//! What is done to a trace away from the task that a span belongs to.

use crate::record::Content;
use std::borrow::Cow;
use std::sync::atomic::Ordering;

use super::mailbox::Mailbox;
use super::trace::Trace;
#[cfg(feature = "tracing")]
use crate::protocol::Breadcrumb;
use crate::record::{Change, Kind, NO_TASK, Record, SpanNumber};

impl Trace {
    /// Whether a change to this span can still reach a server.
    fn is_open(&self, mailbox: &Mailbox, number: SpanNumber) -> bool {
        !self.has_ended() || mailbox.live.contains(&number.task())
    }

    /// Gives a number to a task that starts recording.
    pub(crate) fn register_task(&self) -> u32 {
        self.mailbox().get_or_insert_default().register_task()
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
        content: Content<'_>,
    ) {
        let mut mailbox = self.mailbox();
        let mailbox = mailbox.get_or_insert_default();
        if self.is_open(mailbox, number) {
            let room = &self.attribute_room;
            mailbox.changes.set(number, kind, key, content, room);
            self.changed_away.store(true, Ordering::Release);
        }
    }
}
