//! Request methods.

/// The method if it is a known one.
///
/// Whoever sends a request can put any word there, so others are neither named nor sent.
pub(crate) fn known_method(method: &str) -> Option<&str> {
    METHODS.contains(&method).then_some(method)
}

/// What stands for the methods that are not known, as OpenTelemetry's conventions have it.
#[cfg(any(feature = "_http-client", feature = "_http-server"))]
pub(crate) const OTHER_METHOD: &str = "_OTHER";

/// The methods of HTTP, WebDAV and their relatives, as IANA and servers list them.
const METHODS: [&str; 45] = [
    "GET",
    "POST",
    "HEAD",
    "PUT",
    "DELETE",
    "PATCH",
    "OPTIONS",
    "CONNECT",
    "TRACE",
    "QUERY",
    "ACL",
    "BASELINE-CONTROL",
    "BIND",
    "CHECKIN",
    "CHECKOUT",
    "COPY",
    "LABEL",
    "LINK",
    "LOCK",
    "M-SEARCH",
    "MERGE",
    "MKACTIVITY",
    "MKCALENDAR",
    "MKCOL",
    "MKREDIRECTREF",
    "MKWORKSPACE",
    "MOVE",
    "NOTIFY",
    "ORDERPATCH",
    "PRI",
    "PROPFIND",
    "PROPPATCH",
    "PURGE",
    "REBIND",
    "REPORT",
    "SEARCH",
    "SUBSCRIBE",
    "UNBIND",
    "UNCHECKOUT",
    "UNLINK",
    "UNLOCK",
    "UNSUBSCRIBE",
    "UPDATE",
    "UPDATEREDIRECTREF",
    "VERSION-CONTROL",
];
