//! A server, a client of it, and what each of them says was lost.

use std::future::ready;
use std::time::Duration;

use taskspan::local::Receiver;
use taskspan::{Client, DeliveryReport, Instrument, Options};

pub(crate) const SOON: Duration = Duration::from_secs(20);

/// A server and a client of it, with filters.
pub(crate) async fn connected(filters: impl FnOnce(Options) -> Options) -> (Receiver, Client) {
    let receiver = Receiver::start().await.unwrap();
    let options = Options::new(&receiver.dsn())
        .unwrap()
        .traces_sample_rate(1.0);
    let client = Client::new(filters(options)).unwrap();
    (receiver, client)
}

/// Runs a transaction with three spans: two side by side, and one below the second.
pub(crate) async fn transaction(client: &Client, name: &'static str) {
    async {
        ready(()).in_span("db.query", "SELECT 1").await;
        async { ready(()).in_span("cache.get", "inner").await }
            .in_span("function", "outer")
            .await;
    }
    .in_transaction("task", name)
    .with_client(client)
    .await;
}

/// Checks that the sums hold, and that the server was told exactly of these losses.
#[track_caller]
pub(crate) fn assert_lost(
    receiver: &Receiver,
    report: &DeliveryReport,
    lost: &[(&str, &str, u64)],
) {
    let counts = receiver.counts();
    let told: Vec<_> = counts.iter_discarded().collect();
    assert_eq!(told, lost);
    for (tally, category, arrived) in [
        (&report.transactions, "transaction", counts.transactions),
        (&report.spans, "span", counts.spans),
    ] {
        let sum = tally.accepted + tally.dropped() + tally.pending;
        assert_eq!(tally.sampled, sum, "{report:?}");
        assert_eq!(tally.accepted, arrived, "{report:?}");
        let dropped: Vec<_> = tally
            .drops()
            .map(|(reason, count)| (reason.to_string(), count))
            .collect();
        let mut expected: Vec<_> = lost.iter().filter(|it| it.1 == category).collect();
        expected.sort_by_key(|it| dropped.iter().position(|(reason, _)| reason == it.0));
        let expected: Vec<_> = expected.iter().map(|it| (it.0.to_owned(), it.2)).collect();
        assert_eq!(dropped, expected, "{report:?}");
    }
}

/// What is left of a transaction of the name `t`, and what the server is told of the rest.
pub(crate) async fn one(
    filters: impl FnOnce(Options) -> Options,
    lost: &[(&str, &str, u64)],
) -> Vec<String> {
    let (receiver, client) = connected(filters).await;
    transaction(&client, "t").await;
    let report = client.close(SOON).await;
    assert_lost(&receiver, &report, lost);
    let transactions = receiver.transactions();
    let spans = transactions.iter().flat_map(|it| &it.spans);
    spans.map(|span| span.description.clone()).collect()
}

pub(crate) const ALL: [&str; 3] = ["SELECT 1", "outer", "inner"];

/// A whole transaction of four spans.
pub(crate) const fn whole(reason: &str) -> [(&str, &str, u64); 2] {
    [(reason, "span", 4), (reason, "transaction", 1)]
}
