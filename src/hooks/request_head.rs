//! The head of an HTTP request that a transaction answers.

use std::borrow::Cow;

use crate::protocol::Request;

/// What can be seen of a request without copying it.
pub(crate) trait RequestHead {
    fn method(&self) -> Option<&str>;
    /// The whole URL, as far as it is known.
    fn url(&self) -> Option<Cow<'_, str>>;
    /// The route that it has taken, with placeholders.
    fn route(&self) -> Option<&str>;
    /// A header by its name in lower case.
    fn header(&self, name: &str) -> Option<&str>;
}

impl RequestHead for Request {
    fn method(&self) -> Option<&str> {
        self.method.as_deref()
    }

    fn url(&self) -> Option<Cow<'_, str>> {
        self.url.as_deref().map(Cow::Borrowed)
    }

    fn route(&self) -> Option<&str> {
        None
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find_map(|(found, value)| found.eq_ignore_ascii_case(name).then_some(value.as_str()))
    }
}
