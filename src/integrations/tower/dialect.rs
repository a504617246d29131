//! What tells servers apart that speak HTTP.

use std::any::Any;
use std::borrow::Cow;

use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, Uri};

use crate::integrations::server::{self, Describe};
use crate::protocol::{SpanStatus, TransactionSource};
use crate::span::Span;

/// How those who speak through a server call things.
pub(in crate::integrations) struct Dialect {
    pub(in crate::integrations) op: &'static str,
    pub(in crate::integrations) origin: &'static str,
    /// Whether names begin with the method of the request.
    pub(in crate::integrations) names_method: bool,
    /// The URL as the client has sent it.
    pub(in crate::integrations) uri: fn(&Parts) -> &Uri,
    /// The route that a request has taken, if that is known before it is answered.
    pub(in crate::integrations) route: fn(&Parts) -> Option<Cow<'_, str>>,
    /// Whether a request without a route has none, rather than one that is not known here.
    pub(in crate::integrations) knows_routes: fn(&Parts) -> bool,
    /// The address of the client, if it is known.
    pub(in crate::integrations) client_address: fn(&Parts) -> Option<String>,
    /// Says on a root what else a request is.
    pub(in crate::integrations) describe: fn(&Span, &Parts),
    /// Looks at what the program reads of a request's body, and says in the end what that was.
    pub(in crate::integrations) watch: fn(&Span, &Parts, &mut dyn Any) -> Option<Describe>,
    /// Says how it has ended, if the headers or trailers of a response say it.
    pub(in crate::integrations) note_status: NoteStatus,
    /// Whether the head of a response tells that there was no such place.
    pub(in crate::integrations) is_unknown_place: fn(StatusCode, &HeaderMap) -> bool,
}

impl Dialect {
    /// The name of the transaction of a request.
    pub(super) fn name(&self, method: &Method, path: &str) -> String {
        match self.names_method {
            true => server::name(method.as_str(), path),
            false => path.to_owned(),
        }
    }

    /// Names a transaction that was named by what the client has asked for.
    pub(super) fn rename(&self, root: &Span, name: String) {
        let was = match self.names_method {
            true => TransactionSource::Url,
            // The path is the method that is called.
            false => TransactionSource::Route,
        };
        root.rename_from(was, name, TransactionSource::Route);
    }
}

/// Reads a status out of headers or trailers.
pub(super) type NoteStatus = fn(&Span, &HeaderMap) -> Option<SpanStatus>;

/// Requests and responses and nothing more.
pub(in crate::integrations) const HTTP: Dialect = Dialect {
    op: "http.server",
    origin: "auto.http.tower",
    names_method: true,
    uri: |request| &request.uri,
    route: |_| None,
    knows_routes: |_| false,
    client_address: |_| None,
    describe: |_, _| (),
    watch: |_, _, _| None,
    note_status: |_, _| None,
    is_unknown_place: |status, _| status == StatusCode::NOT_FOUND,
};
