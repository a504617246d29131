//! Options about what is recorded of the program's work.

#[cfg(feature = "_call-sites")]
use std::time::Duration;

use crate::hooks::BeforeBreadcrumb;
use crate::options::options::Options;
use crate::protocol::Breadcrumb;
use crate::scope::MAX_BREADCRUMBS;

impl Options {
    /// How many spans one transaction may have below its root.
    ///
    /// 1,000 by default. Spans beyond it are counted and left out.
    pub fn max_spans(mut self, spans: usize) -> Self {
        self.max_spans = spans;
        self
    }

    /// How many breadcrumbs a transaction has at most, the newest ones.
    ///
    /// 100 by default, which is also the most.
    pub fn max_breadcrumbs(mut self, breadcrumbs: usize) -> Self {
        self.max_breadcrumbs = breadcrumbs.min(MAX_BREADCRUMBS);
        self
    }

    /// Changes each breadcrumb that is added with [`add_breadcrumb`](crate::add_breadcrumb), or
    /// drops it with `None`.
    ///
    /// It runs there, so it must be quick. Where it panics the breadcrumb is dropped, which is
    /// said once in [`debug`](Self::debug) mode. Unset by default.
    pub fn before_breadcrumb(
        mut self,
        change: impl Fn(Breadcrumb) -> Option<Breadcrumb> + Send + Sync + 'static,
    ) -> Self {
        self.before_breadcrumb = Some(BeforeBreadcrumb::new(change));
        self
    }

    /// From which duration on queries and commands of databases say where in the program's code they
    /// were made, with `None` none do.
    ///
    /// 100 ms by default. It is the innermost place that waits for it and belongs to no
    /// library, as it stands when the query ends or is dropped. Spans say it as
    /// `code.function.name`, and where the program has debug information as `code.file.path`, from
    /// the folder of the package on, and `code.line.number`. With `debug = "line-tables-only"` in
    /// its profile the names of asynchronous functions are not known; with `"limited"` all is.
    ///
    /// Where a query ends some microseconds are spent on it. Debug information is read in the
    /// background, which takes up to seconds the first time; queries that end meanwhile say
    /// nothing of their place. It is part of the features `sqlx` and `redis`.
    #[cfg(feature = "_call-sites")]
    pub fn call_site_threshold(mut self, threshold: impl Into<Option<Duration>>) -> Self {
        self.call_site_threshold = threshold.into();
        self
    }

    /// Whether integrations may send personal data, such as the addresses of clients.
    ///
    /// They may not by default. What the program itself sets is always sent.
    pub fn send_default_pii(mut self, send: bool) -> Self {
        self.send_default_pii = send;
        self
    }

    /// How many bytes the body of a request may have for its content to be sent, where personal
    /// data may be.
    ///
    /// 10,000 by default; with 0 none is. Only JSON and forms are sent, and the values of what is
    /// secret by its name are replaced by `[Filtered]`.
    pub fn max_request_body_size(mut self, bytes: usize) -> Self {
        self.max_request_body_size = bytes;
        self
    }
}
