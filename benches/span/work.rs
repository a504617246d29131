//! What the spans are around: the same for all crates.

use std::future::{Future, poll_fn};
use std::hint::{self, black_box};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use support::meter::{Cost, Meter};
use support::process::resident;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use crate::scenario::{POLLS, SPANS, TASKS};

/// Polls a future until it is ready, without any runtime.
pub(crate) fn poll_to_end<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = black_box(future.as_mut().poll(&mut context)) {
            return output;
        }
    }
}

/// A future that is ready at its 11th poll.
pub(crate) fn ready_at_last() -> impl Future<Output = u32> {
    let mut polls = 0;
    poll_fn(move |_| {
        polls += 1;
        match polls {
            POLLS => Poll::Ready(polls),
            _ => Poll::Pending,
        }
    })
}

/// A future that is never ready, and takes no room.
pub(crate) fn never() -> impl Future<Output = ()> {
    poll_fn(|_| black_box(Poll::Pending))
}

/// Measures polls of a future that is never ready, all but the first.
pub(crate) fn further_polls(meter: Meter, future: impl Future) -> Cost {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    let _ = future.as_mut().poll(&mut context);
    meter.repeat(SPANS, |_| {
        let _ = black_box(future.as_mut().poll(&mut context));
    })
}

/// Measures futures that are made, polled once and kept.
///
/// They lie on the heap, so that what they hold themselves counts as well.
pub(crate) fn open_spans<F: Future>(meter: Meter, make: impl Fn() -> F) -> Cost {
    let mut open: Vec<Pin<Box<F>>> = Vec::with_capacity(SPANS as usize);
    let mut context = Context::from_waker(Waker::noop());
    meter.repeat(SPANS, |_| {
        let mut future = Box::pin(make());
        let _ = black_box(future.as_mut().poll(&mut context));
        open.push(future);
    })
}

/// What a service has: a thread for each core.
pub(crate) fn runtime() -> Runtime {
    let builder = &mut Builder::new_multi_thread();
    builder
        .enable_all()
        .build()
        .expect("threads can be started")
}

/// Measures by how much the process grows while a future is polled.
///
/// In between it waits for other threads, which may be where something is kept.
pub(crate) fn retained_by_polls(settle: impl Fn(), future: impl Future) -> Cost {
    // So many that what else makes the process grow is less than a byte for each.
    const AT_ONCE: usize = 1_000;
    const TIMES: usize = 300;
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    let before = resident();
    for _ in 0..TIMES {
        for _ in 0..AT_ONCE {
            let _ = black_box(future.as_mut().poll(&mut context));
        }
        settle();
    }
    let grown = (resident() - before) * 1024.0 * 1024.0;
    Cost {
        retained: grown / (TIMES * AT_ONCE) as f64,
        ..Cost::default()
    }
}

/// Measures spans in tasks that run side by side: what a span costs in each of them.
pub(crate) async fn in_tasks(spawn: impl Fn(Start) -> JoinHandle<Cost>) -> Cost {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let start = Arc::new(AtomicUsize::new(0));
    let tasks = (0..TASKS).map(|_| {
        spawn(Start {
            cores,
            arrived: Arc::clone(&start),
        })
    });
    let tasks: Vec<_> = tasks.collect();
    let mut nanoseconds = 0.0;
    for task in tasks {
        nanoseconds += task.await.expect("it does not panic").nanoseconds;
    }
    Cost {
        nanoseconds: nanoseconds / f64::from(TASKS),
        ..Cost::default()
    }
}

/// Where tasks wait for each other: without it the first is done before the second begins.
pub(crate) struct Start {
    cores: usize,
    arrived: Arc<AtomicUsize>,
}

impl Start {
    /// Waits until there is a task on each core, or for a moment if there won't be one.
    pub(crate) fn wait(&self) {
        self.arrived.fetch_add(1, Ordering::Relaxed);
        let begin = Instant::now();
        while self.arrived.load(Ordering::Relaxed) < self.cores
            && begin.elapsed() < Duration::from_millis(1)
        {
            hint::spin_loop();
        }
    }
}
