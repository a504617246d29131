//! Three ledgers agree after a bad time: what a program started, what the server accepted, and what
//! the client says became of the rest.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a panic is how a test fails, and its seed is needed then"
)]

#[path = "../examples/support/faults.rs"]
mod faults;
#[path = "../examples/support/ledgers.rs"]
mod ledgers;

use std::env;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::future::join_all;
use taskspan::{Client, Compression, DropReason, Options};
use tokio::runtime::Builder;
use tokio::time::sleep;

use self::faults::{ACTS, Act, Random, Server};
use self::ledgers::{LIMIT, MAX_SPANS, Started, adds_up};

const SOON: Duration = Duration::from_secs(30);

/// `TASKSPAN_SEED` has a run repeated as far as that goes.
fn seed() -> u64 {
    let given = env::var("TASKSPAN_SEED").ok();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = given.map_or(now.as_nanos() as u64, |seed| seed.parse().unwrap());
    println!("TASKSPAN_SEED={seed}");
    seed
}

fn options(server: &Server) -> Options {
    Options::new(&server.dsn())
        .unwrap()
        .traces_sample_rate(1.0)
        .max_spans(MAX_SPANS)
        .queue_items(200)
        .max_uploads(16)
        .request_timeout(Duration::from_secs(1))
}

/// Runs transactions from several tasks at once, for a while.
async fn run(client: &Client, started: &Arc<Started>, seed: u64, time: Duration) {
    let end = Instant::now() + time;
    let tasks = (0..4).map(|task| {
        let (client, started) = (client.clone(), Arc::clone(started));
        tokio::spawn(async move {
            let mut random = Random::new(seed + task);
            while Instant::now() < end {
                for _ in 0..random.below(20) {
                    started.transaction(&client, &mut random).await;
                }
                let stats = client.stats();
                assert!(adds_up(&stats), "{stats:?}");
                sleep(Duration::from_millis(random.below(40))).await;
            }
        })
    });
    for task in join_all(tasks).await {
        task.unwrap();
    }
}

async fn bad_time(seed: u64, acts: &[Act], compression: Compression) {
    let server = Server::start(seed, acts, Duration::from_millis(150));
    let client = Client::new(options(&server).compression(compression)).unwrap();
    let started = Arc::new(Started::default());
    run(&client, &started, seed, Duration::from_secs(3)).await;
    server.set_healthy(true);
    // The last limit ends, and whoever is still stalled is given up.
    sleep(LIMIT + Duration::from_millis(300)).await;
    run(&client, &started, seed + 4, Duration::from_millis(200)).await;
    client.flush(SOON).await;
    let report = client.close(SOON).await;

    // What comes later is counted, and told to nobody.
    let before = report.transactions.clone();
    started.transaction(&client, &mut Random::new(0)).await;
    let report = client.close(SOON).await;
    assert_eq!(before.dropped_because(DropReason::Closed), 0);

    let ledger = server.ledger();
    println!("{report}\n{ledger:?}");
    assert_eq!(report.transactions.pending, 0, "{report}");
    let differences = started.compare(&report, &ledger);
    assert!(differences.is_empty(), "{differences:#?}");
    assert!(report.transactions.accepted > 0 && ledger.outages > 0);
}

#[test]
fn the_ledgers_agree_after_a_bad_time() {
    let seed = seed();
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        // A limit holds everything back for a second, in which little else can happen.
        let unlimited: Vec<Act> = ACTS.iter().copied().filter(|act| !act.limits()).collect();
        let times = [
            (ACTS.to_vec(), Compression::Gzip),
            (unlimited.clone(), Compression::Gzip),
            (unlimited, Compression::None),
        ];
        let times = times.map(|(acts, compression)| {
            tokio::spawn(async move { bad_time(seed, &acts, compression).await })
        });
        for time in join_all(times).await {
            time.unwrap();
        }
    });
}

/// Without a header a limit lasts for a minute, in which losses cannot be told.
#[tokio::test]
async fn a_long_limit_keeps_losses_here() {
    let seed = seed();
    let server = Server::start(seed, &[Act::Limit("")], Duration::ZERO);
    let client = Client::new(options(&server)).unwrap();
    let started = Arc::new(Started::default());
    run(&client, &started, seed, Duration::from_millis(500)).await;
    let report = client.close(SOON).await;
    let ledger = server.ledger();
    println!("{report}\n{ledger:?}");
    assert_eq!(report.transactions.pending, 0, "{report}");
    assert_eq!(
        report.transactions.accepted,
        ledger.acknowledged.transactions
    );
    assert_eq!(report.spans.accepted, ledger.acknowledged.spans);
    assert!(adds_up(&report));
    for ((reason, category), told) in &ledger.reported {
        let tally = match category.as_str() {
            "span" => &report.spans,
            _ => &report.transactions,
        };
        let dropped = tally.drops().find(|(found, _)| found.as_str() == reason);
        assert!(reason == "sample_rate" || dropped.is_some_and(|(_, count)| count >= *told));
    }
}
