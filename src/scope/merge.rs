//! Bringing changes together that were made to copies of one scope.

use super::scope::{Scope, ScopeData};

impl Scope {
    /// Takes over what somebody else has changed since `before`, except for what was changed here too.
    pub(crate) fn merge(&mut self, before: &Self, other: &Self) {
        if before.is_same(other) {
            return;
        }
        let nothing = ScopeData::default();
        let before = before.data.as_deref().unwrap_or(&nothing);
        let other = other.data.as_deref().unwrap_or(&nothing);
        let own = self.data();
        own.tags.merge(&before.tags, &other.tags);
        own.contexts.merge(&before.contexts, &other.contexts);
        merge_values(&mut own.user, &before.user, &other.user);
        merge_values(&mut own.request, &before.request, &other.request);
        merge_values(&mut own.level, &before.level, &other.level);
        own.breadcrumbs
            .merge(&before.breadcrumbs, &other.breadcrumbs);
        // They are only ever added, so both begin with those from before.
        let added = other.processors.iter().skip(before.processors.len());
        own.processors.extend(added.cloned());
    }
}

fn merge_values<T: Clone + PartialEq>(own: &mut T, before: &T, other: &T) {
    if own == before {
        own.clone_from(other);
    }
}
