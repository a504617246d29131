//! The route to one destination: uploads in flight, retries, limits and pace.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;

use super::accounts::Accounts;
use super::config::Config;
use super::destination::Destination;
use super::discards::Unsent;
use super::job::Job;
use super::pace::Pace;
use super::reporting::Reporting;
use super::retry::{MAX_AGE, MAX_TRIES};
use super::spotlight::Sidecar;
use super::upload::{Encoded, Finished, Upload, make_client, upload, upload_large};
use super::writers::Writers;
use crate::export::RateLimits;
use crate::http::{Compressor, Failure, HttpClient, HttpConfig};
use crate::protocol::{Category, DiscardReason};

/// One destination, with its limits, its pace, its uploads and its client reports.
///
/// It outlives the worker that drives it.
pub(super) struct Route {
    destination: Destination,
    http: HttpConfig,
    /// `None` while it is [parked](Self::park), or if it could not be made, so that nothing can be sent.
    client: Option<HttpClient>,
    compressor: Compressor,
    limits: RateLimits,
    pace: Pace,
    /// All that is being written or sent.
    uploads: FuturesUnordered<Upload>,
    /// What was built late, or failed and is tried again, by the time of the next try and its number.
    waiting: BTreeMap<(Instant, u64), Job>,
    reporting: Reporting,
    /// Receives a copy of every client report.
    sidecar: Option<Arc<Sidecar>>,
    accounts: Arc<Accounts>,
    /// Whether no caller waits any more.
    abandoned: bool,
}

impl Route {
    pub(super) fn new(config: &Config, accounts: &Arc<Accounts>) -> Self {
        let now = Instant::now();
        Self {
            destination: Destination::of(config),
            http: config.http.clone(),
            client: None,
            compressor: Compressor::new(config.http.compression),
            limits: RateLimits::default(),
            pace: Pace::new(config.max_uploads, now),
            uploads: FuturesUnordered::new(),
            waiting: BTreeMap::new(),
            reporting: Reporting::new(now),
            sidecar: config.sidecar.clone(),
            accounts: Arc::clone(accounts),
            abandoned: false,
        }
    }

    /// Makes the client, whose connections live on the current runtime.
    pub(super) async fn open(&mut self) {
        self.client = make_client(self.http.clone()).await;
        self.pace.resume();
        self.reporting.resume(Instant::now());
    }

    /// Drops everything that lives on the current runtime. Unsettled jobs return.
    pub(super) fn park(&mut self) {
        self.uploads.clear();
        self.waiting.clear();
        self.client = None;
    }

    /// Starts all retries now, because a caller waits.
    pub(super) fn hurry(&mut self, now: Instant) {
        self.pace.hurry(now);
        for ((_, number), job) in mem::take(&mut self.waiting) {
            self.waiting.insert((now, number), job);
        }
    }

    /// No caller waits any more: no pauses, and one last try.
    pub(super) fn abandon(&mut self) {
        self.abandoned = true;
        self.pace.abandon();
    }

    /// Whether one more upload may start beside those in flight.
    pub(super) fn has_slot(&self) -> bool {
        self.pace.has_slot(self.uploads.len())
    }

    pub(super) fn in_flight(&self) -> usize {
        self.uploads.len()
    }

    /// When the server is tried next, if that is not yet.
    pub(super) fn starts_at(&self, now: Instant) -> Option<Instant> {
        self.pace.probe_at(now)
    }

    /// When the first of the waiting jobs is due.
    pub(super) fn first_due(&self) -> Option<Instant> {
        let ((due, _), _) = self.waiting.first_key_value()?;
        Some(*due)
    }

    /// Takes a waiting job that is due.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Job> {
        self.first_due().filter(|due| *due <= now)?;
        self.waiting.pop_first().map(|(_, job)| job)
    }

    /// Keeps a job until then.
    pub(super) fn hold(&mut self, job: Job, until: Instant) {
        self.waiting.insert((until, job.ticket.number), job);
    }

    /// Why nothing of this category can be sent now, if it can't.
    pub(super) fn refusal(&self, category: Category, now: Instant) -> Option<DiscardReason> {
        if self.pace.has_given_up() {
            Some(DiscardReason::NetworkError)
        } else if self.limits.is_limited(category, now) {
            Some(DiscardReason::RateLimitBackoff)
        } else if self.client.is_none() {
            Some(DiscardReason::InternalSdkError)
        } else {
            None
        }
    }

    /// Whether the server wants to be sent less now.
    pub(super) fn is_limited(&self, now: Instant) -> bool {
        self.limits.is_any_active(now)
    }

    /// Starts to send a job that is built.
    pub(super) fn start(&mut self, mut job: Job, writers: &Writers, now: Instant) {
        let Some(client) = self.client.clone() else {
            return job.discard(DiscardReason::InternalSdkError);
        };
        self.pace.started(self.uploads.len(), now);
        job.ticket.first_try.get_or_insert(now);
        let unsent = match self.reporting.may_attach(now) {
            true => self.take_losses(now),
            false => None,
        };
        if job.takes_long() {
            let compression = self.http.compression;
            let upload = upload_large(client, job, unsent, compression, writers.clone());
            self.uploads.push(Box::pin(upload));
        } else if let Some(encoded) = Encoded::new(job, unsent, &mut self.compressor) {
            self.uploads.push(Box::pin(upload(client, encoded)));
        }
    }

    /// Waits for an upload to end.
    pub(super) fn poll_finished(&mut self, context: &mut Context<'_>) -> Poll<Finished> {
        match self.uploads.poll_next_unpin(context) {
            Poll::Ready(Some(finished)) => Poll::Ready(finished),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }

    /// Counts what came of an upload, or has it tried again.
    pub(super) fn finish(&mut self, finished: Finished, now: Instant) {
        if finished.report {
            self.reporting.set_under_way(false);
        }
        match finished.answer {
            Some(Ok(reply)) => {
                self.pace.answered(now);
                let verdict = self.destination.read(&reply, &mut self.limits, now);
                if let Some(unsent) = finished.unsent
                    && verdict.report_read
                {
                    unsent.sent();
                }
                let Some(job) = finished.job else { return };
                match verdict.outcome {
                    Ok(()) => job.accept(),
                    Err(refusal) if refusal.counted => job.discard_unreported(refusal.reason),
                    Err(refusal) => job.discard(refusal.reason),
                }
            }
            Some(Err(failure)) => {
                if let Some(job) = finished.job {
                    self.retry(job, failure, now);
                }
            }
            None => {}
        }
    }

    /// Has a job wait for another try, or gives it up.
    fn retry(&mut self, mut job: Job, failure: Failure, now: Instant) {
        if failure != Failure::Connect {
            job.ticket.tries += 1;
        } else if job.ticket.tries == 0 {
            // Nothing was sent yet: its age does not count.
            job.ticket.first_try = None;
        }
        let tries = job.ticket.tries;
        let first_try = job.ticket.first_try.unwrap_or(now);
        let due = self.pace.failed(failure, tries, now);
        let keep = tries < MAX_TRIES
            && now.duration_since(first_try) < MAX_AGE
            && (due == now || !self.abandoned)
            && !self.accounts.room.is_full();
        if keep {
            job.measure();
            self.hold(job, due);
        } else {
            job.discard(DiscardReason::NetworkError);
        }
    }

    /// When losses are sent alone.
    pub(super) fn reports_at(&self) -> Instant {
        self.reporting.alone_from()
    }

    /// Whether losses are being sent alone.
    pub(super) fn is_reporting(&self) -> bool {
        self.reporting.is_under_way()
    }

    /// Sends losses alone, if it is time or somebody waits for it.
    pub(super) fn report(&mut self, waited_for: bool, now: Instant) {
        if self.reporting.is_due(waited_for, now) {
            self.start_report(now);
        }
    }

    /// Sends the last losses of this worker, once. Returns whether there are any.
    pub(super) fn say_goodbye(&mut self, now: Instant) -> bool {
        self.reporting.say_goodbye() && self.start_report(now)
    }

    /// Starts to send losses alone. Returns whether there are any and they may be sent.
    fn start_report(&mut self, now: Instant) -> bool {
        if self.limits.limits_everything(now) {
            return false;
        }
        let Some(client) = self.client.clone() else {
            return false;
        };
        let encoded = self
            .take_losses(now)
            .and_then(|unsent| Encoded::of_unsent(unsent, &mut self.compressor));
        let Some(encoded) = encoded else {
            return false;
        };
        self.uploads.push(Box::pin(upload(client, encoded)));
        self.reporting.set_under_way(true);
        true
    }

    fn take_losses(&mut self, now: Instant) -> Option<Unsent> {
        if !self.destination.sends_reports() {
            return None;
        }
        let unsent = self.accounts.take_unsent()?;
        self.reporting.taken(now);
        if let Some(sidecar) = &self.sidecar {
            sidecar.copy_report(unsent.report().clone());
        }
        Some(unsent)
    }
}
