//! The option about Spotlight.

use crate::options::options::Options;
use crate::options::spotlight::Spotlight;

impl Options {
    /// Whether and where [Spotlight](https://spotlightjs.com), a viewer for development, is shown
    /// what the program sends.
    ///
    /// Every transaction is recorded then and goes to Spotlight, whatever the sampling decides,
    /// and also without a DSN. It is sent as it would be to Sentry, and a client report is sent
    /// too where there is one. What is sent to Sentry and to other services stays the same, and
    /// so do the numbers in a [`DeliveryReport`](crate::DeliveryReport), which know nothing of
    /// Spotlight.
    ///
    /// By default the variable `SENTRY_SPOTLIGHT` decides, which is read when a client is made.
    /// One of the words of [`SENTRY_DEBUG`](Self::from_env) stands for on or off, any other value
    /// for a URL, and without one it is off.
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
    /// Spotlight is never waited for where the program does its work. Up to 8 MiB wait to be sent
    /// there, straight and through no proxy, one request at a time; what does not fit is dropped.
    /// Where Spotlight fails, or takes longer than 2 seconds, everything is dropped for a second,
    /// and after further failures twice as long each time, up to 60 seconds.
    ///
    /// The first failure in a process is said on standard error, and so is a variable that is of
    /// no use, both without [`debug`](Self::debug) as well. A URL that is set here and does not
    /// begin with `http://` or `https://` is an error when a client is made.
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
