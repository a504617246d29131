//! A program that uses transactions in many ways and keeps a ledger, and the comparison of three ledgers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use taskspan::{Client, DeliveryReport, DropReason, Instrument, Tally};
use tokio::sync::oneshot;

use super::faults::{Ledger, Random};

/// What a program started.
#[derive(Debug, Default)]
pub(crate) struct Started {
    transactions: AtomicU64,
    /// Roots included.
    spans: AtomicU64,
    unsampled: AtomicU64,
}

/// More children than this are refused.
pub(crate) const MAX_SPANS: usize = 20;

impl Started {
    /// Runs one transaction of some kind.
    pub(crate) async fn transaction(&self, client: &Client, random: &mut Random) {
        match random.below(200) {
            0..20 => {
                self.unsampled.fetch_add(1, Ordering::Relaxed);
                let unsampled = taskspan::transaction("task", "unsampled").sampled(false);
                let work = unsampled.instrument(async { children(3) });
                work.with_client(client).await;
            }
            20..25 => self.late(client).await,
            // Too many spans, and too large a transaction.
            25..40 => self.sampled(client, MAX_SPANS as u64 + 10, 0).await,
            40 => self.sampled(client, 15, 90_000).await,
            _ => self.sampled(client, random.below(10), 0).await,
        }
    }

    /// A transaction whose children have descriptions of so many bytes.
    async fn sampled(&self, client: &Client, spans: u64, bytes: usize) {
        self.count(1, spans + 1);
        async {
            for _ in 0..spans {
                let query = if bytes == 0 {
                    "SELECT 1".into()
                } else {
                    "x".repeat(bytes)
                };
                taskspan::span("db.query", query).in_scope(|_| ());
            }
        }
        .in_transaction("task", "sampled")
        .with_client(client)
        .await;
    }

    /// A task that outlives its transaction, and becomes one of its own.
    async fn late(&self, client: &Client) {
        self.count(2, 2 + 2);
        let (ended, root_ended) = oneshot::channel();
        let late = async {
            let work = async {
                let _ = root_ended.await;
                children(2);
            };
            // It is waited for outside.
            Some(taskspan::spawn(work.in_span("task", "late")))
        }
        .in_transaction("task", "early")
        .with_client(client)
        .await;
        let _ = ended.send(());
        if let Some(late) = late {
            let _ = late.await;
        }
    }

    fn count(&self, transactions: u64, spans: u64) {
        self.transactions.fetch_add(transactions, Ordering::Relaxed);
        self.spans.fetch_add(spans, Ordering::Relaxed);
    }

    /// Says where the three ledgers differ.
    pub(crate) fn compare(&self, client: &DeliveryReport, server: &Ledger) -> Vec<String> {
        let mut differences = Vec::new();
        let mut equal = |what: &str, one: u64, other: u64| {
            if one != other {
                differences.push(format!("{what}: {one} and {other}"));
            }
        };
        let started = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let unsampled = started(&self.unsampled);
        let (transactions, spans) = (&client.transactions, &client.spans);
        equal(
            "transactions started and sampled",
            started(&self.transactions),
            transactions.sampled,
        );
        equal(
            "spans started and sampled",
            started(&self.spans),
            spans.sampled,
        );
        equal("unsampled", unsampled, client.unsampled);
        equal(
            "transactions accepted by the server, and as the client says",
            server.acknowledged.transactions,
            transactions.accepted,
        );
        equal(
            "spans accepted by the server, and as the client says",
            server.acknowledged.spans,
            spans.accepted,
        );
        let mut reported = server.reported.clone();
        for (category, tally, limited) in [
            ("transaction", transactions, server.limited.transactions),
            ("span", spans, server.limited.spans),
        ] {
            equal(
                "sampled, and the sum of what became of it",
                tally.sampled,
                tally.accepted + tally.dropped() + tally.pending,
            );
            for (reason, dropped) in tally.drops() {
                let key = (reason.to_string(), category.to_owned());
                let told = reported.remove(&key).unwrap_or(0);
                let known = match reason.as_str() {
                    // Counted by the server itself.
                    "ratelimit_backoff" => told + limited,
                    _ => told,
                };
                if reason != DropReason::Closed {
                    equal(&format!("{reason} of {category}"), dropped, known);
                }
            }
            let key = ("sample_rate".to_owned(), category.to_owned());
            let told = reported.remove(&key).unwrap_or(0);
            equal(&format!("sample_rate of {category}"), unsampled, told);
        }
        for ((reason, category), quantity) in reported {
            equal(&format!("{reason} of {category}"), 0, quantity);
        }
        // What was accepted without an answer was given up here.
        let unacknowledged = server.unacknowledged.transactions;
        if unacknowledged > transactions.dropped() + transactions.pending {
            differences.push(format!("{unacknowledged} without an answer"));
        }
        differences.extend(server.unreadable.iter().cloned());
        differences
    }
}

/// Whether a report adds up at any moment.
pub(crate) fn adds_up(report: &DeliveryReport) -> bool {
    let sum = |tally: &Tally| tally.accepted + tally.dropped() + tally.pending;
    [&report.transactions, &report.spans]
        .into_iter()
        .all(|tally| tally.sampled == sum(tally))
}

fn children(count: u64) {
    for _ in 0..count {
        taskspan::span("db.query", "SELECT 1").in_scope(|_| ());
    }
}

/// How long limits last that the server names.
pub(crate) const LIMIT: Duration = Duration::from_secs(1);
