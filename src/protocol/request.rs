//! What a transaction was about.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use serde_json::Value;

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
    /// Cookies by name. Nothing is filtered out of what is put here.
    #[serde(
        skip_serializing_if = "BTreeMap::is_empty",
        serialize_with = "write_cookies"
    )]
    pub cookies: BTreeMap<String, String>,
    /// Headers by name. Nothing is filtered out of what is put here.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The body, or what is fit to be seen of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

/// Writes cookies as a request has them: there are readers that take no other form.
fn write_cookies<S: Serializer>(
    cookies: &BTreeMap<String, String>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let cookies = cookies
        .iter()
        .map(|(name, value)| format!("{name}={value}"));
    serializer.serialize_str(&cookies.collect::<Vec<_>>().join("; "))
}
