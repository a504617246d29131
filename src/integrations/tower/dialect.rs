//! What tells servers apart that speak HTTP.

use http::HeaderMap;
use http::request::Parts;

use crate::trace::Span;

/// How those who speak through a server call things.
pub(in crate::integrations) struct Dialect {
    pub(in crate::integrations) op: &'static str,
    pub(in crate::integrations) origin: &'static str,
    /// Whether names begin with the method of the request.
    pub(in crate::integrations) names_method: bool,
    /// The route that a request has taken, if that is known before it is answered.
    pub(in crate::integrations) route: fn(&Parts) -> Option<&str>,
    /// The address of the client, if it is known.
    pub(in crate::integrations) client_address: fn(&Parts) -> Option<String>,
    /// Says on a root what else a request is.
    pub(in crate::integrations) describe: fn(&Span, &Parts),
    /// Says on a root how it has ended, if the headers or trailers of a response say it.
    pub(in crate::integrations) note_status: fn(&Span, &HeaderMap),
}

/// Requests and responses and nothing more.
pub(in crate::integrations) const HTTP: Dialect = Dialect {
    op: "http.server",
    origin: "auto.http.tower",
    names_method: true,
    route: |_| None,
    client_address: |_| None,
    describe: |_, _| (),
    note_status: |_, _| (),
};
