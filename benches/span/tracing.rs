//! `tracing`, with a subscriber that sends its spans with the OpenTelemetry SDK or with `sentry`.

use std::collections::HashMap;
use std::future::ready;
use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, SpanData, SpanExporter};
use sentry::Hub;
use support::meter::{Cost, Meter};
use tokio::runtime::Runtime;
use tracing::instrument::WithSubscriber;
use tracing::{Dispatch, Instrument, Level, dispatcher};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::prelude::*;

use crate::official;
use crate::scenario::{Peer, SPANS, Scenario, State};
use crate::work::{
    further_polls, in_tasks, never, open_spans, poll_to_end, ready_at_last, retained_by_polls,
    runtime,
};

/// Subscribers are chosen for a thread, where a program has one for all: that a user of two of
/// them has to do as well costs a nanosecond or two. They take what is `info` or above, the most
/// common choice, and so spans without a client are those of the level `trace`: `tracing` decides
/// that where it decides that there is no subscriber.
pub(crate) struct Tracing {
    name: &'static str,
    runtime: Runtime,
    sampled: Dispatch,
    unsampled: Dispatch,
    /// What `sentry` finds on the thread.
    hubs: Option<[Arc<Hub>; 2]>,
    provider: Option<SdkTracerProvider>,
}

impl Tracing {
    /// With `tracing-opentelemetry`, the SDK and its batch processor, all as they are by default:
    /// a queue of 2,048 spans, which is empty before each turn.
    pub(crate) fn opentelemetry() -> Self {
        let subscriber = |provider: &SdkTracerProvider| {
            let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("bench"));
            Dispatch::new(
                tracing_subscriber::registry()
                    .with(LevelFilter::INFO)
                    .with(layer),
            )
        };
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(Nowhere)
            .build();
        let off = SdkTracerProvider::builder()
            .with_batch_exporter(Nowhere)
            .with_sampler(Sampler::AlwaysOff)
            .build();
        Self {
            name: "tracing + OTel",
            runtime: runtime(),
            sampled: subscriber(&provider),
            unsampled: subscriber(&off),
            hubs: None,
            provider: Some(provider),
        }
    }

    /// With `sentry-tracing`, whose root spans are transactions.
    pub(crate) fn sentry() -> Self {
        let subscriber = || {
            let layer = sentry::integrations::tracing::SpanLayer::new();
            Dispatch::new(
                tracing_subscriber::registry()
                    .with(LevelFilter::INFO)
                    .with(layer),
            )
        };
        let transport = Arc::default();
        Self {
            name: "sentry-tracing",
            runtime: runtime(),
            sampled: subscriber(),
            unsampled: subscriber(),
            hubs: Some([1.0, 0.0].map(|rate| official::hub(rate, &transport))),
            provider: None,
        }
    }

    fn in_state<R>(&self, state: State, work: impl FnOnce() -> R) -> R {
        let (dispatch, hub) = match state {
            State::Sampled => (&self.sampled, 0),
            _ => (&self.unsampled, 1),
        };
        let work = || dispatcher::with_default(dispatch, work);
        match &self.hubs {
            Some(hubs) => Hub::run(Arc::clone(&hubs[hub]), work),
            None => work(),
        }
    }

    fn in_root<R>(&self, state: State, work: impl FnOnce() -> R) -> R {
        self.in_state(state, || tracing::info_span!("root").in_scope(work))
    }

    fn eight_tasks(&self) -> Cost {
        self.in_root(State::Sampled, || {
            self.runtime.block_on(in_tasks(|start| {
                let task = async move {
                    start.wait();
                    recorded::sync_spans(Meter::Time)
                };
                let task = task.instrument(tracing::info_span!("task"));
                tokio::spawn(task.with_subscriber(self.sampled.clone()))
            }))
        })
    }

    fn outgoing_headers(&self, meter: Meter) -> Cost {
        let propagator = TraceContextPropagator::new();
        self.in_root(State::Sampled, || {
            meter.repeat(SPANS, |_| {
                let mut headers = HashMap::new();
                let context = tracing::Span::current().context();
                propagator.inject_context(&context, &mut headers);
                black_box(headers);
            })
        })
    }

    fn incoming_headers(&self, meter: Meter) -> Cost {
        let propagator = TraceContextPropagator::new();
        let headers = HashMap::from(INCOMING.map(|(name, value)| (name.into(), value.into())));
        meter.repeat(SPANS, |_| {
            black_box(propagator.extract(black_box::<&HashMap<String, String>>(&headers)));
        })
    }
}

impl Peer for Tracing {
    fn name(&self) -> &'static str {
        self.name
    }

    fn measure(&self, scenario: Scenario, state: State, meter: Meter) -> Option<Cost> {
        let cost = match (scenario, state) {
            (_, State::OverLimit) => return None,
            (Scenario::EightTasks, _) => self.eight_tasks(),
            (Scenario::OutgoingHeaders, _) if self.hubs.is_none() => self.outgoing_headers(meter),
            (Scenario::IncomingHeaders, _) if self.hubs.is_none() => self.incoming_headers(meter),
            (Scenario::RetainedPerPoll, _) => self.in_root(state, || {
                let future = never().instrument(tracing::info_span!("op"));
                retained_by_polls(|| self.settle(), pin!(future))
            }),
            (Scenario::Transaction, State::NoClient) => {
                self.in_state(state, || disabled::operation(Scenario::AsyncSpan, meter))?
            }
            (Scenario::Transaction, _) => {
                self.in_state(state, || recorded::operation(Scenario::AsyncSpan, meter))?
            }
            (_, State::NoClient) => self.in_root(state, || disabled::operation(scenario, meter))?,
            _ => self.in_root(state, || recorded::operation(scenario, meter))?,
        };
        Some(cost)
    }

    fn settle(&self) {
        if let Some(provider) = &self.provider {
            provider.force_flush().expect("nothing can fail");
        }
    }
}

/// The operations, with spans of a level, which has to be known when they are compiled.
macro_rules! operations {
    ($module:ident, $level:expr) => {
        mod $module {
            use super::*;

            pub(super) fn operation(scenario: Scenario, meter: Meter) -> Option<Cost> {
                let span = || tracing::span!($level, "op");
                Some(match scenario {
                    Scenario::SyncSpan => sync_spans(meter),
                    Scenario::Attributes => meter.repeat(SPANS, |n| {
                        let span = tracing::span!(
                            $level,
                            "op",
                            db.system.name = black_box("postgresql"),
                            server.port = black_box(5432),
                            rows = black_box(n),
                        );
                        span.in_scope(|| black_box(n));
                    }),
                    Scenario::OpenSpan => meter.repeat(SPANS, |_| drop(span())),
                    Scenario::AsyncSpan => meter.repeat(SPANS, |n| {
                        poll_to_end(ready(n).instrument(span()));
                    }),
                    Scenario::AsyncSpanPolled => meter.repeat(SPANS, |_| {
                        poll_to_end(ready_at_last().instrument(span()));
                    }),
                    Scenario::FurtherPoll => further_polls(meter, pin!(never().instrument(span()))),
                    Scenario::RetainedPerSpan => open_spans(meter, || never().instrument(span())),
                    // There is no scope and no format, and the others are elsewhere.
                    _ => return None,
                })
            }

            pub(super) fn sync_spans(meter: Meter) -> Cost {
                meter.repeat(SPANS, |n| {
                    tracing::span!($level, "op").in_scope(|| black_box(n));
                })
            }
        }
    };
}

operations!(recorded, Level::INFO);
operations!(disabled, Level::TRACE);

#[derive(Debug)]
struct Nowhere;

impl SpanExporter for Nowhere {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        drop(batch);
        Ok(())
    }
}

const INCOMING: [(&str, &str); 1] = [(
    "traceparent",
    "00-771a43a4192642f0b136d5159a501700-7c51afd529da4a2a-01",
)];
