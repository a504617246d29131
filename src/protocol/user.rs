//! Who a transaction was about.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Serialize;
use serde_json::Value;

/// The user that work is done for.
///
/// Nothing is filled in by itself: these are personal data, sent only when set. A text is the
/// [`id`](Self::id):
///
/// ```
/// use taskspan::User;
///
/// let user = User { username: Some("ada".into()), ..User::from("7") };
/// assert_eq!(user.id.as_deref(), Some("7"));
/// ```
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
    pub ip_address: Option<IpAddr>,
    /// Anything else that is known.
    ///
    /// What is put here under the name of a field above is moved there if that field is unset and
    /// the value fits it, and dropped otherwise.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

impl From<&str> for User {
    /// A user of whom the identifier is known.
    fn from(id: &str) -> Self {
        id.to_owned().into()
    }
}

impl From<String> for User {
    /// A user of whom the identifier is known.
    fn from(id: String) -> Self {
        Self {
            id: Some(id),
            ..Self::default()
        }
    }
}
