//! Delivery to servers that behave and servers that do not, over real sockets.

mod answers;
mod building;
mod channel;
mod lifecycle;
mod losses;
mod server;
mod settling;
mod spotlight;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ::http::HeaderValue;
use tokio::runtime::{Handle, Runtime};

use self::server::Server;
use super::config::Config;
use super::handle::Transport;
use super::ledger::{DeliveryReport, DropReason, Tally};
use super::payload::Payload;
use crate::filter::{Build, Built};
use crate::protocol::{
    Contexts, Data, DiscardReason, Sdk, TraceContext, Transaction, TransactionInfo,
    TransactionSource,
};
use crate::protocol::{EventId, SpanId, TraceId};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(20);

/// A payload that consists of a name.
struct Fake {
    name: String,
    spans: u32,
    size: usize,
    panics: bool,
}

impl Payload for Fake {
    fn spans(&self) -> u32 {
        self.spans
    }

    fn size(&self) -> usize {
        self.size
    }

    fn build(self: Box<Self>) -> Build {
        assert!(!self.panics, "as the test wants it");
        Build::Ready(Built {
            transaction: Ok(Box::new(transaction(self.name))),
            removed: Vec::new(),
        })
    }
}

fn fake(name: impl fmt::Display) -> Box<Fake> {
    Box::new(Fake {
        name: name.to_string(),
        spans: 3,
        size: 100,
        panics: false,
    })
}

fn transaction(name: String) -> Transaction {
    let now = SystemTime::now().into();
    Transaction {
        event_id: EventId::from_random(rand::random()),
        platform: "native",
        name: name.into(),
        info: TransactionInfo::new(TransactionSource::Custom),
        start_timestamp: now,
        timestamp: now,
        release: None,
        dist: None,
        environment: "production".into(),
        server_name: None,
        level: None,
        tags: BTreeMap::new(),
        user: None,
        request: None,
        breadcrumbs: Vec::new(),
        contexts: Contexts {
            trace: TraceContext {
                trace_id: TraceId::from_random(1),
                span_id: SpanId::from_bits(1).unwrap(),
                parent_span_id: None,
                op: "task".into(),
                status: None,
                origin: "manual".into(),
                data: Data::default(),
                links: Vec::new(),
            },
            others: BTreeMap::new(),
        },
        spans: Vec::new(),
        sdk: Arc::new(Sdk::default()),
        sampling_context: None,
    }
}

fn config(server: &Server) -> Config {
    let endpoint = format!("http://{}/api/42/envelope/", server.address);
    Config::new(
        endpoint.parse().unwrap(),
        HeaderValue::from_static("Sentry sentry_key=k"),
    )
}

/// A transport to the server on the current runtime.
fn connect(server: &Server) -> Transport {
    Transport::new(config(server), &Handle::current())
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// Accepted, dropped for the reason, pending; asserts that this is all there is.
#[track_caller]
fn assert_tally(tally: &Tally, accepted: u64, dropped: &[(DiscardReason, u64)], pending: u64) {
    let drops: Vec<_> = tally.drops().collect();
    let dropped: Vec<_> = dropped
        .iter()
        .map(|(reason, count)| (DropReason::Discarded(*reason), *count))
        .collect();
    assert_eq!(
        (tally.accepted, drops, tally.pending),
        (accepted, dropped, pending)
    );
    assert_sums(tally);
}

#[track_caller]
fn assert_sums(tally: &Tally) {
    let sum = tally.accepted + tally.dropped() + tally.pending;
    assert_eq!(tally.sampled, sum, "{tally:?}");
}

/// The same for a report in which every transaction has three spans.
#[track_caller]
fn assert_report(
    report: &DeliveryReport,
    accepted: u64,
    dropped: &[(DiscardReason, u64)],
    pending: u64,
) {
    assert_tally(&report.transactions, accepted, dropped, pending);
    let dropped: Vec<_> = dropped.iter().map(|(reason, n)| (*reason, 3 * n)).collect();
    assert_tally(&report.spans, 3 * accepted, &dropped, 3 * pending);
}
