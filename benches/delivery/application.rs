//! The process that sends, and works beside it.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use support::meter::quantile;
use support::process::{cpu, resident};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{MissedTickBehavior, interval};

use crate::sender::Sender;

/// What a sending process tells at its end.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) offered: f64,
    /// Processor time, if it came to its end.
    pub(crate) seconds: f64,
    /// To record one transaction.
    pub(crate) microseconds: f64,
    /// Of the requests beside it, in milliseconds.
    pub(crate) median: f64,
    pub(crate) high: f64,
    /// MiB after a fifth of the time, when all has been allocated once, and at the end.
    pub(crate) resident: [f64; 2],
}

/// Starts transactions at a rate, and says what that took.
pub(crate) fn send(who: &str, dsn: &str, rate: u64, seconds: f64, deadline: Duration) {
    runtime().block_on(async {
        let sender = Sender::new(who, dsn);
        let requests = Arc::new(Mutex::new(Vec::new()));
        tokio::spawn(serve_requests(Arc::clone(&requests)));
        let before = cpu();
        let start = Instant::now();
        let mut ticks = interval(Duration::from_millis(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let (mut offered, mut recording) = (0_u64, Duration::ZERO);
        let mut early = None;
        while start.elapsed().as_secs_f64() < seconds {
            ticks.tick().await;
            let due = (start.elapsed().as_secs_f64() * rate as f64) as u64;
            let burst = Instant::now();
            while offered < due {
                sender.transaction().await;
                offered += 1;
            }
            recording += burst.elapsed();
            if start.elapsed().as_secs_f64() >= seconds / 5.0 {
                early.get_or_insert_with(resident);
            }
        }
        let late = resident();
        let mut requests = requests.lock().unwrap().clone();
        requests.sort_by(f64::total_cmp);
        let figures = Figures {
            offered: offered as f64,
            microseconds: recording.as_secs_f64() * 1e6 / offered as f64,
            median: 1e3 * quantile(&requests, 0.5),
            high: 1e3 * quantile(&requests, 0.99),
            resident: [early.unwrap_or(late), late],
            ..Figures::default()
        };
        println!("{}", figures.to_line());
        // It may never return.
        sender.close(deadline).await;
        println!("{}", cpu() - before);
        std::io::stdout().flush().unwrap();
        // What the guard does when it is dropped is no part of this.
        std::process::exit(0);
    });
}

/// Leaves a number of transactions to be sent, and closes.
pub(crate) fn close(who: &str, dsn: &str, queued: u64, deadline: Duration) {
    runtime().block_on(async {
        let sender = Sender::new(who, dsn);
        for _ in 0..queued {
            sender.transaction().await;
        }
        let start = Instant::now();
        let outcome = sender.close(deadline).await;
        println!("{:.3}\n{outcome}", start.elapsed().as_secs_f64());
        std::io::stdout().flush().unwrap();
    });
}

impl Figures {
    fn to_line(&self) -> String {
        let [early, late] = self.resident;
        let numbers = [self.offered, self.microseconds, self.median, self.high];
        let numbers = numbers.into_iter().chain([early, late]);
        numbers.map(|n| format!("{n} ")).collect()
    }

    /// Reads what the process printed.
    pub(crate) fn from_text(text: &str) -> Self {
        let mut numbers = text.split_whitespace().map(|n| n.parse().unwrap());
        let mut next = || numbers.next().unwrap_or(f64::NAN);
        Self {
            offered: next(),
            microseconds: next(),
            median: next(),
            high: next(),
            resident: [next(), next()],
            seconds: next(),
        }
    }
}

/// What a service on two cores has.
fn runtime() -> Runtime {
    let builder = &mut Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap()
}

/// What the application does beside: a request every few milliseconds, that
/// takes some work and a change of task. Notes how long each took from when it was due.
async fn serve_requests(took: Arc<Mutex<Vec<f64>>>) {
    let mut due = interval(Duration::from_millis(5));
    loop {
        let due = due.tick().await;
        let work = async {
            let start = Instant::now();
            while start.elapsed() < Duration::from_micros(100) {
                std::hint::spin_loop();
            }
        };
        tokio::spawn(work).await.unwrap();
        took.lock().unwrap().push(due.elapsed().as_secs_f64());
    }
}
