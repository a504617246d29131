//! The head of a request in the types of actix-web.

use std::borrow::Cow;

use actix_web::dev::ServiceRequest;
use actix_web::http::header::{self, HeaderValue};
use actix_web::http::uri::PathAndQuery;
use actix_web::http::{Uri, Version};

use crate::hooks::RequestHead;
use crate::propagation::{IncomingTrace, list};
use crate::record::{Fields, RequestWriter};

/// The head of a request, and its route if there is one for its path.
pub(super) struct Head<'a> {
    pub(super) request: &'a ServiceRequest,
    pub(super) route: Option<&'a str>,
}

impl Head<'_> {
    pub(super) fn incoming(&self) -> IncomingTrace {
        IncomingTrace::read(|name| {
            let values = self.values(name).map(HeaderValue::as_bytes);
            list(values.filter_map(|value| std::str::from_utf8(value).ok()))
        })
    }

    pub(super) fn write(&self, writer: &mut RequestWriter<'_>) {
        let client = self.request.peer_addr().map(|peer| peer.ip().to_string());
        writer.fields(&Fields {
            method: self.request.method().as_str(),
            scheme: self.scheme(),
            authority: self.authority(),
            path: self.uri().path(),
            query: self.uri().query().unwrap_or_default(),
            version: match self.request.version() {
                Version::HTTP_09 => "0.9",
                Version::HTTP_10 => "1.0",
                Version::HTTP_11 => "1.1",
                Version::HTTP_2 => "2",
                Version::HTTP_3 => "3",
                _ => "",
            },
            route: self.route.unwrap_or_default(),
            client: client.as_deref().unwrap_or_default(),
        });
        for (name, value) in self.request.headers() {
            writer.header(name.as_str(), value.as_bytes());
        }
    }

    fn uri(&self) -> &Uri {
        self.request.uri()
    }

    fn scheme(&self) -> &str {
        let of_connection = match self.request.app_config().secure() {
            true => "https",
            false => "http",
        };
        self.uri().scheme_str().unwrap_or(of_connection)
    }

    /// Host and port, as the request names them.
    fn authority(&self) -> &[u8] {
        match self.uri().authority() {
            Some(authority) => authority.as_str().as_bytes(),
            None => {
                let host = self.request.headers().get(header::HOST);
                host.map(HeaderValue::as_bytes).unwrap_or_default()
            }
        }
    }

    /// The values of a header by its name in lower case. To look a name up would copy it.
    fn values(&self, name: &str) -> impl Iterator<Item = &HeaderValue> {
        let headers = self.request.headers().iter();
        headers.filter_map(move |(found, value)| (found.as_str() == name).then_some(value))
    }
}

impl RequestHead for Head<'_> {
    fn method(&self) -> Option<&str> {
        Some(self.request.method().as_str())
    }

    fn url(&self) -> Option<Cow<'_, str>> {
        let path = self.uri().path_and_query();
        let path = path.map_or("/", PathAndQuery::as_str);
        let authority = String::from_utf8_lossy(self.authority());
        let path = if path == "*" { "" } else { path };
        Some(Cow::Owned(format!("{}://{authority}{path}", self.scheme())))
    }

    fn route(&self) -> Option<&str> {
        self.route
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.values(name).next()?.to_str().ok()
    }
}
