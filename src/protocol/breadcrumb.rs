//! What happened before.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::Serialize;
use serde_json::Value;

use super::{Level, Timestamp};

/// Something that happened on the way to where a transaction ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Breadcrumb {
    /// When it happened.
    pub timestamp: Timestamp,
    /// How it is drawn: `default`, or one of `http`, `query`, `navigation` and the like.
    #[serde(rename = "type")]
    pub kind: Cow<'static, str>,
    /// Where it comes from, such as a module's name or `http`.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub category: Cow<'static, str>,
    /// What happened, in words.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub message: Cow<'static, str>,
    /// How important it is.
    pub level: Level,
    /// Anything else that is known.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub data: BTreeMap<Cow<'static, str>, Value>,
}

impl Breadcrumb {
    /// Something that happens now, of the type `default` and the level `info`.
    pub fn new(
        category: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            timestamp: SystemTime::now().into(),
            kind: "default".into(),
            category: category.into(),
            message: message.into(),
            level: Level::Info,
            data: BTreeMap::new(),
        }
    }
}
