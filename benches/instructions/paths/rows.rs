//! The rows, in the order of the table: what taskspan does, and `fastrace` for the same purpose.

use super::{Path, TIMES, Work, fastrace, native};

pub(crate) const PATHS: &[Path] = &[
    child(
        "sync child span, sampled",
        [native::sync_spans, fastrace::sync_spans],
    )
    .budget(190.0),
    child(
        "sync child span with 3 attributes, sampled",
        [
            native::spans_with_attributes,
            fastrace::spans_with_attributes,
        ],
    )
    .budget(610.0),
    // Set again and again on one span, which `fastrace` cannot do: it would keep all of them.
    Path {
        fastrace: None,
        ..child("3 attributes, sampled", [native::attributes; 2])
    },
    child(
        "async child span, sampled",
        [native::async_spans, fastrace::async_spans],
    )
    .budget(240.0),
    child(
        "async child span polled 11 times, sampled",
        [native::async_spans_polled, fastrace::async_spans_polled],
    )
    .in_small_numbers()
    .budget(600.0),
    child(
        "one further poll, sampled",
        [native::further_polls, fastrace::further_polls],
    ),
    child(
        "child span held as a value, sampled",
        [native::held_spans, fastrace::held_spans],
    )
    .budget(220.0),
    child(
        "async child span, unsampled",
        [native::async_spans, fastrace::async_spans],
    )
    .unsampled()
    .budget(80.0),
    child(
        "one further poll, unsampled",
        [native::further_polls, fastrace::further_polls],
    )
    .unsampled(),
    child(
        "sync child span, unsampled",
        [native::sync_spans, fastrace::sync_spans],
    )
    .unsampled()
    .budget(40.0),
    row(
        "sync child span, no client",
        Work {
            within: native::without_client,
            run: native::sync_spans,
        },
        Work {
            within: fastrace::without_root,
            run: fastrace::sync_spans,
        },
    )
    .budget(40.0),
    root(
        "empty transaction, sampled",
        [native::transactions, fastrace::transactions::<true>],
    )
    .budget(1_100.0),
    root(
        "empty transaction, unsampled",
        [native::transactions, fastrace::transactions::<false>],
    )
    .unsampled()
    .budget(400.0),
    root(
        "transaction with 10 async spans, sampled",
        [
            native::transactions_with_spans,
            fastrace::transactions_with_spans::<true>,
        ],
    )
    .in_small_numbers()
    .budget(3_600.0),
    root(
        "transaction with 10 async spans, unsampled",
        [
            native::transactions_with_spans,
            fastrace::transactions_with_spans::<false>,
        ],
    )
    .unsampled()
    .in_small_numbers()
    .budget(1_300.0),
];

/// Something below the root span of a transaction.
const fn child(name: &'static str, [ours, theirs]: [fn(u32); 2]) -> Path {
    row(
        name,
        Work {
            within: super::within_transaction,
            run: ours,
        },
        Work {
            within: fastrace::within_root,
            run: theirs,
        },
    )
}

/// Whole transactions.
const fn root(name: &'static str, [ours, theirs]: [fn(u32); 2]) -> Path {
    row(
        name,
        Work {
            within: native::within_client,
            run: ours,
        },
        Work {
            within: fastrace::without_root,
            run: theirs,
        },
    )
}

const fn row(name: &'static str, taskspan: Work, fastrace: Work) -> Path {
    Path {
        name,
        budget: None,
        times: TIMES,
        sampled: true,
        taskspan,
        fastrace: Some(fastrace),
    }
}

impl Path {
    const fn budget(self, instructions: f64) -> Self {
        Self {
            budget: Some(instructions),
            ..self
        }
    }

    /// For much at once, at which the channel of `fastrace` would wake its collector.
    const fn in_small_numbers(self) -> Self {
        Self {
            times: TIMES / 5,
            ..self
        }
    }

    const fn unsampled(self) -> Self {
        Self {
            sampled: false,
            ..self
        }
    }
}
