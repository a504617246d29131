//! What is allocated while a span is recorded.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use taskspan::test::Sent;
use taskspan::{Client, Instrument, Options};

fn client() -> (Client, Sent) {
    taskspan::test::client(Options::default().traces_sample_rate(1.0))
}

#[tokio::test]
async fn a_poll_of_a_wrapped_future_keeps_no_memory() {
    let (client, sent) = client();
    let mut polls = 0_u32;
    let counts = poll_fn(move |_| {
        polls += 1;
        if polls == 10_000_000 {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    });
    let mut work = pin!(
        counts
            .in_span("a", "b")
            .in_transaction("task", "t")
            .with_client(&client)
    );
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..10 {
        assert!(work.as_mut().poll(&mut context).is_pending());
    }
    let allocated = allocation_counter::measure(|| {
        for _ in 10..9_999_999 {
            assert!(work.as_mut().poll(&mut context).is_pending());
        }
    });
    assert_eq!(allocated.count_total, 0);
    assert!(work.as_mut().poll(&mut context).is_ready());
    assert_eq!(sent.tree(), "task t (ok)\n  a b (ok)\n");
}
