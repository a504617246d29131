//! `fastrace`.

use std::future::ready;
use std::hint::black_box;
use std::pin::pin;

use fastrace::Span;
use fastrace::collector::{Config, Reporter, SpanContext, SpanRecord};
use fastrace::future::FutureExt;
use fastrace::local::LocalSpan;
use support::meter::{Cost, Meter};
use tokio::runtime::Runtime;

use crate::scenario::{Peer, SPANS, Scenario, State};
use crate::work::{
    further_polls, in_tasks, never, open_spans, poll_to_end, ready_at_last, retained_by_polls,
    runtime,
};

/// Synchronous spans are local ones and futures are wrapped with `in_span`, as its macro
/// `#[trace]` does it. It has one reporter for the process, so that without a client means
/// without a root span.
pub(crate) struct Fastrace {
    runtime: Runtime,
}

struct Nowhere;

impl Reporter for Nowhere {
    fn report(&mut self, spans: Vec<SpanRecord>) {
        drop(spans);
    }
}

impl Fastrace {
    pub(crate) fn new() -> Self {
        fastrace::set_reporter(Nowhere, Config::default());
        Self { runtime: runtime() }
    }

    fn eight_tasks(&self) -> Cost {
        let root = root(State::Sampled);
        self.runtime.block_on(in_tasks(|start| {
            let task = async move {
                start.wait();
                sync_spans(Meter::Time)
            };
            tokio::spawn(task.in_span(Span::enter_with_parent("task", &root)))
        }))
    }
}

impl Peer for Fastrace {
    fn name(&self) -> &'static str {
        "fastrace"
    }

    fn measure(&self, scenario: Scenario, state: State, meter: Meter) -> Option<Cost> {
        let cost = match scenario {
            Scenario::Transaction => meter.repeat(SPANS, |n| {
                poll_to_end(ready(n).in_span(root(state)));
            }),
            Scenario::EightTasks => self.eight_tasks(),
            Scenario::SyncSpan if state != State::OverLimit => in_root(state, || sync_spans(meter)),
            Scenario::Attributes => in_root(state, || {
                meter.repeat(SPANS, |n| {
                    // Values are text, which is made only for spans that are recorded.
                    let _span = LocalSpan::enter_with_local_parent("op").with_properties(|| {
                        [
                            ("db.system.name", black_box("postgresql").to_owned()),
                            ("server.port", black_box(5432).to_string()),
                            ("rows", black_box(n).to_string()),
                        ]
                    });
                })
            }),
            Scenario::OpenSpan => in_root(state, || {
                meter.repeat(SPANS, |_| drop(Span::enter_with_local_parent("op")))
            }),
            Scenario::AsyncSpan if state != State::OverLimit => in_root(state, || {
                meter.repeat(SPANS, |n| {
                    poll_to_end(ready(n).in_span(Span::enter_with_local_parent("op")));
                })
            }),
            Scenario::AsyncSpanPolled => in_root(state, || {
                meter.repeat(SPANS, |_| {
                    poll_to_end(ready_at_last().in_span(Span::enter_with_local_parent("op")));
                })
            }),
            Scenario::FurtherPoll => in_root(state, || {
                let future = never().in_span(Span::enter_with_local_parent("op"));
                further_polls(meter, pin!(future))
            }),
            Scenario::RetainedPerPoll => in_root(state, || {
                let future = never().in_span(Span::enter_with_local_parent("op"));
                retained_by_polls(|| self.settle(), pin!(future))
            }),
            Scenario::RetainedPerSpan => in_root(state, || {
                open_spans(meter, || {
                    never().in_span(Span::enter_with_local_parent("op"))
                })
            }),
            Scenario::OutgoingHeaders => in_root(state, || {
                meter.repeat(SPANS, |_| {
                    let context = SpanContext::current_local_parent();
                    black_box(context.map(|context| context.encode_w3c_traceparent()));
                })
            }),
            Scenario::IncomingHeaders => meter.repeat(SPANS, |_| {
                black_box(SpanContext::decode_w3c_traceparent(black_box(INCOMING)));
            }),
            // Without a limit on spans, a scope, or a format of its own.
            Scenario::SyncSpan | Scenario::AsyncSpan => return None,
            Scenario::ScopeTag | Scenario::Serialise(_) => return None,
        };
        Some(cost)
    }

    fn settle(&self) {
        fastrace::flush();
    }
}

fn root(state: State) -> Span {
    match state {
        State::NoClient => Span::noop(),
        _ => {
            let sampled = state == State::Sampled;
            Span::root("name", SpanContext::random().sampled(sampled))
        }
    }
}

fn in_root(state: State, work: impl FnOnce() -> Cost) -> Cost {
    let root = root(state);
    let _parent = root.set_local_parent();
    work()
}

fn sync_spans(meter: Meter) -> Cost {
    meter.repeat(SPANS, |n| {
        let _span = LocalSpan::enter_with_local_parent("op");
        black_box(n);
    })
}

const INCOMING: &str = "00-771a43a4192642f0b136d5159a501700-7c51afd529da4a2a-01";
