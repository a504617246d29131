//! Options about delivery, and what is said about it.

use crate::options::options::Options;

impl Options {
    /// How many bytes may wait to be sent.
    ///
    /// 16 MiB by default, at least 1. What does not fit is dropped and counted.
    pub fn queue_bytes(mut self, bytes: usize) -> Self {
        self.queue_bytes = bytes;
        self
    }

    /// How many transactions may wait to be sent.
    ///
    /// 10,000 by default, at least 1. What does not fit is dropped and counted.
    pub fn queue_items(mut self, items: usize) -> Self {
        self.queue_items = items;
        self
    }

    /// How many uploads may be under way at the same time.
    ///
    /// 64 by default, at least 1. Everything else waits in the queue.
    pub fn max_uploads(mut self, uploads: usize) -> Self {
        self.max_uploads = uploads;
        self
    }

    /// Whether the server is told how much was not sent, and why.
    ///
    /// It is by default.
    pub fn send_client_reports(mut self, send: bool) -> Self {
        self.send_client_reports = send;
        self
    }

    /// Whether the client says on standard error what it does and what goes wrong.
    ///
    /// It does not by default, but for what goes wrong with [Spotlight](Self::spotlight).
    pub fn debug(mut self, debug: bool) -> Self {
        self.debug = debug;
        self
    }
}
