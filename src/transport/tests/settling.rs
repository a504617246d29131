//! Whatever happens in whatever order, everything is settled once.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::server::Act;
use super::*;

#[derive(Clone, Debug)]
enum Step {
    /// Submit so many from inside of the runtime, or from a thread outside of it.
    Submit(u8, bool),
    /// Submit one that is too large to be built on the worker's thread.
    SubmitLarge,
    /// Let the runtime run for so many milliseconds.
    Run(u8),
    /// Flush, and give up waiting after so many milliseconds.
    Flush(u8),
    /// End the runtime, waiting for its threads or not, and have another one.
    End { wait: bool, threads: bool },
    /// Close, and give up waiting after so many milliseconds.
    Close(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..20_u8, any::<bool>()).prop_map(|(count, inside)| Step::Submit(count, inside)),
        1 => Just(Step::SubmitLarge),
        3 => (0..5_u8).prop_map(Step::Run),
        2 => (0..5_u8).prop_map(Step::Flush),
        2 => any::<(bool, bool)>().prop_map(|(wait, threads)| Step::End { wait, threads }),
        1 => (0..5_u8).prop_map(Step::Close),
    ]
}

fn another(threads: bool) -> Runtime {
    match threads {
        false => runtime(),
        true => tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap(),
    }
}

fn millis(count: u8) -> Duration {
    Duration::from_millis(count.into())
}

/// Does the steps, and checks that every transaction ends where it has to.
fn assert_settled_once(steps: Vec<Step>) {
    let server = Server::start(|number| match number % 5 {
        1 => Act::Cut,
        3 => Act::Late(Duration::from_millis(2)),
        _ => Act::Answer(200, &[]),
    });
    let mut runtime = another(false);
    let mut config = config(&server);
    config.max_uploads = 8;
    let transport = Transport::new(config, runtime.handle());
    let (mut submitted, mut refused) = (0, 0);
    let mut closed = false;
    for step in steps {
        match step {
            Step::Submit(count, inside) => {
                let entered = inside.then(|| runtime.enter());
                for _ in 0..count {
                    transport.submit(fake(submitted));
                    submitted += 1;
                }
                drop(entered);
                refused += if closed { u64::from(count) } else { 0 };
            }
            Step::SubmitLarge => {
                let mut large = fake(submitted);
                large.size = 100_000;
                transport.submit(large);
                submitted += 1;
                refused += u64::from(closed);
            }
            Step::Run(time) => runtime.block_on(async { tokio::time::sleep(millis(time)).await }),
            Step::Flush(time) => drop(runtime.block_on(transport.flush(millis(time)))),
            Step::End { wait, threads } => {
                let ended = std::mem::replace(&mut runtime, another(threads));
                match wait {
                    true => drop(ended),
                    false => ended.shutdown_background(),
                }
            }
            Step::Close(time) => {
                runtime.block_on(transport.close(millis(time)));
                closed = true;
            }
        }
        let report = transport.stats();
        assert_sums(&report.transactions);
        assert_sums(&report.spans);
        assert_eq!(report.transactions.sampled, submitted);
        let lost = report.transactions.dropped_because(DropReason::Closed);
        assert_eq!(lost, refused);
    }
    let report = runtime.block_on(transport.close(LONG));
    assert_sums(&report.transactions);
    assert_eq!(report.transactions.pending, 0, "{report}");
    assert_eq!(report.spans.pending, 0, "{report}");
    assert_eq!(report.spans.sampled, 3 * submitted);
    assert_eq!(report.spans.accepted, 3 * report.transactions.accepted);
    // Each arrived as one event, however often it was on its way.
    let received = server.received();
    let mut events = BTreeMap::new();
    for request in &received {
        for (_, item) in request
            .items
            .iter()
            .filter(|(kind, _)| kind == "transaction")
        {
            let ids: &mut BTreeSet<_> = events.entry(item["transaction"].to_string()).or_default();
            ids.insert(item["event_id"].to_string());
        }
    }
    assert!(events.values().all(|ids| ids.len() == 1), "{events:?}");
    let lost = DropReason::Discarded(DiscardReason::NetworkError);
    let given_up = report.transactions.dropped_because(lost);
    let settled = report.transactions.accepted + given_up + refused;
    assert_eq!(settled, submitted, "{report}");
    assert!(events.len() as u64 >= report.transactions.accepted);
    assert!(events.len() as u64 <= submitted - refused);
    // What the worker of the last runtime still holds ends with it.
    let shared = Arc::downgrade(&transport.shared);
    drop(transport);
    drop(runtime);
    assert_eq!(shared.strong_count(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn everything_is_settled_once_whatever_ends_when(steps in prop::collection::vec(step(), 1..25)) {
        assert_settled_once(steps);
    }
}
