//! Who a transaction was about.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

/// The user that work is done for.
///
/// Nothing is filled in by itself: these are personal data, sent only when set.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct User {
    /// An identifier that is unique in the application.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The name that the user signs in with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// An e-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The address that the user came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_address: Option<String>,
    /// Anything else that is known.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}
