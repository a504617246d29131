//! What recording costs, operation by operation, in every state that a user can be in.
//!
//! `cargo bench --bench span` prints nanoseconds and allocations
//! for each operation beside the floor: two readings of the clock that spans
//! use. With `-- --test` everything runs once, to see that it works.
//!
//! All operations take turns in each of many short rounds, so that a machine
//! which slows down for a while slows down all of them alike. What is printed
//! is the median over the rounds, and the least.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program that prints tables"
)]

use std::future::{Future, poll_fn, ready};
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use taskspan::local::Receiver;
use taskspan::test::Sent;
use taskspan::{Client, Instrument, Options};
use tokio::runtime::{Builder, Runtime};

/// Repeats an operation so many times, and says how long that took.
type Run = fn(u32) -> Duration;

/// One operation in one state.
struct Case {
    name: &'static str,
    state: State,
    run: Run,
    /// How often it is repeated in a round.
    repeat: u32,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Sampled,
    OverLimit,
    Unsampled,
    NoClient,
    /// Outside of any transaction, with a client that delivers to a server.
    Delivered,
    /// Outside of any transaction, with a client without a DSN.
    Disabled,
    Floor,
}

struct Measured {
    nanoseconds: Vec<f64>,
    allocations: f64,
    bytes: f64,
}

const SPANS: u32 = 100;

fn main() {
    let once = std::env::args().any(|argument| argument == "--test");
    let rounds = if once { 1 } else { 200 };
    let cases = cases();
    let mut measured: Vec<_> = cases
        .iter()
        .map(|_| Measured {
            nanoseconds: Vec::new(),
            allocations: 0.0,
            bytes: 0.0,
        })
        .collect();
    for round in 0..rounds + 2 {
        for (case, measured) in cases.iter().zip(&mut measured) {
            let run = || in_state(case.state, || (case.run)(case.repeat));
            if round < 2 {
                // Warms up: buffers are made now, and used again from here on.
                run();
            } else {
                measured
                    .nanoseconds
                    .push(run().as_nanos() as f64 / f64::from(case.repeat));
            }
        }
    }
    for (case, measured) in cases.iter().zip(&mut measured) {
        let (allocations, bytes) = in_state(case.state, || allocated_by(case));
        measured.allocations = allocations as f64 / f64::from(case.repeat);
        measured.bytes = bytes as f64 / f64::from(case.repeat);
    }
    print(&cases, &mut measured);
}

/// What one run allocates on this thread, without what is around it.
fn allocated_by(case: &Case) -> (u64, u64) {
    let info = allocation_counter::measure(|| {
        (case.run)(case.repeat);
    });
    (info.count_total, info.bytes_total)
}

/// Runs `f` where a user would be in that state.
fn in_state<R>(state: State, f: impl FnOnce() -> R) -> R {
    thread_local! {
        static DELIVERING: (Runtime, Receiver, Client) = delivering();
        static CLIENTS: [(Client, Sent); 3] = [(1.0, usize::MAX), (0.0, 0), (1.0, 0)].map(|(rate, max_spans)| {
            taskspan::test::client(Options::default().traces_sample_rate(rate).max_spans(max_spans))
        });
    }
    match state {
        State::NoClient | State::Floor => f(),
        State::Delivered => DELIVERING.with(|(runtime, _, client)| {
            let result = f();
            let report = runtime.block_on(client.flush(Duration::from_secs(10)));
            assert_eq!(
                report.transactions.sampled, report.transactions.accepted,
                "{report}"
            );
            result
        }),
        State::Disabled => {
            let client = Client::new(Options::default()).unwrap();
            block_on(async { f() }.with_client(&client))
        }
        State::Sampled => CLIENTS.with(|clients| in_transaction(&clients[0], f)),
        State::Unsampled => CLIENTS.with(|clients| in_transaction(&clients[1], f)),
        State::OverLimit => CLIENTS.with(|clients| in_transaction(&clients[2], f)),
    }
}

fn in_transaction<R>((client, sent): &(Client, Sent), f: impl FnOnce() -> R) -> R {
    let result = block_on(
        async { f() }
            .in_transaction("bench", "bench")
            .with_client(client),
    );
    drop(sent.take());
    result
}

fn cases() -> Vec<Case> {
    let mut cases = vec![Case {
        name: "floor: two clock readings",
        state: State::Floor,
        run: floor,
        repeat: SPANS,
    }];
    let operations: [(_, Run); 5] = [
        ("sync child span", sync_span),
        ("sync child span, 3 attributes", attributes),
        ("async child span, polled once", async_span),
        ("async child span, polled 11 times", async_span_polled),
        ("one further poll", further_polls),
    ];
    for (name, run) in operations {
        for state in [
            State::Sampled,
            State::OverLimit,
            State::Unsampled,
            State::NoClient,
        ] {
            cases.push(Case {
                name,
                state,
                run,
                repeat: SPANS,
            });
        }
    }
    let transactions: [(_, _, Run); 3] = [
        ("empty transaction", State::Delivered, sampled_transactions),
        (
            "empty transaction, not sampled",
            State::Delivered,
            unsampled_transactions,
        ),
        ("empty transaction", State::Disabled, sampled_transactions),
    ];
    for (name, state, run) in transactions {
        cases.push(Case {
            name,
            state,
            run,
            repeat: SPANS,
        });
    }
    for state in [State::Sampled, State::Unsampled, State::NoClient] {
        cases.push(Case {
            name: "scope tag write",
            state,
            run: scope_tag,
            repeat: SPANS,
        });
    }
    cases
}

fn print(cases: &[Case], measured: &mut [Measured]) {
    println!(
        "{:<36}{:<12}{:>9}{:>9}{:>9}{:>8}{:>8}",
        "operation", "state", "median", "least", "x floor", "allocs", "bytes"
    );
    let mut floor = 0.0;
    for (case, measured) in cases.iter().zip(measured) {
        measured.nanoseconds.sort_by(f64::total_cmp);
        let median = measured.nanoseconds[measured.nanoseconds.len() / 2];
        if case.state == State::Floor {
            floor = median;
        }
        let state = match case.state {
            State::Sampled => "sampled",
            State::OverLimit => "over limit",
            State::Unsampled => "unsampled",
            State::NoClient => "no client",
            State::Delivered => "sampled",
            State::Disabled => "disabled",
            State::Floor => "",
        };
        println!(
            "{:<36}{state:<12}{median:>6.1} ns{:>6.1} ns{:>9.2}{:>8.2}{:>8.1}",
            case.name,
            measured.nanoseconds[0],
            median / floor,
            measured.allocations,
            measured.bytes,
        );
    }
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn floor(times: u32) -> Duration {
    let clock = quanta::Clock::new();
    timed(|| {
        for _ in 0..times {
            black_box(clock.raw());
            black_box(clock.raw());
        }
    })
}

fn sync_span(times: u32) -> Duration {
    timed(|| {
        for n in 0..times {
            taskspan::span("op", "description").in_scope(|_| black_box(n));
        }
    })
}

fn attributes(times: u32) -> Duration {
    timed(|| {
        for n in 0..times {
            taskspan::span("op", "description").in_scope(|span| {
                span.set_data("db.system.name", "postgresql");
                span.set_data("server.port", 5432);
                span.set_data("rows", black_box(n));
            });
        }
    })
}

fn async_span(times: u32) -> Duration {
    let mut context = Context::from_waker(Waker::noop());
    timed(|| {
        for n in 0..times {
            let future = pin!(ready(n).in_span("op", "description"));
            let _ = black_box(future.poll(&mut context));
        }
    })
}

fn async_span_polled(times: u32) -> Duration {
    let mut context = Context::from_waker(Waker::noop());
    timed(|| {
        for _ in 0..times {
            let mut polls = 0;
            let counts = poll_fn(|_| {
                polls += 1;
                if polls == 11 {
                    Poll::Ready(polls)
                } else {
                    Poll::Pending
                }
            });
            let mut future = pin!(counts.in_span("op", "description"));
            while black_box(future.as_mut().poll(&mut context)).is_pending() {}
        }
    })
}

fn further_polls(times: u32) -> Duration {
    let mut context = Context::from_waker(Waker::noop());
    let mut future = pin!(poll_fn(|_| black_box(Poll::<()>::Pending)).in_span("op", "description"));
    let _ = future.as_mut().poll(&mut context);
    timed(|| {
        for _ in 0..times {
            let _ = black_box(future.as_mut().poll(&mut context));
        }
    })
}

fn scope_tag(times: u32) -> Duration {
    timed(|| {
        for _ in 0..times {
            taskspan::set_tag("tenant", black_box("acme"));
        }
    })
}

fn sampled_transactions(times: u32) -> Duration {
    transactions(times, true)
}

fn unsampled_transactions(times: u32) -> Duration {
    transactions(times, false)
}

fn transactions(times: u32, sampled: bool) -> Duration {
    let mut context = Context::from_waker(Waker::noop());
    timed(|| {
        for n in 0..times {
            let transaction = taskspan::transaction("op", "name").sampled(sampled);
            let _ = black_box(pin!(transaction.instrument(ready(n))).poll(&mut context));
        }
    })
}

/// A client whose transactions go to a server, both of them on threads of their own.
fn delivering() -> (Runtime, Receiver, Client) {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let (receiver, client) = runtime.block_on(async {
        let receiver = Receiver::builder()
            .keep(1)
            .bind("127.0.0.1:0")
            .await
            .unwrap();
        let options = Options::new(&receiver.dsn()).unwrap();
        (receiver, taskspan::init(options).unwrap())
    });
    (runtime, receiver, client)
}

/// Polls a future that is ready at once.
fn block_on<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("the future waits for nothing"),
    }
}
