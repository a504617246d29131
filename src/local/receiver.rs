//! The receiver: a small server on a loopback address.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::{TcpListener, ToSocketAddrs};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::builder::ReceiverBuilder;
use super::counts::Counts;
use super::decode::ReceivedTransaction;
use super::delivery::Delivery;
use super::refusal::Refusal;
use super::server::serve;
use super::state::Shared;
use crate::own_work::hidden;

/// A server on a loopback address that takes envelopes from any Sentry SDK.
///
/// It accepts `POST` on `/api/<project>/envelope/` with any project, and on
/// `/stream`, over HTTP/1.1 and HTTP/2 without TLS; credentials are not needed.
/// What a real server would refuse, or throw away without a word, is answered
/// with the reason. It runs on the runtime that it was started on, whose I/O and
/// time drivers it needs. Dropping it stops it and closes its connections.
///
/// Only programs on this machine can reach it, and of the pages in its browsers only those that
/// [may](ReceiverBuilder::allow_origin). What it holds is [bounded](ReceiverBuilder::keep), and
/// clients that send nothing, or a part of a request, [time out](ReceiverBuilder::read_timeout).
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// use taskspan::local::Receiver;
///
/// let receiver = Receiver::start().await?;
/// assert!(receiver.dsn().starts_with("http://"));
/// assert_eq!(receiver.counts().envelopes, 0);
/// receiver.shutdown().await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a receiver stops when it is dropped"]
pub struct Receiver {
    shared: Arc<Shared>,
    address: SocketAddr,
    /// The number of the delivery at which `next` looks on.
    cursor: u64,
    /// Never used: the server stops when it is gone.
    stop: oneshot::Sender<Infallible>,
    server: JoinHandle<()>,
}

impl Receiver {
    /// Starts a receiver on any free port of `127.0.0.1`.
    ///
    /// # Errors
    ///
    /// Fails when no port can be had.
    ///
    /// # Panics
    ///
    /// Panics outside of a Tokio runtime.
    pub async fn start() -> io::Result<Self> {
        Self::bind((Ipv4Addr::LOCALHOST, 0)).await
    }

    /// Starts a receiver on an address, such as `127.0.0.1:8969`; port 0 is any free one.
    ///
    /// # Errors
    ///
    /// Fails with [`InvalidInput`](io::ErrorKind::InvalidInput) for an address that other
    /// machines could reach, and when the address cannot be had.
    ///
    /// # Panics
    ///
    /// Panics outside of a Tokio runtime.
    pub async fn bind(address: impl ToSocketAddrs) -> io::Result<Self> {
        Self::builder().bind(address).await
    }

    /// The settings of a receiver, to change before it starts.
    pub fn builder() -> ReceiverBuilder {
        ReceiverBuilder::default()
    }

    /// The address that it listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// A DSN by which SDKs send here.
    pub fn dsn(&self) -> String {
        const KEY: &str = "7461736b7370616e7461736b7370616e";
        format!("http://{KEY}@{}/1", self.address)
    }

    /// Totals of what arrived since the start.
    pub fn counts(&self) -> Counts {
        self.shared.counts.borrow().clone()
    }

    /// The last envelopes that were accepted, oldest first.
    ///
    /// Each call decodes them anew: the receiver itself keeps text, and JSON values take more
    /// memory than that, many times as much for lists of small objects.
    pub fn deliveries(&self) -> Vec<Arc<Delivery>> {
        let envelopes = self.shared.store().envelopes();
        let deliveries = envelopes.iter().filter_map(|it| it.delivery());
        deliveries.map(Arc::new).collect()
    }

    /// The transactions in the last envelopes that were accepted, oldest first.
    ///
    /// Each call decodes them anew, as [`deliveries`](Self::deliveries) does.
    pub fn transactions(&self) -> Vec<Arc<ReceivedTransaction>> {
        let envelopes = self.shared.store().envelopes();
        let transactions = envelopes.iter().filter_map(|it| it.transaction());
        transactions.map(Arc::new).collect()
    }

    /// The last 100 requests that were refused, oldest first.
    pub fn refusals(&self) -> Vec<Refusal> {
        self.shared.store().refusals().cloned().collect()
    }

    /// Waits until `count` transactions were accepted since the start.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the waiting and nothing else.
    pub async fn wait_for(&self, count: u64) {
        self.wait_until(|counts| counts.transactions >= count).await;
    }

    /// Waits until the totals of what arrived are as `condition` wants them.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the waiting and nothing else.
    pub async fn wait_until(&self, mut condition: impl FnMut(&Counts) -> bool) {
        let mut counts = self.shared.counts.subscribe();
        // This fails only without a sender, and `self` holds one.
        let _ = counts.wait_for(|counts| condition(counts)).await;
    }

    /// Waits for the next transaction and returns it, each one once and in the order of arrival.
    ///
    /// Transactions that are no longer kept when it is called are passed over.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it is ready loses no transaction.
    pub async fn next(&mut self) -> Arc<ReceivedTransaction> {
        let mut changes = self.shared.counts.subscribe();
        loop {
            let next = self.shared.store().next_transaction(self.cursor);
            if let Some((cursor, envelope)) = next {
                self.cursor = cursor;
                if let Some(transaction) = envelope.transaction() {
                    return Arc::new(transaction);
                }
                continue;
            }
            if changes.changed().await.is_err() {
                // The sender is held by `self`.
                pending::<()>().await;
            }
        }
    }

    /// Stops listening, closes all connections, and waits until that is done.
    pub async fn shutdown(self) {
        drop(self.stop);
        // The server ends early only if it is aborted along with its runtime.
        let _ = self.server.await;
    }
}

impl ReceiverBuilder {
    /// Starts the receiver on an address, as [`Receiver::bind`] does.
    ///
    /// # Errors
    ///
    /// Fails with [`InvalidInput`](io::ErrorKind::InvalidInput) for an address that other
    /// machines could reach, and when the address cannot be had.
    ///
    /// # Panics
    ///
    /// Panics outside of a Tokio runtime.
    pub async fn bind(self, address: impl ToSocketAddrs) -> io::Result<Receiver> {
        let addresses: Vec<SocketAddr> = tokio::net::lookup_host(address).await?.collect();
        if let Some(other) = addresses.iter().find(|it| !it.ip().is_loopback()) {
            let reason = format!("{other} is not a loopback address");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
        let listener = TcpListener::bind(&addresses[..]).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::new(self.settings));
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(hidden(serve(listener, Arc::clone(&shared), stopped)));
        Ok(Receiver {
            shared,
            address,
            cursor: 0,
            stop,
            server,
        })
    }
}
