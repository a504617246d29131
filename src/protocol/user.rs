//! Who and what a transaction was about.

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

/// The HTTP request that a transaction answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Request {
    /// The method, such as `GET`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The URL without its query.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The query, without the question mark.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query_string: Option<String>,
    /// Headers by name. Nothing is filtered out of what is put here.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The body, or what is fit to be seen of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}
