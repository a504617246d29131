//! Tells jobs from before a flush from later ones.

use std::collections::VecDeque;
use std::sync::atomic::{Ordering, fence};
use std::sync::{Arc, Weak};

/// The marks that jobs hold until they are settled, wherever they are.
///
/// A flush turns to the next mark, and waits until no job holds an earlier one.
#[derive(Default)]
pub(super) struct Marks {
    current: Mark,
    /// The number of the current one.
    number: u64,
    /// Earlier ones that may still be held, by number.
    earlier: VecDeque<(u64, Weak<()>)>,
}

/// Held by every job that was received between two flushes.
pub(super) type Mark = Arc<()>;

impl Marks {
    /// The mark for jobs that are received now.
    pub(super) fn current(&self) -> Mark {
        Arc::clone(&self.current)
    }

    /// Turns to another mark for jobs that are received from now on. Returns the number of the previous one.
    pub(super) fn turn(&mut self) -> u64 {
        let before = self.number;
        let mark = std::mem::take(&mut self.current);
        self.earlier.push_back((before, Arc::downgrade(&mark)));
        self.number += 1;
        before
    }

    /// Whether no job holds the mark with this number, nor an earlier one.
    pub(super) fn is_settled(&mut self, number: u64) -> bool {
        while let Some((_, mark)) = self.earlier.front()
            && mark.strong_count() == 0
        {
            self.earlier.pop_front();
        }
        // The last mark was dropped after its job was counted.
        fence(Ordering::Acquire);
        let oldest = self.earlier.front().map(|(number, _)| *number);
        oldest.is_none_or(|oldest| oldest > number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_settled_when_it_and_all_before_are_dropped() {
        let mut marks = Marks::default();
        let (first, second) = (marks.current(), marks.current());
        let before = marks.turn();
        let third = marks.current();
        assert!(!marks.is_settled(before));
        drop(first);
        assert!(!marks.is_settled(before));
        let later = marks.turn();
        drop(third);
        assert!(!marks.is_settled(later), "an earlier one is held");
        drop(second);
        assert!(marks.is_settled(before) && marks.is_settled(later));
        let nothing = marks.turn();
        let _held = marks.current();
        assert!(marks.is_settled(nothing));
    }
}
