//! The client of the process.

use std::sync::{PoisonError, RwLock};

use super::client::Client;
use super::error::InitError;
use crate::options::Options;

/// Makes a client and installs it as the one of this process.
///
/// It is used by every transaction that is not started under a client of its
/// own ([`Instrument::with_client`](crate::Instrument::with_client)), and it
/// replaces the one that was installed before, which is the caller's to close.
/// Its background task runs on the current runtime, which needs I/O and time
/// enabled, as `#[tokio::main]` has them.
///
/// ```
/// use std::time::Duration;
///
/// use taskspan::Options;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // Without a DSN nothing is sent. Most programs take `Options::from_env()`.
/// let client = taskspan::init(Options::default().traces_sample_rate(1.0))?;
/// assert!(!client.is_enabled());
///
/// client.close(Duration::from_secs(2)).await;
/// # Ok(()) }
/// ```
///
/// The first call in a process measures the clock for up to 200 ms.
///
/// # Errors
///
/// Returns an error that names the option and its value if an option cannot be
/// used, and one if there is a DSN or Spotlight but no Tokio runtime here.
pub fn init(options: Options) -> Result<Client, InitError> {
    let client = Client::new(options)?;
    *INSTALLED.write().unwrap_or_else(PoisonError::into_inner) = Some(client.clone());
    Ok(client)
}

/// The installed client, if it is there.
pub(crate) fn installed() -> Option<Client> {
    INSTALLED
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .clone()
}

static INSTALLED: RwLock<Option<Client>> = RwLock::new(None);
