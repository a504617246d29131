//! taskspan.

use std::future::ready;
use std::hint::black_box;
use std::pin::pin;
use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use support::meter::{Cost, Meter};
use taskspan::local::Receiver;
use taskspan::test::Sent;
use taskspan::{Client, IncomingTrace, Instrument, Options};
use tokio::runtime::Runtime;

use crate::official::INCOMING;
use crate::scenario::{Peer, SPANS, Scenario, State};
use crate::work::{
    further_polls, in_tasks, never, open_spans, poll_to_end, ready_at_last, retained_by_polls,
    runtime,
};

/// It has no place for an exporter that does nothing. Spans are recorded for clients that keep
/// what they would send, which is thrown away in between. Transactions really are delivered, to
/// a server in this process, since what they cost depends on who takes them.
pub(crate) struct Taskspan {
    runtime: Runtime,
    _server: Receiver,
    delivering: Client,
    sampled: (Client, Sent),
    unsampled: (Client, Sent),
    over_limit: (Client, Sent),
    disabled: Client,
}

impl Taskspan {
    pub(crate) fn new() -> Self {
        let runtime = runtime();
        let (server, delivering) = runtime.block_on(async {
            let server = Receiver::builder().keep(1).bind("127.0.0.1:0").await;
            let server = server.expect("there is a free port");
            let options = Options::new(&server.dsn()).expect("it is the server's own");
            let client = taskspan::init(options).expect("nothing is wrong with the options");
            (server, client)
        });
        let options = || Options::default().traces_sample_rate(1.0);
        Self {
            runtime,
            _server: server,
            delivering,
            sampled: taskspan::test::client(options()),
            unsampled: taskspan::test::client(options().traces_sample_rate(0.0)),
            over_limit: taskspan::test::client(options().max_spans(0)),
            disabled: Client::new(Options::default()).expect("there is nothing to go wrong"),
        }
    }

    fn in_state(&self, state: State, work: impl FnOnce() -> Cost) -> Cost {
        match state {
            State::Sampled => in_transaction(&self.sampled, work),
            State::Unsampled => in_transaction(&self.unsampled, work),
            State::OverLimit => in_transaction(&self.over_limit, work),
            State::NoClient => work(),
        }
    }

    fn transactions(&self, state: State, meter: Meter) -> Cost {
        let run = || {
            meter.repeat(SPANS, |n| {
                let transaction = taskspan::transaction("op", "name");
                let transaction = transaction.sampled(state == State::Sampled);
                poll_to_end(transaction.instrument(ready(n)));
            })
        };
        if state == State::NoClient {
            return poll_to_end(async { run() }.with_client(&self.disabled));
        }
        let cost = run();
        let flush = self.delivering.flush(Duration::from_secs(10));
        let report = self.runtime.block_on(flush);
        assert_eq!(
            report.transactions.sampled, report.transactions.accepted,
            "{report}"
        );
        cost
    }

    fn eight_tasks(&self) -> Cost {
        let (client, sent) = &self.sampled;
        let work = in_tasks(|start| {
            taskspan::spawn(async move {
                start.wait();
                sync_spans(Meter::Time)
            })
        });
        let work = work.in_transaction("bench", "bench").with_client(client);
        let cost = self.runtime.block_on(work);
        drop(sent.take());
        cost
    }

    fn serialise(&self, meter: Meter, spans: u32) -> Cost {
        let (client, sent) = &self.sampled;
        poll_to_end(
            async { (0..spans).for_each(span_with_attributes) }
                .in_transaction("bench", "bench")
                .with_client(client),
        );
        let transaction = sent.take().remove(0);
        let mut json = Vec::new();
        let cost = meter.repeat(1 + SPANS / spans, |_| {
            json.clear();
            serde_json::to_writer(&mut json, black_box(&transaction)).expect("it can be written");
        });
        cost.with_output(json.len())
    }
}

impl Peer for Taskspan {
    fn name(&self) -> &'static str {
        "taskspan"
    }

    fn measure(&self, scenario: Scenario, state: State, meter: Meter) -> Option<Cost> {
        let cost = match scenario {
            Scenario::Transaction => self.transactions(state, meter),
            Scenario::EightTasks => self.eight_tasks(),
            Scenario::Serialise(spans) => self.serialise(meter, spans),
            // A client that has no buffers yet to use again.
            Scenario::RetainedPerSpan => {
                let options = Options::default().traces_sample_rate(1.0);
                in_transaction(&taskspan::test::client(options), || {
                    open_spans(meter, || never().in_span("op", "description"))
                })
            }
            Scenario::SyncSpan => self.in_state(state, || sync_spans(meter)),
            Scenario::Attributes => {
                self.in_state(state, || meter.repeat(SPANS, span_with_attributes))
            }
            Scenario::OpenSpan => self.in_state(state, || {
                let parent = taskspan::current_span();
                meter.repeat(SPANS, |_| {
                    let parent = black_box(parent.as_ref());
                    drop(parent.map(|parent| parent.start_child("op", "description")));
                })
            }),
            Scenario::AsyncSpan => self.in_state(state, || {
                meter.repeat(SPANS, |n| {
                    poll_to_end(ready(n).in_span("op", "description"));
                })
            }),
            Scenario::AsyncSpanPolled => self.in_state(state, || {
                meter.repeat(SPANS, |_| {
                    poll_to_end(ready_at_last().in_span("op", "description"));
                })
            }),
            Scenario::FurtherPoll => self.in_state(state, || {
                further_polls(meter, pin!(never().in_span("op", "description")))
            }),
            Scenario::RetainedPerPoll => self.in_state(state, || {
                retained_by_polls(|| self.settle(), pin!(never().in_span("op", "description")))
            }),
            Scenario::ScopeTag => self.in_state(state, || {
                meter.repeat(SPANS, |_| taskspan::set_tag("tenant", black_box("acme")))
            }),
            Scenario::OutgoingHeaders => self.in_state(state, || {
                meter.repeat(SPANS, |_| {
                    let mut headers = HeaderMap::new();
                    if let Some(trace) = taskspan::outgoing_trace_to(black_box(URL)) {
                        trace.inject(&mut headers);
                    }
                    black_box(headers);
                })
            }),
            Scenario::IncomingHeaders => {
                let headers = incoming_headers();
                meter.repeat(SPANS, |_| {
                    black_box(IncomingTrace::from_carrier(black_box(&headers)));
                })
            }
        };
        Some(cost)
    }
}

/// As they come from another service.
fn incoming_headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in INCOMING {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
}

fn in_transaction((client, sent): &(Client, Sent), work: impl FnOnce() -> Cost) -> Cost {
    let work = async { work() }.in_transaction("bench", "bench");
    let cost = poll_to_end(work.with_client(client));
    drop(sent.take());
    cost
}

fn sync_spans(meter: Meter) -> Cost {
    meter.repeat(SPANS, |n| {
        taskspan::span("op", "description").in_scope(|_| black_box(n));
    })
}

fn span_with_attributes(n: u32) {
    taskspan::span("op", "description").in_scope(|span| {
        span.set_data("db.system.name", black_box("postgresql"));
        span.set_data("server.port", black_box(5432));
        span.set_data("rows", black_box(n));
    });
}

/// Where a request goes.
const URL: &str = "https://api.example/items/7?page=2";
