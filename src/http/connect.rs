//! Connections, whatever they lead through.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::Uri;
use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use tokio::time::timeout;
use tower_service::Service;

use super::config::HttpConfig;
use super::proxy::Proxy;
use super::tls::Tls;

/// Makes connections the way that a configuration asks for.
///
/// It hides what they lead through, as the HTTP client would otherwise be
/// compiled once for every way.
#[derive(Clone)]
pub(crate) struct Connector {
    connect: Arc<dyn Fn(Uri) -> Connecting + Send + Sync>,
}

/// A connection to the server, or to a proxy that forwards requests.
pub(crate) struct Stream {
    io: Box<dyn Io>,
    /// Whether a proxy reads the requests, which then name the whole URL.
    proxied: bool,
    /// How many bytes were read since something was written.
    unasked: usize,
}

type Connecting = Pin<Box<dyn Future<Output = Result<Stream, BoxError>> + Send>>;
type BoxError = Box<dyn std::error::Error + Send + Sync>;

trait Io: Read + Write + Connection + Send + Unpin {}

impl<T: Read + Write + Connection + Send + Unpin> Io for T {}

impl Connector {
    /// Loads the platform's certificates if there is TLS on the way.
    pub(crate) fn of(config: &HttpConfig) -> io::Result<Self> {
        Ok(Self::way(config)?.within(CONNECT_TIMEOUT.min(config.request_timeout)))
    }

    fn way(config: &HttpConfig) -> io::Result<Self> {
        let tcp = Self::new(tcp(config));
        if !config.needs_tls() {
            return Ok(match &config.proxy {
                None => tcp,
                Some(proxy) => tcp.forward(proxy),
            });
        }
        let tls = Tls::new(&config.tls).map_err(io::Error::other)?;
        let to_proxy = match &config.proxy {
            Some(proxy) if proxy.is_https() => {
                Self::new(tls.to_proxy(tcp).map_err(io::Error::other)?)
            }
            _ => tcp,
        };
        if let Some(proxy) = config.forwarder() {
            return Ok(to_proxy.forward(proxy));
        }
        let way = match &config.proxy {
            None => to_proxy,
            Some(proxy) => to_proxy.tunnel(proxy),
        };
        let connector = tls.to_server(way).map_err(io::Error::other)?;
        Ok(Self::new(connector))
    }

    fn new<C>(connector: C) -> Self
    where
        C: Service<Uri> + Clone + Send + Sync + 'static,
        C::Response: Read + Write + Connection + Send + Unpin + 'static,
        C::Error: Into<BoxError>,
        C::Future: Send,
    {
        let connect = move |uri| -> Connecting {
            let mut connector = connector.clone();
            Box::pin(async move {
                let ready = poll_fn(|context| connector.poll_ready(context)).await;
                ready.map_err(Into::into)?;
                let io = connector.call(uri).await.map_err(Into::into)?;
                Ok(Stream {
                    io: Box::new(io),
                    proxied: false,
                    unasked: 0,
                })
            })
        };
        Self {
            connect: Arc::new(connect),
        }
    }

    /// Gives up connections that take longer to be made, whatever it is that stalls.
    fn within(self, limit: Duration) -> Self {
        let connect = move |uri| -> Connecting {
            let connecting = timeout(limit, (self.connect)(uri));
            Box::pin(async move { connecting.await? })
        };
        Self {
            connect: Arc::new(connect),
        }
    }

    /// Has a proxy forward the requests.
    fn forward(self, proxy: &Proxy) -> Self {
        let uri = proxy.uri().clone();
        let connect = move |_| -> Connecting {
            let connecting = (self.connect)(uri.clone());
            Box::pin(async move {
                let stream = connecting.await?;
                Ok(Stream {
                    proxied: true,
                    ..stream
                })
            })
        };
        Self {
            connect: Arc::new(connect),
        }
    }

    /// Has a proxy pass on whatever is sent.
    fn tunnel(self, proxy: &Proxy) -> Self {
        let mut tunnel = Tunnel::new(proxy.uri().clone(), self);
        if let Some(authorization) = proxy.authorization() {
            tunnel = tunnel.with_auth(authorization.clone());
        }
        Self::new(tunnel)
    }
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = BoxError;
    type Future = Connecting;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Connecting {
        (self.connect)(uri)
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        let connected = self.io.connected();
        let proxied = self.proxied || connected.is_proxied();
        connected.proxy(proxied)
    }
}

impl Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if self.unasked > LONGEST_UNASKED {
            return Poll::Ready(Err(io::Error::other("the server answers without end")));
        }
        // Read into a buffer of its own, as the cursor doesn't say how much came.
        let mut bytes = [0; LONGEST_READ];
        let length = bytes.len().min(buffer.remaining());
        let mut read = ReadBuf::new(&mut bytes[..length]);
        ready!(Pin::new(&mut self.io).poll_read(context, read.unfilled()))?;
        self.unasked += read.filled().len();
        buffer.put_slice(read.filled());
        Poll::Ready(Ok(()))
    }
}

impl Write for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.unasked = 0;
        Pin::new(&mut self.io).poll_write(context, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.unasked = 0;
        Pin::new(&mut self.io).poll_write_vectored(context, buffers)
    }
}

fn tcp(config: &HttpConfig) -> HttpConnector {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_TIMEOUT.min(config.request_timeout)));
    if config.keep_alive {
        tcp.set_keepalive(Some(KEEP_ALIVE_IDLE));
        tcp.set_keepalive_interval(Some(KEEP_ALIVE_INTERVAL));
        tcp.set_keepalive_retries(Some(KEEP_ALIVE_COUNT));
    }
    tcp
}

/// How much is read at once. Answers are short.
const LONGEST_READ: usize = 4 * 1024;
/// How much a server may answer to what was written: some headers and a little text. What sends
/// more, such as provisional answers without end, would take all of a processor.
const LONGEST_UNASKED: usize = 256 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const KEEP_ALIVE_IDLE: Duration = Duration::from_secs(45);
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEP_ALIVE_COUNT: u32 = 6;
