//! What every transaction says of the program that sends it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::sdk::Sdk;

/// What every transaction says of the program that sends it.
#[derive(Default)]
pub(crate) struct Identity {
    pub(crate) release: Option<Arc<str>>,
    pub(crate) dist: Option<Arc<str>>,
    pub(crate) environment: Arc<str>,
    pub(crate) server_name: Option<Arc<str>>,
    pub(crate) public_key: Option<Arc<str>>,
    pub(crate) org_id: Option<Arc<str>>,
    pub(crate) contexts: BTreeMap<Cow<'static, str>, Value>,
    pub(crate) sdk: Arc<Sdk>,
}
