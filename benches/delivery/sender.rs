//! What sends: one of the two crates, or neither of them.

use std::future::ready;
use std::time::Duration;

use taskspan::{Client, Compression, Instrument, Options};

pub(crate) enum Sender {
    Nothing,
    Taskspan(Client),
    /// With its default limits, a queue of 30 among them, and without what is not about traces.
    Sentry(sentry::ClientInitGuard),
}

impl Sender {
    pub(crate) fn new(who: &str, dsn: &str) -> Self {
        match who {
            "nothing" => Self::Nothing,
            "sentry" => {
                // Its HTTP client wants TLS to be set up, although it is not used here.
                let _ = rustls::crypto::ring::default_provider().install_default();
                let options = sentry::ClientOptions::new().traces_sample_rate(1.0);
                Self::Sentry(sentry::init((dsn, options)))
            }
            _ => {
                let mut options = Options::new(dsn).unwrap().traces_sample_rate(1.0);
                if who.ends_with("plain") {
                    // As `sentry` does it.
                    options = options.compression(Compression::None);
                }
                Self::Taskspan(taskspan::init(options).unwrap())
            }
        }
    }

    /// A transaction of 10 spans.
    pub(crate) async fn transaction(&self) {
        match self {
            Self::Taskspan(_) | Self::Nothing => {
                async {
                    for _ in 0..10 {
                        ready(())
                            .in_span("db.query", "SELECT * FROM items WHERE id = $1")
                            .await;
                    }
                }
                .in_transaction("task", "GET /items/{id}")
                .await;
            }
            Self::Sentry(_) => {
                let context = sentry::TransactionContext::new("GET /items/{id}", "task");
                let transaction = sentry::start_transaction(context);
                for _ in 0..10 {
                    transaction
                        .start_child("db.query", "SELECT * FROM items WHERE id = $1")
                        .finish();
                }
                transaction.finish();
            }
        }
    }

    /// Closes within so much time, and tells what the crate says of it.
    pub(crate) async fn close(&self, deadline: Duration) -> String {
        match self {
            Self::Nothing => "there was nothing to send".to_owned(),
            Self::Taskspan(client) => client.close(deadline).await.to_string(),
            Self::Sentry(guard) => match guard.close(Some(deadline)) {
                true => "it says that all was sent".to_owned(),
                false => "it says that not all was sent".to_owned(),
            },
        }
    }
}
