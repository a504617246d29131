//! What sends: one of the crates, or none of them.

use std::future::ready;
use std::thread;
use std::time::Duration;

use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::trace::SdkTracerProvider;
use taskspan::{Client, Compression, Instrument, Options};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::prelude::*;

pub(crate) enum Sender {
    Nothing,
    Taskspan(Client),
    /// With its default limits, a queue of 30 among them, and without what is not about traces.
    Sentry(sentry::ClientInitGuard),
    /// The OpenTelemetry SDK behind `tracing`, with its batch processor and the HTTP client that
    /// its exporter takes by default.
    OpenTelemetry(SdkTracerProvider),
}

impl Sender {
    pub(crate) fn new(who: &str, dsn: &str) -> Self {
        // The HTTP clients of the others want TLS to be set up, although it is not used here.
        let _ = rustls::crypto::ring::default_provider().install_default();
        match who {
            "nothing" => Self::Nothing,
            "sentry" => {
                let options = sentry::ClientOptions::new().traces_sample_rate(1.0);
                Self::Sentry(sentry::init((dsn, options)))
            }
            "OTel" => {
                // A thread of its own, since that client must not be made in a runtime.
                let address = dsn.split(['@', '/']).nth(3).unwrap_or_default();
                let endpoint = format!("http://{address}/v1/traces");
                let exporter = thread::spawn(|| {
                    let exporter = SpanExporter::builder().with_http();
                    exporter.with_endpoint(endpoint).build().unwrap()
                });
                let exporter = exporter.join().unwrap();
                let provider = SdkTracerProvider::builder().with_batch_exporter(exporter);
                let provider = provider.build();
                let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("bench"));
                tracing_subscriber::registry()
                    .with(LevelFilter::INFO)
                    .with(layer)
                    .init();
                Self::OpenTelemetry(provider)
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
            Self::OpenTelemetry(_) => {
                let work = async {
                    for _ in 0..10 {
                        let query = tracing::info_span!("SELECT * FROM items WHERE id = $1");
                        tracing::Instrument::instrument(ready(()), query).await;
                    }
                };
                let root = tracing::info_span!("GET /items/{id}");
                tracing::Instrument::instrument(work, root).await;
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
            Self::OpenTelemetry(provider) => match provider.shutdown_with_timeout(deadline) {
                Ok(()) => "it says that all was sent".to_owned(),
                Err(error) => error.to_string(),
            },
        }
    }
}
