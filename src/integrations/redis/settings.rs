//! The settings that connections share.

use std::sync::Arc;

use redis::{ConnectionAddr, ConnectionInfo};

use crate::propagation::without_brackets;
use crate::span::Span;

/// Wraps connections in a [`Connection`](super::Connection), all with the same settings.
///
/// It is cheap to clone. Keep it beside a pool, for the connections that come out of that.
#[derive(Clone, Debug, Default)]
pub struct ConnectionLayer {
    /// `None` until anything is set, so that this costs nothing.
    settings: Option<Arc<Settings>>,
}

#[derive(Clone, Debug, Default)]
struct Settings {
    cache_prefixes: Vec<Box<[u8]>>,
    /// Host or path, and port.
    server: Option<(String, Option<u16>)>,
}

impl ConnectionLayer {
    /// A layer without any settings.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets which keys are those of a cache, by how they begin. By default none are.
    ///
    /// Commands that read, write or remove such keys, and no others, become `cache.get`,
    /// `cache.put` and `cache.remove`. The empty prefix is that of all keys.
    pub fn cache_prefixes(self, prefixes: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Self {
        let prefixes = prefixes.into_iter();
        let prefixes = prefixes.map(|prefix| prefix.as_ref().into()).collect();
        self.set(|settings| settings.cache_prefixes = prefixes)
    }

    /// Tells where the server is, which connections don't know. By default it is left out.
    ///
    /// A `redis::Client` has it: `client.get_connection_info()`. User and password are not looked at.
    pub fn server(self, server: &ConnectionInfo) -> Self {
        let server = match server.addr() {
            ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
                Some((without_brackets(host).to_owned(), Some(*port)))
            }
            ConnectionAddr::Unix(path) => Some((path.to_string_lossy().into_owned(), None)),
            _ => None,
        };
        self.set(|settings| settings.server = server)
    }

    fn set(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(Arc::make_mut(self.settings.get_or_insert_default()));
        self
    }

    /// How the keys of a cache begin.
    pub(super) fn prefixes(&self) -> &[Box<[u8]>] {
        let settings = self.settings.as_ref();
        settings.map_or(&[], |settings| &settings.cache_prefixes)
    }

    /// Says on a span where the server is.
    pub(super) fn note_server(&self, span: &Span) {
        let settings = self.settings.as_ref();
        if let Some((address, port)) = settings.and_then(|settings| settings.server.as_ref()) {
            span.set_data("server.address", address);
            if let Some(port) = port {
                span.set_data("server.port", port);
            }
        }
    }
}
