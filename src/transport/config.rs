//! Where to deliver to, and how.

use std::sync::Arc;
#[cfg(test)]
use std::time::Duration;

use super::spotlight::Sidecar;
#[cfg(test)]
use crate::http::Compression;
use crate::http::HttpConfig;

/// Where to deliver to, and how.
#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) http: HttpConfig,
    /// Whether the server is told of losses.
    pub(crate) send_client_reports: bool,
    /// How many bytes may be pending, as payloads measure themselves.
    pub(crate) queue_bytes: usize,
    /// How many payloads may be pending.
    pub(crate) queue_items: usize,
    /// How many requests may be in flight.
    pub(crate) max_uploads: usize,
    /// Whether less is to be sampled while delivery can't keep up.
    pub(crate) backpressure: bool,
    /// Who gets a copy of every client report.
    pub(crate) sidecar: Option<Arc<Sidecar>>,
}

#[cfg(test)]
impl Config {
    /// The defaults of the options.
    pub(super) fn new(endpoint: ::http::Uri, auth: ::http::HeaderValue) -> Self {
        Self {
            http: HttpConfig {
                auth: Some(auth),
                compression: Compression::default(),
                ..HttpConfig::straight(endpoint, Duration::from_secs(30))
            },
            send_client_reports: true,
            queue_bytes: 16 * 1024 * 1024,
            queue_items: 10_000,
            max_uploads: 64,
            backpressure: true,
            sidecar: None,
        }
    }
}
