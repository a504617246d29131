//! The facts about a trace that servers and downstream services sample by.

use std::collections::BTreeMap;

use serde::Serialize;

/// The dynamic sampling context: what the head of a trace knew of it, as strings.
///
/// It stands in the `trace` header of an envelope, and as `baggage` with a
/// `sentry-` before each name in outgoing requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct DynamicSamplingContext {
    members: BTreeMap<String, String>,
}

impl DynamicSamplingContext {
    /// The value of a member by its name without prefix, such as `trace_id`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.members.get(name).map(String::as_str)
    }

    /// Names and values, ordered by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.members
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(crate) fn insert(&mut self, name: &str, value: impl Into<String>) {
        self.members.insert(name.to_owned(), value.into());
    }
}
