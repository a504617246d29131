//! Options about what is recorded.

#[cfg(feature = "_call-sites")]
use std::time::Duration;

use crate::hooks::BeforeBreadcrumb;
use crate::options::options::Options;
use crate::protocol::Breadcrumb;
use crate::scope::MAX_BREADCRUMBS;

impl Options {
    /// The number of spans that one transaction may have below its root.
    ///
    /// 1,000 by default. Further spans are dropped and counted.
    pub fn max_spans(mut self, spans: usize) -> Self {
        self.max_spans = spans;
        self
    }

    /// The number of breadcrumbs that a transaction keeps, the newest ones.
    ///
    /// 100 by default, which is also the maximum.
    pub fn max_breadcrumbs(mut self, breadcrumbs: usize) -> Self {
        self.max_breadcrumbs = breadcrumbs.min(MAX_BREADCRUMBS);
        self
    }

    /// Changes each breadcrumb that is added with [`add_breadcrumb`](crate::add_breadcrumb), or
    /// drops it with `None`.
    ///
    /// It runs inside that call, so it must be quick. If it panics the breadcrumb is dropped, which
    /// is reported once in [`debug`](Self::debug) mode. Unset by default.
    pub fn before_breadcrumb(
        mut self,
        change: impl Fn(Breadcrumb) -> Option<Breadcrumb> + Send + Sync + 'static,
    ) -> Self {
        self.before_breadcrumb = Some(BeforeBreadcrumb::new(change));
        self
    }

    /// Database queries and commands slower than this record their call site; `None` turns that off.
    ///
    /// 100 ms by default. The call site is the innermost function of the program, not of a
    /// library, that waits for the query when it ends or is dropped. It is recorded as
    /// `code.function.name` and, if the program has debug information, as `code.file.path`,
    /// relative to the folder that holds the package, and `code.line.number`. With
    /// `debug = "line-tables-only"` in the profile the names of asynchronous functions are not
    /// known; `"limited"` has everything.
    ///
    /// This costs some microseconds when a slow query ends. Debug information is read in the
    /// background, which takes up to seconds the first time; queries that end meanwhile record no
    /// call site. It is part of the features `sqlx` and `redis`.
    #[cfg(feature = "_call-sites")]
    pub fn call_site_threshold(mut self, threshold: impl Into<Option<Duration>>) -> Self {
        self.call_site_threshold = threshold.into();
        self
    }

    /// Whether integrations may send personal data (PII), such as the IP addresses of clients.
    ///
    /// Off by default. What the program itself sets is always sent.
    pub fn send_default_pii(mut self, send: bool) -> Self {
        self.send_default_pii = send;
        self
    }

    /// The size in bytes up to which bodies of requests are sent, if
    /// [personal data](Self::send_default_pii) may be sent.
    ///
    /// 10,000 by default; 0 sends none. Only JSON and forms are sent, and secrets in them (matched
    /// by name) are replaced by `[Filtered]`.
    pub fn max_request_body_size(mut self, bytes: usize) -> Self {
        self.max_request_body_size = bytes;
        self
    }
}
