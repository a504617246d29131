//! Redirects, which reqwest follows without anybody seeing it but its policy.

use std::cell::Cell;

use reqwest::redirect::Policy;
use reqwest::{StatusCode, Url};
use tokio::task_local;

/// The policy with which each redirect is a span of its own.
///
/// It decides as the given one does. The span of the request ends with the status code of the
/// redirect, and the next one begins, with the number of redirects so far as
/// `http.request.resend_count`. Clients of [`Client::new`](super::Client::new) have it with
/// reqwest's default policy; without it a request and all of its redirects are one span.
pub fn redirects(policy: Policy) -> Policy {
    Policy::custom(move |attempt| {
        // Nobody listens where nothing is recorded.
        let _ = FOUND.try_with(|found| {
            found.set(Some(Redirect {
                status: attempt.status(),
                url: attempt.url().clone(),
            }));
        });
        policy.redirect(attempt)
    })
}

/// A redirect that a policy was asked about.
pub(super) struct Redirect {
    pub(super) status: StatusCode,
    pub(super) url: Url,
}

/// Polls a request, and tells which redirect its policy was asked about meanwhile.
pub(super) fn watch<R>(poll: impl FnOnce() -> R) -> (R, Option<Redirect>) {
    FOUND.sync_scope(Cell::new(None), || (poll(), FOUND.with(Cell::take)))
}

task_local! {
    static FOUND: Cell<Option<Redirect>>;
}
