//! The option about Spotlight.

use crate::options::options::Options;
use crate::options::spotlight::Spotlight;

impl Options {
    /// Whether and where a copy of everything is sent to [Spotlight](https://spotlightjs.com), a
    /// viewer for development.
    ///
    /// With it every transaction is recorded and sent to Spotlight, whatever the sampling decides,
    /// even without a DSN. It receives the same as Sentry would, client reports included. This
    /// does not change what Sentry and other services receive, nor the numbers in a
    /// [`DeliveryReport`](crate::DeliveryReport).
    ///
    /// By default the variable `SENTRY_SPOTLIGHT` decides, which is read when a client is created.
    /// The words of [`SENTRY_DEBUG`](Self::from_env) turn it on or off, any other value is a URL,
    /// and unset is off.
    ///
    /// | Option | `SENTRY_SPOTLIGHT` | Spotlight is at |
    /// |---|---|---|
    /// | unset | a URL | that URL |
    /// | unset | on | `http://localhost:8969/stream` |
    /// | unset | off, or unset | – |
    /// | `true` | a URL | that URL |
    /// | `true` | on, off, or unset | `http://localhost:8969/stream` |
    /// | a URL | anything | the URL of the option, with a warning if the variable is set |
    /// | `false` | anything | – |
    ///
    /// Spotlight never blocks the program. Up to 8 MiB may wait to be sent, one request at a time
    /// and never through a proxy; what does not fit is dropped. If Spotlight fails or takes longer
    /// than 2 seconds, everything is dropped for a second, and after further failures twice as
    /// long each time, up to 60 seconds.
    ///
    /// The first failure in a process is reported on standard error, and so is a variable that
    /// cannot be used, even without [`debug`](Self::debug). A URL that is set here and does not
    /// begin with `http://` or `https://`, or has a user in it, is an error when a client is
    /// created.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use taskspan::local::Receiver;
    /// use taskspan::{Client, Instrument, Options};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // A receiver in this process stands in for Spotlight.
    /// let receiver = Receiver::start().await?;
    /// let url = format!("http://{}/stream", receiver.local_addr());
    ///
    /// let client = Client::new(Options::default().spotlight(url))?;
    /// async {}.in_transaction("task", "t").with_client(&client).await;
    /// client.close(Duration::from_secs(2)).await;
    /// assert_eq!(receiver.transactions()[0].name, "t");
    /// # Ok(())
    /// # }
    /// ```
    pub fn spotlight(mut self, spotlight: impl Into<Spotlight>) -> Self {
        self.spotlight = Some(spotlight.into());
        self
    }
}
