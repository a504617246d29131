//! Requests that are answered with another place to ask.

use http::HeaderMap;

use super::{Call, Outgoing, Recorded};
use crate::span::Span;

impl Call {
    /// Whether anything is recorded of it, and it has not ended.
    pub(in crate::integrations) fn is_recorded(&self) -> bool {
        self.recorded.is_some()
    }

    /// Ends the span with the answer, and starts that of the next request beside it.
    ///
    /// `count` is how many requests were answered in this way.
    pub(in crate::integrations) fn redirect(
        &mut self,
        status_code: u16,
        parent: &Span,
        next: &Outgoing<'_>,
        count: u32,
    ) {
        self.respond(status_code, &HeaderMap::new());
        let Some(answered) = self.recorded.take() else {
            return;
        };
        let dialect = answered.dialect;
        answered.end();
        self.recorded = Recorded::start(dialect, parent, next);
        if let Some(recorded) = &self.recorded {
            recorded.span.set_data("http.request.resend_count", count);
        }
    }
}
