//! The settings of a receiver, as programs see them.

use std::time::Duration;

use super::settings::Settings;

/// The settings of a [`Receiver`](super::Receiver) that is yet to start.
#[derive(Clone, Debug, Default)]
#[must_use = "nothing listens before `bind`"]
pub struct ReceiverBuilder {
    pub(super) settings: Settings,
}

impl ReceiverBuilder {
    /// Sets how many bytes a body may have, both as it is sent and decoded.
    ///
    /// Larger ones are answered with status 413. The default is 20 MiB.
    ///
    /// Bodies that are under way take at most 64 KiB each, and larger ones 32 MiB, or one of
    /// this limit, in sum; a body for which there is no memory waits. Two large ones are decoded
    /// at a time.
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.settings.body_limit = bytes;
        self
    }

    /// Sets how many envelopes are kept.
    ///
    /// The default is 1,000. The oldest make room for new ones; they do so earlier if more than
    /// 16 MiB of memory are held for all of them. The newest is always kept.
    pub fn keep(mut self, envelopes: usize) -> Self {
        self.settings.keep = envelopes;
        self
    }

    /// Sets how long the receiver waits for a client that has not sent all of a request.
    ///
    /// The default is 10 seconds. A new connection is closed if the head of its first request
    /// takes longer, and a body is answered with status 408 if it pauses for longer, or takes three
    /// times as long in all. A connection that is kept open is closed if the next request takes
    /// three times as long. With 256 connections, a new one replaces the one from which nothing
    /// has arrived for the longest time.
    pub fn read_timeout(mut self, timeout: Duration) -> Self {
        self.settings.read_timeout = timeout;
        self
    }

    /// Allows browser SDKs on pages of an origin to send.
    ///
    /// This is either a whole origin, such as `https://shop.test:8443`, or the name of a host,
    /// which allows that host and all below it, with any scheme and port. By default pages on
    /// loopback addresses, `localhost` and names below it may send. All others are answered with
    /// status 403: otherwise any web page that is open in a browser on this machine could.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn example() -> std::io::Result<()> {
    /// use taskspan::local::Receiver;
    ///
    /// let receiver = Receiver::builder()
    ///     .allow_origin("https://shop.test:8443")
    ///     .bind("127.0.0.1:8969")
    ///     .await?;
    /// # drop(receiver);
    /// # Ok(())
    /// # }
    /// ```
    pub fn allow_origin(mut self, origin: impl AsRef<str>) -> Self {
        self.settings.access.allow_origin(origin.as_ref());
        self
    }

    /// Allows requests whose `Host` has this name, such as `host.docker.internal`.
    ///
    /// By default these are loopback addresses, `localhost` and names below it. All others are
    /// answered with status 403: otherwise any web page could send by a name of its own that
    /// resolves to this machine (DNS rebinding).
    pub fn allow_host(mut self, host: impl AsRef<str>) -> Self {
        self.settings.access.allow_host(host.as_ref());
        self
    }
}
