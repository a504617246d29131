//! The one task that delivers.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::mem;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::{BoxFuture, select};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use http::StatusCode;
use tokio::runtime::{self, Handle};
use tokio::sync::Semaphore;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};

use super::backpressure::Monitor;
use super::discards::Unsent;
use super::job::Job;
use super::pace::Pace;
use super::reporting::Reporting;
use super::retry::{MAX_AGE, MAX_TRIES};
use super::share::Share;
use super::shared::Shared;
use super::state::{Attention, Memory, Phase};
use super::upload::{Encoded, Finished, Upload, make_client, upload, upload_large};
use crate::export::RateLimits;
use crate::http::{Compressor, Failure, HttpClient};
use crate::protocol::{Category, DiscardReason};

/// Takes from the queue, writes, sends, and counts what came of it.
///
/// Whatever it holds when its runtime shuts down goes back into the queue.
pub(super) struct Worker {
    shared: Arc<Shared>,
    /// `None` if it could not be made, so that nothing can be sent.
    client: Option<HttpClient>,
    compressor: Compressor,
    /// How many large payloads may be written at once.
    writers: Arc<Semaphore>,
    limits: RateLimits,
    /// All that is being written or sent.
    uploads: FuturesUnordered<Upload>,
    /// All that waits while it is being built.
    building: FuturesUnordered<BoxFuture<'static, Option<Job>>>,
    pace: Pace,
    /// What was built late, or failed and is tried again, by the time of the next try and its number.
    waiting: BTreeMap<(Instant, u64), Job>,
    /// Whether nobody waits any more, as of the last look.
    abandoned: bool,
    /// How long to look for more by itself instead of being woken.
    linger_until: Instant,
    reporting: Reporting,
    monitor: Monitor,
    share: Share,
    /// Whether somebody waits for what is pending, as of the last look.
    is_waited_for: bool,
    /// Where it runs, to be noted should it panic there.
    runtime: Option<runtime::Id>,
    /// Whether the end of this worker is known already.
    ended: bool,
}

impl Worker {
    pub(super) fn new(shared: Arc<Shared>, memory: Memory) -> Self {
        let now = Instant::now();
        Self {
            client: None,
            compressor: Compressor::new(shared.config.http.compression),
            writers: Arc::new(Semaphore::new(MAX_WRITERS)),
            limits: memory.limits,
            uploads: FuturesUnordered::new(),
            building: FuturesUnordered::new(),
            pace: Pace::new(shared.config.max_uploads, now),
            waiting: BTreeMap::new(),
            abandoned: false,
            linger_until: now,
            reporting: Reporting::new(memory.attach_from, now),
            monitor: Monitor::new(now),
            share: Share::new(now),
            is_waited_for: false,
            runtime: None,
            ended: false,
            shared,
        }
    }

    /// Runs until nothing more is admitted and all is settled, or until the runtime ends.
    pub(super) async fn run(mut self) {
        self.runtime = Handle::try_current().ok().map(|runtime| runtime.id());
        self.client = make_client(self.shared.config.http.clone()).await;
        loop {
            let now = Instant::now();
            self.look(now);
            self.report_losses(now);
            // One at a time, so that neither uploads nor other tasks wait for long.
            let started = self.start_next(now);
            self.share.add(now.elapsed());
            let until = if started {
                None
            } else {
                self.ended = self.is_done(now);
                self.pause(now)
            };
            if self.ended {
                return;
            }
            if let Some(finished) = self.next_finished(until).await {
                self.finish(finished, Instant::now());
            }
        }
    }

    /// Takes note of what the handle wants.
    fn look(&mut self, now: Instant) {
        let mut state = self.shared.lock();
        self.abandoned = state.phase == Phase::Abandoned;
        self.is_waited_for = state.is_waited_for();
        self.reporting.extend(state.take_flushed());
        let hurry = mem::take(&mut state.hurry);
        drop(state);
        if self.abandoned {
            self.pace.abandon();
        }
        self.share.look(now);
        if self.monitor.is_due(now) {
            self.look_after_load(now);
        }
        if hurry {
            self.pace.hurry(now);
            for ((_, number), job) in mem::take(&mut self.waiting) {
                self.waiting.insert((now, number), job);
            }
        }
    }

    /// Sees to it that less is sampled if delivery can't keep up.
    fn look_after_load(&mut self, now: Instant) {
        let shared = &self.shared;
        let overflowed = mem::take(&mut shared.lock().overflowed) || !shared.has_room();
        let healthy = !overflowed && !self.limits.is_any_active(now);
        let enabled = shared.config.backpressure;
        self.monitor.check(healthy || !enabled, &shared.load, now);
    }

    /// Starts the delivery of one job, or drops it. Returns whether there was one that could start.
    fn start_next(&mut self, now: Instant) -> bool {
        if !self.may_start(now) {
            return false;
        }
        let Some(mut job) = self.next_job(now) else {
            return false;
        };
        if self.pace.has_given_up() {
            job.discard(DiscardReason::NetworkError);
            return true;
        }
        if self.limits.is_limited(Category::Transaction, now) {
            job.discard(DiscardReason::RateLimitBackoff);
            return true;
        }
        let Some(client) = self.client.clone() else {
            job.discard(DiscardReason::InternalSdkError);
            return true;
        };
        let large = job.ticket.size > LARGE || job.takes_long();
        if !large {
            job = match job.build() {
                Some(job) if job.is_building() => {
                    self.building.push(job.built().boxed());
                    return true;
                }
                Some(job) => job,
                None => return true,
            };
        }
        self.pace.started(self.uploads.len(), now);
        job.ticket.first_try.get_or_insert(now);
        let unsent = match self.reporting.may_attach(now) {
            true => self.take_losses(now),
            false => None,
        };
        if large {
            let compression = self.shared.config.http.compression;
            let writers = Arc::clone(&self.writers);
            let upload = upload_large(client, job, unsent, compression, writers);
            self.uploads.push(Box::pin(upload));
        } else if let Some(encoded) = Encoded::new(job, unsent, &mut self.compressor) {
            self.uploads.push(Box::pin(upload(client, encoded)));
        }
        true
    }

    fn may_start(&self, now: Instant) -> bool {
        self.has_slot() && self.starts_at(now).is_none()
    }

    /// When the next job may start, if that is not yet.
    fn starts_at(&self, now: Instant) -> Option<Instant> {
        let share = self.share.used_up_until(now);
        // Who waits is the application too.
        let share = share.filter(|_| !self.is_waited_for);
        self.pace.probe_at(now).max(share)
    }

    fn has_slot(&self) -> bool {
        let under_way = self.uploads.len() + self.building.len();
        under_way < self.shared.config.max_uploads && self.pace.has_slot(self.uploads.len())
    }

    /// The next job: one whose wait is over, or else the oldest in the queue.
    fn next_job(&mut self, now: Instant) -> Option<Job> {
        if self.first_due().is_some_and(|due| due <= now) {
            return self.waiting.pop_first().map(|(_, job)| job);
        }
        let job = self.shared.take()?;
        self.linger_until = now + LINGER;
        Some(job)
    }

    fn first_due(&self) -> Option<Instant> {
        let ((due, _), _) = self.waiting.first_key_value()?;
        Some(*due)
    }

    /// Sends losses alone, if it is time, and answers those who waited for it.
    fn report_losses(&mut self, now: Instant) {
        if self.reporting.is_due(now) {
            self.start_report(now);
        }
        self.reporting.answer();
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
        let unsent = Unsent::take(&self.shared)?;
        self.reporting.taken(now);
        if let Some(sidecar) = &self.shared.config.sidecar {
            sidecar.copy_report(unsent.report().clone());
        }
        Some(unsent)
    }

    /// Whether the worker has ended: nothing more comes and all is settled and reported.
    fn is_done(&mut self, now: Instant) -> bool {
        let idle = self.uploads.is_empty() && self.reporting.is_idle();
        if !idle || !self.shared.lock().is_drained() {
            return false;
        }
        if self.reporting.say_goodbye() && self.start_report(now) {
            return false;
        }
        self.shared.lock().stop_if_drained()
    }

    /// Says when a payload has to wake the worker, and until when it may sleep. `None`: not at all.
    fn pause(&self, now: Instant) -> Option<Instant> {
        let may_start = self.may_start(now);
        let mut until = self.reporting.alone_from();
        if self.has_slot() {
            let next = self.starts_at(now).or_else(|| self.first_due());
            until = next.map_or(until, |next| next.min(until));
        }
        let mut state = self.shared.lock();
        let is_under_load =
            state.overflowed || self.shared.load.halvings() > 0 || self.limits.is_any_active(now);
        if is_under_load {
            // It may be another one at the next look.
            until = until.min(self.monitor.due());
        }
        if may_start && !state.queue.is_empty() {
            return None;
        }
        state.attention = if !may_start {
            Attention::Busy
        } else if now < self.linger_until {
            until = until.min(self.linger_until);
            Attention::Lingering
        } else {
            Attention::Idle
        };
        Some(until)
    }

    /// Lets everything go on until an upload ends, something is built, the handle calls or the time has come.
    async fn next_finished(&mut self, until: Option<Instant>) -> Option<Finished> {
        let shared = &self.shared;
        let mut wait = pin!(async {
            match until {
                Some(until) => {
                    select(pin!(shared.woken()), pin!(sleep_until(until))).await;
                }
                None => yield_now().await,
            }
        });
        let uploads = &mut self.uploads;
        let building = &mut self.building;
        let waiting = &mut self.waiting;
        let share = &mut self.share;
        poll_fn(|context| {
            let begin = Instant::now();
            let polled = uploads.poll_next_unpin(context);
            share.add(begin.elapsed());
            if let Poll::Ready(Some(finished)) = polled {
                return Poll::Ready(Some(finished));
            }
            if let Poll::Ready(Some(built)) = building.poll_next_unpin(context) {
                waiting.extend(built.map(|job| ((Instant::now(), job.ticket.number), job)));
                return Poll::Ready(None);
            }
            wait.as_mut().poll(context).map(|()| None)
        })
        .await
    }

    /// Counts what came of an upload, or has it tried again.
    fn finish(&mut self, finished: Finished, now: Instant) {
        if finished.report {
            self.reporting.set_under_way(false);
        }
        match finished.answer {
            Some(Ok(reply)) => {
                self.pace.answered(now);
                self.limits.update(reply.status, &reply.headers, now);
                if let Some(unsent) = finished.unsent
                    && is_read(reply.status)
                {
                    unsent.sent();
                }
                if let Some(job) = finished.job {
                    settle(job, reply.status);
                }
            }
            Some(Err(failure)) => {
                if let Some(job) = finished.job {
                    self.retry(job, failure, now);
                }
            }
            None => {
                let building = finished.job.into_iter().map(|job| job.built().boxed());
                self.building.extend(building);
            }
        }
    }

    /// Has a job wait for another try, or gives it up.
    fn retry(&mut self, mut job: Job, failure: Failure, now: Instant) {
        if failure != Failure::Connect {
            job.ticket.tries += 1;
        }
        let (tries, number) = (job.ticket.tries, job.ticket.number);
        let first_try = job.ticket.first_try.unwrap_or(now);
        let due = self.pace.failed(failure, tries, now);
        let keep = tries < MAX_TRIES
            && now.duration_since(first_try) < MAX_AGE
            && (due == now || !self.abandoned)
            && self.shared.has_room();
        if keep {
            job.measure();
            self.waiting.insert((due, number), job);
        } else {
            job.discard(DiscardReason::NetworkError);
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // First of all, so that those who are told find everything in the queue.
        self.uploads.clear();
        self.building.clear();
        self.waiting.clear();
        if !self.ended {
            let memory = Memory {
                limits: self.limits,
                attach_from: Some(self.reporting.attach_from()),
            };
            let failed_on = self.runtime.filter(|_| std::thread::panicking());
            self.shared.lock().stopped(memory, failed_on);
        }
    }
}

/// Whether a server that answers so has read the client report in the envelope.
fn is_read(status: StatusCode) -> bool {
    // With 429 it takes out of an envelope what there is a limit for, and reads the rest.
    status.is_success() || status == StatusCode::TOO_MANY_REQUESTS
}

/// Counts a job by the status of the answer.
fn settle(job: Job, status: StatusCode) {
    if status.is_success() {
        job.accept();
    } else if status == StatusCode::TOO_MANY_REQUESTS {
        // The server counts these itself.
        job.discard_unreported(DiscardReason::RateLimitBackoff);
    } else {
        job.discard(DiscardReason::SendError);
    }
}

/// How long the worker looks for more by itself before it waits to be woken.
const LINGER: Duration = Duration::from_millis(5);
/// From which size on a payload is written on a thread that may block.
const LARGE: usize = 64 * 1024;
/// How many threads write large payloads: the application needs the processor more.
const MAX_WRITERS: usize = 2;
