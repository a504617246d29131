//! The client of the process. There is one test, because there is one such client.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::future::ready;
use std::time::Duration;

use taskspan::local::Receiver;
use taskspan::{Instrument, Options, test};

#[tokio::test]
async fn the_installed_client_is_used_where_none_is_bound() {
    ready(()).in_transaction("task", "too early").await;

    let receiver = Receiver::start().await.unwrap();
    let options = || {
        Options::new(&receiver.dsn())
            .unwrap()
            .traces_sample_rate(1.0)
    };
    let first = taskspan::init(options()).unwrap();
    ready(()).in_transaction("task", "first").await;
    taskspan::configure_global_scope(|scope| {
        scope.set_tag("everywhere", 1);
        scope.set_tag("overridden", "globally");
    });

    // A client that is bound to the future wins.
    let (bound, sent) = test::client(Options::default().traces_sample_rate(1.0));
    async { taskspan::set_tag("overridden", "here") }
        .in_transaction("task", "bound")
        .with_client(&bound)
        .await;
    let transaction = &sent.transactions()[0];
    assert_eq!(transaction.tags["everywhere"], "1");
    assert_eq!(transaction.tags["overridden"], "here");

    // The next one to be installed replaces the first, which stays open.
    let second = taskspan::init(options()).unwrap();
    ready(()).in_transaction("task", "second").await;
    assert_eq!(
        first
            .close(Duration::from_secs(20))
            .await
            .transactions
            .accepted,
        1
    );
    assert_eq!(
        second
            .close(Duration::from_secs(20))
            .await
            .transactions
            .accepted,
        1
    );
    let names: Vec<_> = receiver
        .transactions()
        .iter()
        .map(|sent| sent.name.clone())
        .collect();
    assert_eq!(names.len(), 2);
    assert!(
        names.contains(&"first".to_owned()) && names.contains(&"second".to_owned()),
        "{names:?}"
    );
}
