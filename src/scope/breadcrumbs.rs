//! The last things that happened, and no more of them.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::protocol::Breadcrumb;

/// The newest breadcrumbs of a scope, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Breadcrumbs {
    newest: VecDeque<Arc<Breadcrumb>>,
}

impl Breadcrumbs {
    pub(crate) fn push(&mut self, breadcrumb: Arc<Breadcrumb>) {
        if self.newest.len() == MAX_BREADCRUMBS {
            self.newest.pop_front();
        }
        self.newest.push_back(breadcrumb);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Breadcrumb> {
        self.newest.iter().map(Arc::as_ref)
    }

    /// Takes over what somebody else has added since `before`.
    pub(crate) fn merge(&mut self, before: &Self, other: &Self) {
        let is_in = |list: &Self, one: &Arc<Breadcrumb>| {
            list.newest.iter().any(|other| Arc::ptr_eq(one, other))
        };
        for breadcrumb in &other.newest {
            if !is_in(before, breadcrumb) && !is_in(self, breadcrumb) {
                self.push(Arc::clone(breadcrumb));
            }
        }
    }
}

/// How many breadcrumbs a scope keeps, and a transaction at most has.
pub(crate) const MAX_BREADCRUMBS: usize = 100;
