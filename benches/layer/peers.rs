//! Those who are measured.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};

use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, SpanData, SpanExporter};
use sentry::{ClientOptions, Envelope, Hub, Transport};
use support::meter::{Cost, Meter};
use taskspan::test::Sent;
use taskspan::{Client, Instrument, Options};
use tracing::{Dispatch, Subscriber, dispatcher, info_span};
use tracing_subscriber::prelude::*;
use tracing_subscriber::{Layer, registry};

use crate::Operation;

/// A subscriber for each state, and what it finds around it.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    sampled: State,
    unsampled: State,
}

struct State {
    dispatch: Dispatch,
    around: Around,
}

enum Around {
    Nothing,
    /// A client, and a transaction unless the span is a root.
    Taskspan(Client, Sent),
    Hub(Arc<Hub>),
    /// What is sent of it is thrown away in between.
    Provider(SdkTracerProvider),
}

/// The registry first.
pub(crate) const PEERS: [fn() -> Peer; 5] = [
    || plain("registry alone", || Dispatch::new(registry())),
    || plain("empty layer", || Dispatch::new(registry().with(Empty))),
    taskspan,
    sentry_tracing,
    tracing_opentelemetry,
];

impl Peer {
    pub(crate) fn measure(&self, operation: Operation, sampled: bool, meter: Meter) -> Cost {
        let State { dispatch, around } = match sampled {
            true => &self.sampled,
            false => &self.unsampled,
        };
        let is_root = operation == Operation::FurtherPollOfRoot;
        let measure = || match is_root {
            true => operation.measure(meter),
            false => info_span!("root").in_scope(|| operation.measure(meter)),
        };
        dispatcher::with_default(dispatch, || match around {
            Around::Nothing => measure(),
            Around::Taskspan(client, sent) => {
                let work = async { measure() };
                let cost = match is_root {
                    true => poll_once(work.with_client(client)),
                    false => poll_once(work.in_transaction("bench", "bench").with_client(client)),
                };
                drop(sent.take());
                cost
            }
            Around::Hub(hub) => Hub::run(Arc::clone(hub), measure),
            Around::Provider(provider) => {
                let cost = measure();
                provider.force_flush().expect("nothing can fail");
                cost
            }
        })
    }
}

fn plain(name: &'static str, dispatch: impl Fn() -> Dispatch) -> Peer {
    let state = || State {
        dispatch: dispatch(),
        around: Around::Nothing,
    };
    Peer {
        name,
        sampled: state(),
        unsampled: state(),
    }
}

fn taskspan() -> Peer {
    let state = |rate| {
        let (client, sent) = taskspan::test::client(Options::default().traces_sample_rate(rate));
        State {
            dispatch: Dispatch::new(registry().with(taskspan::tracing::layer())),
            around: Around::Taskspan(client, sent),
        }
    };
    Peer {
        name: "taskspan",
        sampled: state(1.0),
        unsampled: state(0.0),
    }
}

fn sentry_tracing() -> Peer {
    let state = |rate| {
        let options = ClientOptions::new()
            .dsn("http://key@localhost/1")
            .default_integrations(false)
            .traces_sample_rate(rate)
            .transport(Arc::new(Nowhere));
        let client = Arc::new(sentry::Client::from(options));
        State {
            dispatch: Dispatch::new(
                registry().with(sentry::integrations::tracing::SpanLayer::new()),
            ),
            around: Around::Hub(Arc::new(Hub::new(Some(client), Arc::default()))),
        }
    };
    Peer {
        name: "sentry-tracing",
        sampled: state(1.0),
        unsampled: state(0.0),
    }
}

fn tracing_opentelemetry() -> Peer {
    let state = |sampler| {
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(Nowhere)
            .with_sampler(sampler)
            .build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("bench"));
        State {
            dispatch: Dispatch::new(registry().with(layer)),
            around: Around::Provider(provider),
        }
    };
    Peer {
        name: "tracing-opentelemetry",
        sampled: state(Sampler::AlwaysOn),
        unsampled: state(Sampler::AlwaysOff),
    }
}

fn poll_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut TaskContext::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("it waits for nothing"),
    }
}

/// A layer that does nothing.
struct Empty;

impl<S: Subscriber> Layer<S> for Empty {}

#[derive(Debug)]
struct Nowhere;

impl Transport for Nowhere {
    fn send_envelope(&self, envelope: Envelope) {
        drop(envelope);
    }
}

impl SpanExporter for Nowhere {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        drop(batch);
        Ok(())
    }
}
