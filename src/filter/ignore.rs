//! Rules for ignoring spans.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use regex::Regex;
use serde_json::Value;

use crate::pattern::Pattern;
use crate::protocol::{Data, DiscardReason, Transaction};

/// A rule for ignoring spans; a span matches if every condition holds.
///
/// A text, a [`Pattern`] or a regular expression is a condition on the name of a span, which is the
/// second argument of `in_span`, and the name of the transaction for a root. As everywhere in the
/// filters a text has to be the whole name: [`Pattern::contains`] takes a part of it. A rule
/// without conditions matches nothing.
///
/// ```
/// use taskspan::{Pattern, SpanRule};
///
/// let heartbeats = SpanRule::from("heartbeat");
/// let pings = SpanRule::from(Pattern::contains("PING"));
/// let cached = SpanRule::new().op("cache.get").attribute_eq("cache.hit", true);
/// # let _ = taskspan::Options::default().ignore_spans([heartbeats, pings, cached]);
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a rule does nothing until it is given to `Options::ignore_spans`"]
pub struct SpanRule {
    name: Option<Pattern>,
    op: Option<Pattern>,
    attributes: Vec<(Cow<'static, str>, Expected)>,
}

/// What an attribute has to be.
#[derive(Clone, Debug)]
enum Expected {
    Text(Pattern),
    Equal(Value),
}

/// What a rule looks at, of a root or of a span below it.
struct Subject<'a> {
    name: &'a str,
    op: &'a str,
    data: &'a Data,
    tags: &'a BTreeMap<Cow<'static, str>, String>,
}

impl SpanRule {
    /// A rule without conditions.
    pub fn new() -> Self {
        Self::default()
    }

    /// The name has to match.
    pub fn name(mut self, pattern: impl Into<Pattern>) -> Self {
        self.name = Some(pattern.into());
        self
    }

    /// The op has to match.
    pub fn op(mut self, pattern: impl Into<Pattern>) -> Self {
        self.op = Some(pattern.into());
        self
    }

    /// An attribute has to be a text that matches.
    ///
    /// Attributes are looked up in the data of the span, and then in its tags.
    pub fn attribute(
        mut self,
        key: impl Into<Cow<'static, str>>,
        pattern: impl Into<Pattern>,
    ) -> Self {
        let expected = Expected::Text(pattern.into());
        self.attributes.push((key.into(), expected));
        self
    }

    /// An attribute has to have exactly this value: a number, a boolean, a list or a text.
    pub fn attribute_eq(
        mut self,
        key: impl Into<Cow<'static, str>>,
        value: impl Into<Value>,
    ) -> Self {
        let expected = Expected::Equal(value.into());
        self.attributes.push((key.into(), expected));
        self
    }

    fn matches(&self, subject: &Subject<'_>) -> bool {
        let Self {
            name,
            op,
            attributes,
        } = self;
        let names_anything = name.is_some() || op.is_some() || !attributes.is_empty();
        names_anything
            && name.as_ref().is_none_or(|it| it.is_match(subject.name))
            && op.as_ref().is_none_or(|it| it.is_match(subject.op))
            && attributes
                .iter()
                .all(|(key, expected)| expected.is(&subject.attribute(key)))
    }
}

impl Expected {
    fn is(&self, value: &Option<Value>) -> bool {
        match (self, value) {
            (Self::Text(pattern), Some(Value::String(text))) => pattern.is_match(text),
            (Self::Equal(expected), Some(value)) => expected == value,
            _ => false,
        }
    }
}

impl Subject<'_> {
    fn attribute(&self, key: &str) -> Option<Value> {
        let tag = || Some(Value::from(self.tags.get(key)?.as_str()));
        self.data.get(key).cloned().or_else(tag)
    }
}

/// Removes from a transaction the spans that one of the rules matches, and returns their number.
///
/// Their children move up. If the root matches, nothing is sent at all, which is the error.
pub(crate) fn remove(
    rules: &[SpanRule],
    transaction: &mut Transaction,
) -> Result<u64, DiscardReason> {
    let is_ignored = |subject: &Subject<'_>| rules.iter().any(|rule| rule.matches(subject));
    let trace = &transaction.contexts.trace;
    let root = Subject {
        name: &transaction.name,
        op: &trace.op,
        data: &trace.data,
        tags: &transaction.tags,
    };
    if is_ignored(&root) {
        return Err(DiscardReason::Ignored);
    }
    let before = transaction.spans.len();
    let mut removed = HashMap::new();
    transaction.spans.retain(|span| {
        let ignored = is_ignored(&Subject {
            name: &span.description,
            op: &span.op,
            data: &span.data,
            tags: &span.tags,
        });
        if ignored {
            removed.insert(span.span_id, span.parent_span_id);
        }
        !ignored
    });
    for span in &mut transaction.spans {
        while let Some(above) = removed.get(&span.parent_span_id) {
            span.parent_span_id = *above;
        }
    }
    Ok((before - transaction.spans.len()) as u64)
}

impl From<Pattern> for SpanRule {
    fn from(name: Pattern) -> Self {
        Self::new().name(name)
    }
}

impl From<&str> for SpanRule {
    fn from(name: &str) -> Self {
        Self::new().name(name)
    }
}

impl From<String> for SpanRule {
    fn from(name: String) -> Self {
        Self::new().name(name)
    }
}

impl From<Regex> for SpanRule {
    fn from(name: Regex) -> Self {
        Self::new().name(name)
    }
}
