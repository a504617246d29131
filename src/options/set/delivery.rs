//! Options about delivery, and about what is reported.

use crate::options::options::Options;

impl Options {
    /// The number of bytes that may wait to be sent.
    ///
    /// 16 MiB by default, at least 1. What does not fit is dropped and counted.
    pub fn queue_bytes(mut self, bytes: usize) -> Self {
        self.queue_bytes = bytes;
        self
    }

    /// The number of transactions that may wait to be sent.
    ///
    /// 10,000 by default, at least 1. What does not fit is dropped and counted.
    pub fn queue_items(mut self, items: usize) -> Self {
        self.queue_items = items;
        self
    }

    /// The number of concurrent uploads.
    ///
    /// 64 by default, at least 1. Everything else waits in the queue.
    pub fn max_uploads(mut self, uploads: usize) -> Self {
        self.max_uploads = uploads;
        self
    }

    /// Whether the client reports to the server how much was dropped, and why.
    ///
    /// On by default.
    pub fn send_client_reports(mut self, send: bool) -> Self {
        self.send_client_reports = send;
        self
    }

    /// Whether the client reports on standard error what it does and what goes wrong.
    ///
    /// Off by default. Each problem is reported once in a process. Even without it these are
    /// reported: an environment variable that cannot be used, a client with a DSN but neither
    /// [`traces_sample_rate`](Self::traces_sample_rate) nor
    /// [`traces_sampler`](Self::traces_sampler), and failures of [Spotlight](Self::spotlight).
    pub fn debug(mut self, debug: bool) -> Self {
        self.debug = debug;
        self
    }
}
