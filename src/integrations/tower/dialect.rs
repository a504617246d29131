//! What tells servers apart that speak HTTP.

use std::any::Any;

use http::HeaderMap;
use http::request::Parts;

use crate::integrations::server::Describe;
use crate::protocol::SpanStatus;
use crate::span::Span;

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
    /// Looks at what the program reads of a request's body, and says in the end what that was.
    pub(in crate::integrations) watch: fn(&Span, &Parts, &mut dyn Any) -> Option<Describe>,
    /// Says how it has ended, if the headers or trailers of a response say it.
    pub(in crate::integrations) note_status: NoteStatus,
}

/// Reads a status out of headers or trailers.
pub(super) type NoteStatus = fn(&Span, &HeaderMap) -> Option<SpanStatus>;

/// Requests and responses and nothing more.
pub(in crate::integrations) const HTTP: Dialect = Dialect {
    op: "http.server",
    origin: "auto.http.tower",
    names_method: true,
    route: |_| None,
    client_address: |_| None,
    describe: |_, _| (),
    watch: |_, _, _| None,
    note_status: |_, _| None,
};
