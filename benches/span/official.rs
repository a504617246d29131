//! `sentry`, the official crate.

use std::future::ready;
use std::hint::black_box;
use std::sync::{Arc, Mutex, PoisonError};

use sentry::protocol::Envelope;
use sentry::{
    Client, ClientOptions, Hub, SentryFutureExt, Span, Transaction, TransactionContext, Transport,
};
use support::meter::{Cost, Meter};
use tokio::runtime::Runtime;

use crate::scenario::{Peer, SPANS, Scenario, State};
use crate::work::{
    further_polls, in_tasks, never, open_spans, poll_to_end, ready_at_last, retained_by_polls,
    runtime,
};

/// Spans are started below one that is at hand, the shortest way in its documentation. A future
/// gets a hub of its own whose scope has the span, so that it is found inside, as in its
/// documentation of `bind_hub`. Its features for errors, sessions and logs are off.
pub(crate) struct Official {
    runtime: Runtime,
    last: Arc<Last>,
    sampled: Arc<Hub>,
    unsampled: Arc<Hub>,
    no_client: Arc<Hub>,
}

/// Takes what is sent, and keeps the last of it.
#[derive(Default)]
pub(crate) struct Last(Mutex<Option<Envelope>>);

impl Transport for Last {
    fn send_envelope(&self, envelope: Envelope) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(envelope);
    }
}

/// A hub with a client of its own, that sends nothing.
pub(crate) fn hub(traces_sample_rate: f32, transport: &Arc<Last>) -> Arc<Hub> {
    let options = ClientOptions::new()
        .dsn("http://key@localhost/1")
        .default_integrations(false)
        .traces_sample_rate(traces_sample_rate)
        .transport(Arc::clone(transport));
    let client = Client::from(options);
    Arc::new(Hub::new(Some(Arc::new(client)), Arc::default()))
}

impl Official {
    pub(crate) fn new() -> Self {
        let last = Arc::default();
        Self {
            runtime: runtime(),
            sampled: hub(1.0, &last),
            unsampled: hub(0.0, &last),
            no_client: Arc::new(Hub::new(None, Arc::default())),
            last,
        }
    }

    fn hub(&self, state: State) -> Arc<Hub> {
        Arc::clone(match state {
            State::NoClient => &self.no_client,
            State::Unsampled => &self.unsampled,
            State::Sampled | State::OverLimit => &self.sampled,
        })
    }

    fn in_transaction(&self, state: State, work: impl FnOnce(&Transaction) -> Cost) -> Cost {
        Hub::run(self.hub(state), || {
            let transaction = start();
            let cost = work(&transaction);
            transaction.finish();
            cost
        })
    }

    fn eight_tasks(&self) -> Cost {
        let transaction = start_on(&self.sampled);
        let cost = self.runtime.block_on(in_tasks(|start| {
            let parent = transaction.clone();
            let task = async move {
                start.wait();
                sync_spans(Meter::Time, &parent)
            };
            tokio::spawn(task.bind_hub(Hub::new_from_top(&self.sampled)))
        }));
        transaction.finish();
        cost
    }

    fn serialise(&self, meter: Meter, spans: u32) -> Cost {
        let transaction = start_on(&self.sampled);
        (0..spans).for_each(|n| span_with_attributes(&transaction, n));
        transaction.finish();
        let envelope = self.last.0.lock().unwrap_or_else(PoisonError::into_inner);
        let envelope = envelope.as_ref().expect("it was sent just now");
        let mut json = Vec::new();
        let cost = meter.repeat(1 + SPANS / spans, |_| {
            json.clear();
            let written = black_box(envelope).to_writer(&mut json);
            written.expect("it can be written");
        });
        cost.with_output(json.len())
    }
}

impl Peer for Official {
    fn name(&self) -> &'static str {
        "sentry"
    }

    fn measure(&self, scenario: Scenario, state: State, meter: Meter) -> Option<Cost> {
        if state == State::OverLimit {
            return None;
        }
        let cost = match scenario {
            Scenario::Transaction => Hub::run(self.hub(state), || {
                meter.repeat(SPANS, |n| {
                    let transaction = start();
                    poll_to_end(ready(n));
                    transaction.finish();
                })
            }),
            Scenario::EightTasks => self.eight_tasks(),
            Scenario::Serialise(spans) => self.serialise(meter, spans),
            // There is one kind of span.
            Scenario::SyncSpan | Scenario::OpenSpan => {
                self.in_transaction(state, |parent| sync_spans(meter, parent))
            }
            Scenario::Attributes => self.in_transaction(state, |parent| {
                meter.repeat(SPANS, |n| span_with_attributes(parent, n))
            }),
            Scenario::AsyncSpan => self.in_transaction(state, |parent| {
                meter.repeat(SPANS, |n| {
                    poll_to_end(in_span(parent, ready(n)));
                })
            }),
            Scenario::AsyncSpanPolled => self.in_transaction(state, |parent| {
                meter.repeat(SPANS, |_| {
                    poll_to_end(in_span(parent, ready_at_last()));
                })
            }),
            Scenario::FurtherPoll => self.in_transaction(state, |parent| {
                further_polls(meter, in_span(parent, never()))
            }),
            Scenario::RetainedPerPoll => self.in_transaction(state, |parent| {
                retained_by_polls(|| self.settle(), in_span(parent, never()))
            }),
            Scenario::RetainedPerSpan => self.in_transaction(state, |parent| {
                open_spans(meter, || in_span(parent, never()))
            }),
            Scenario::ScopeTag => self.in_transaction(state, |_| {
                meter.repeat(SPANS, |_| {
                    sentry::configure_scope(|scope| scope.set_tag("tenant", black_box("acme")));
                })
            }),
            Scenario::OutgoingHeaders => self.in_transaction(state, |transaction| {
                meter.repeat(SPANS, |_| {
                    transaction.iter_headers().for_each(|header| {
                        black_box(header);
                    });
                })
            }),
            Scenario::IncomingHeaders => meter.repeat(SPANS, |_| {
                let headers = black_box(INCOMING);
                let context = TransactionContext::continue_from_headers("name", "op", headers);
                black_box(context);
            }),
        };
        Some(cost)
    }
}

fn start() -> Transaction {
    sentry::start_transaction(TransactionContext::new("name", "op"))
}

fn start_on(hub: &Arc<Hub>) -> Transaction {
    hub.start_transaction(TransactionContext::new("name", "op"))
}

fn sync_spans(meter: Meter, parent: &Transaction) -> Cost {
    meter.repeat(SPANS, |n| {
        let span = parent.start_child("op", "description");
        black_box(n);
        span.finish();
    })
}

fn span_with_attributes(parent: &Transaction, n: u32) {
    let span: Span = parent.start_child("op", "description");
    span.set_data("db.system.name", black_box("postgresql").into());
    span.set_data("server.port", black_box(5432).into());
    span.set_data("rows", black_box(n).into());
    span.finish();
}

fn in_span<F: Future>(parent: &Transaction, work: F) -> impl Future<Output = F::Output> {
    let span = parent.start_child("op", "description");
    let hub = Arc::new(Hub::new_from_top(Hub::current()));
    hub.configure_scope(|scope| scope.set_span(Some(span.clone().into())));
    async move {
        let output = work.await;
        span.finish();
        output
    }
    .bind_hub(hub)
}

/// What comes with a request from another service.
pub(crate) const INCOMING: [(&str, &str); 2] = [
    (
        "sentry-trace",
        "771a43a4192642f0b136d5159a501700-7c51afd529da4a2a-1",
    ),
    (
        "baggage",
        "sentry-trace_id=771a43a4192642f0b136d5159a501700,sentry-public_key=key,\
         sentry-sample_rate=1,sentry-sampled=true,sentry-release=shop%401.0.0,\
         sentry-environment=production,sentry-transaction=GET%20%2Fitems",
    ),
];
