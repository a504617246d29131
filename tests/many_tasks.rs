//! Transactions of very many tasks cost as much for each task as those of few.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::future::pending;
use std::time::{Duration, Instant};

use taskspan::{Client, Instrument, Options, current_span};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

fn client() -> Client {
    let options = Options::default().traces_sample_rate(1.0);
    taskspan::test::client(options).0
}

/// Doubles the number of tasks three times, and checks that the time does not grow much faster.
///
/// The best of some tries counts, as a machine may be busy with other things at any time.
async fn assert_linear(measure: impl AsyncFn(usize) -> Duration) {
    const FEWEST: usize = 2_000;
    let mut best = [Duration::MAX; 4];
    for _ in 0..4 {
        for (doublings, best) in best.iter_mut().enumerate() {
            *best = measure(FEWEST << doublings).await.min(*best);
        }
        let [few, .., many] = best;
        // Eight times as many take 64 times as long if each looks at all others.
        if many < few * 24 {
            return;
        }
    }
    panic!("2,000 to 16,000 tasks take {best:?}");
}

/// Tasks that live side by side and then end.
#[tokio::test]
async fn tasks_that_end_do_not_look_at_each_other() {
    let client = client();
    assert_linear(async |tasks| {
        let work = async {
            let mut all = JoinSet::new();
            for _ in 0..tasks {
                let task = pending::<()>().in_span("task", "t").in_current_scope();
                all.spawn(task);
            }
            tokio::task::yield_now().await;
            let begin = Instant::now();
            all.shutdown().await;
            begin.elapsed()
        };
        work.in_transaction("task", "many")
            .with_client(&client)
            .await
    })
    .await;
}

/// Tasks that outlive their transaction, and whose spans were changed through handles from elsewhere.
#[tokio::test]
async fn late_tasks_do_not_look_at_the_changes_of_each_other() {
    let client = client();
    assert_linear(async |tasks| {
        let mut all = JoinSet::new();
        let (sender, mut handles) = mpsc::unbounded_channel();
        let work = async {
            for _ in 0..tasks {
                let sender = sender.clone();
                let task = async move {
                    sender.send(current_span()).unwrap();
                    pending::<()>().await;
                };
                all.spawn(task.in_span("task", "t").in_current_scope());
            }
            tokio::task::yield_now().await;
            for _ in 0..tasks {
                let span = handles.recv().await.unwrap().unwrap();
                span.set_data("changed", true);
                span.set_name("from elsewhere");
            }
        };
        work.in_transaction("task", "many")
            .with_client(&client)
            .await;
        let begin = Instant::now();
        all.shutdown().await;
        begin.elapsed()
    })
    .await;
}
