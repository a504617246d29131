//! The one task that delivers.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use futures_util::future::{BoxFuture, select};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::runtime::{self, Handle};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};

use super::backpressure::Monitor;
use super::bell::NEVER;
use super::channel::Inbox;
use super::control::{Message, Phase};
use super::flushes::Flushes;
use super::job::Job;
use super::room::Pending;
use super::route::Route;
use super::share::Share;
use super::shared::{Claim, Parked, Shared};
use super::upload::Finished;
use super::writers::Writers;
use crate::own_work::hidden;

/// Receives items, builds them, and hands them to the route.
struct Worker {
    shared: Arc<Shared>,
    inbox: Inbox,
    control: UnboundedReceiver<Message>,
    phase: Phase,
    route: Route,
    flushes: Flushes,
    /// All that waits while it is being built.
    building: FuturesUnordered<BoxFuture<'static, Option<Job>>>,
    writers: Writers,
    /// How long to look for more by itself instead of being woken.
    linger_until: Instant,
    /// Whether all items that a flush waits for are received.
    gathered: bool,
    monitor: Monitor,
    share: Share,
}

/// A worker as long as its task lives. Its state is parked, however the task ends.
struct Running {
    /// `None` once it is parked.
    worker: Option<Worker>,
    shared: Arc<Shared>,
    /// Where it runs. If it panics there, as it does without timers, it is not started there again.
    runtime: runtime::Id,
}

/// What ends a pause of the worker.
enum Event {
    Finished(Box<Finished>),
    Built(Option<Job>),
    Told(Message),
    /// There may be something to do.
    Woken,
}

/// How long a worker sleeps, and what wakes it before.
struct Pause {
    until: Instant,
    /// Whether every item wakes it.
    listens: bool,
}

/// Starts a worker, if the claim is for one.
pub(super) fn start(shared: &Arc<Shared>, claim: Claim, runtime: &Handle) {
    if let Claim::Start(parked) = claim {
        // A runtime that has shut down drops the worker at once, and everything is parked again.
        drop(runtime.spawn(run(Arc::clone(shared), parked, runtime.id())));
    }
}

/// Runs a worker until nothing more is admitted and all is settled, or until the runtime ends.
pub(super) fn run(
    shared: Arc<Shared>,
    parked: Box<Parked>,
    runtime: runtime::Id,
) -> impl Future<Output = ()> + Send {
    let mut running = Running {
        worker: Some(Worker::new(Arc::clone(&shared), *parked)),
        shared,
        runtime,
    };
    hidden(async move {
        if let Some(worker) = &mut running.worker {
            worker.run().await;
        }
    })
}

impl Worker {
    fn new(shared: Arc<Shared>, parked: Parked) -> Self {
        let now = Instant::now();
        Self {
            shared,
            inbox: parked.inbox,
            control: parked.control,
            phase: parked.phase,
            route: parked.route,
            flushes: Flushes::default(),
            building: FuturesUnordered::new(),
            writers: Writers::default(),
            linger_until: now,
            gathered: true,
            monitor: Monitor::new(now),
            share: Share::new(now),
        }
    }

    async fn run(&mut self) {
        self.route.open().await;
        loop {
            let now = Instant::now();
            self.look(now);
            self.report_losses(now);
            // One at a time, so that neither uploads nor other tasks wait for long.
            let started = self.start_next(now);
            self.share.add(now.elapsed());
            if !started && self.is_done(now) {
                return;
            }
            let pause = (!started).then(|| self.pause(now));
            match self.next_event(pause).await {
                Event::Finished(finished) => self.route.finish(*finished, Instant::now()),
                Event::Built(Some(job)) => self.route.hold(job, Instant::now()),
                Event::Told(message) => self.hear(message, Instant::now()),
                Event::Built(None) | Event::Woken => {}
            }
        }
    }

    /// Handles a message.
    fn hear(&mut self, message: Message, now: Instant) {
        self.phase = self.phase.max(message.phase());
        if let Message::Flush(request) = message {
            self.flushes.add(request);
        }
        self.route.hurry(now);
    }

    /// Updates all that depends on other threads and on time.
    fn look(&mut self, now: Instant) {
        self.inbox.take_back(&self.shared.returned);
        self.gathered = self.flushes.advance(&mut self.inbox);
        if self.phase == Phase::Abandoned {
            self.route.abandon();
        }
        self.share.look(now);
        if self.monitor.is_due(now) {
            self.look_after_load(now);
        }
    }

    /// Sees to it that less is sampled if delivery can't keep up.
    fn look_after_load(&mut self, now: Instant) {
        let accounts = &self.shared.accounts;
        let overflowed = accounts.room.take_overflowed() || accounts.room.is_full();
        let healthy = !overflowed && !self.route.is_limited(now);
        let enabled = self.shared.config.backpressure;
        self.monitor.check(healthy || !enabled, &accounts.load, now);
    }

    /// Sends losses alone, if it is time, and answers the flushes that waited for it.
    fn report_losses(&mut self, now: Instant) {
        if !self.route.is_reporting() {
            let waited_for = self.flushes.take_reporting();
            self.route.report(waited_for, now);
        }
        if !self.route.is_reporting() {
            self.flushes.answer();
        }
    }

    /// Starts the delivery of one item, or drops it. Returns whether there was one that could start.
    fn start_next(&mut self, now: Instant) -> bool {
        if !self.may_start(now) {
            return false;
        }
        let Some(job) = self.next_job(now) else {
            return false;
        };
        if let Some(reason) = self.route.refusal(job.category(), now) {
            job.discard(reason);
        } else if let Some(job) = self.build(job) {
            self.route.start(job, &self.writers, now);
        }
        true
    }

    /// The next job: one whose wait is over, or else the oldest item.
    fn next_job(&mut self, now: Instant) -> Option<Job> {
        if let Some(job) = self.route.take_due(now) {
            return Some(job);
        }
        let entry = self.inbox.take()?;
        self.linger_until = now + LINGER;
        Some(Job::new(entry, &self.shared.returned))
    }

    /// Builds a job, if that goes at once. `None`: it goes on by itself, or nothing is to be sent.
    fn build(&mut self, job: Job) -> Option<Job> {
        if job.is_built() {
            return Some(job);
        }
        if job.takes_long() {
            let writers = self.writers.clone();
            let built = async move { writers.run(job, Job::build).await?.built().await };
            self.building.push(built.boxed());
            return None;
        }
        let job = job.build()?;
        if job.is_building() {
            self.building.push(job.built().boxed());
            return None;
        }
        Some(job)
    }

    fn may_start(&self, now: Instant) -> bool {
        self.has_slot() && self.starts_at(now).is_none()
    }

    /// When the next job may start, if that is not yet.
    fn starts_at(&self, now: Instant) -> Option<Instant> {
        let share = self.share.used_up_until(now);
        // The application itself waits for a flush.
        let is_waited_for = self.phase != Phase::Open || !self.flushes.is_empty();
        let share = share.filter(|_| !is_waited_for);
        self.route.starts_at(now).max(share)
    }

    fn has_slot(&self) -> bool {
        let under_way = self.route.in_flight() + self.building.len();
        under_way < self.shared.config.max_uploads && self.route.has_slot()
    }

    /// Whether the worker has ended: nothing more comes and all is settled and reported.
    fn is_done(&mut self, now: Instant) -> bool {
        let idle = self.route.in_flight() == 0 && self.flushes.is_empty();
        idle && self.shared.accounts.room.is_drained() && !self.route.say_goodbye(now)
    }

    /// Decides how long the worker may sleep, and whether items have to wake it.
    fn pause(&self, now: Instant) -> Pause {
        let may_start = self.may_start(now);
        let mut until = self.route.reports_at();
        if self.has_slot() {
            let next = self.starts_at(now).or_else(|| self.route.first_due());
            until = next.map_or(until, |next| next.min(until));
        }
        let accounts = &self.shared.accounts;
        let is_under_load = accounts.room.has_overflowed()
            || accounts.load.halvings() > 0
            || self.route.is_limited(now);
        if is_under_load {
            // It may be another one at the next look.
            until = until.min(self.monitor.due());
        }
        if !self.gathered {
            until = until.min(now + MOMENT);
        }
        let lingers = may_start && now < self.linger_until;
        if lingers {
            until = until.min(self.linger_until);
        }
        self.shared.bell.set(match lingers {
            true => self.many(),
            false => NEVER,
        });
        Pause {
            until,
            listens: may_start && !lingers,
        }
    }

    /// How much has to be pending to wake a worker that lingers.
    fn many(&self) -> Pending {
        let room = &self.shared.accounts.room;
        let now = room.pending();
        Pending {
            items: now.items + MANY_ITEMS,
            bytes: now.bytes.saturating_add(room.most_bytes() / MANY_BYTES),
        }
    }

    /// Drives uploads and builds until something happens or the pause ends. Without a pause other tasks get a turn.
    async fn next_event(&mut self, pause: Option<Pause>) -> Event {
        let bell = &self.shared.bell;
        let listens = pause.as_ref().is_some_and(|pause| pause.listens);
        let mut wait = pin!(async {
            match pause {
                Some(Pause { until, .. }) => {
                    select(pin!(bell.rung()), pin!(sleep_until(until))).await;
                }
                None => yield_now().await,
            }
        });
        let (route, building) = (&mut self.route, &mut self.building);
        let (control, inbox) = (&mut self.control, &mut self.inbox);
        let share = &mut self.share;
        poll_fn(|context| {
            if let Poll::Ready(Some(message)) = control.poll_recv(context) {
                return Poll::Ready(Event::Told(message));
            }
            let begin = Instant::now();
            let polled = route.poll_finished(context);
            share.add(begin.elapsed());
            if let Poll::Ready(finished) = polled {
                return Poll::Ready(Event::Finished(Box::new(finished)));
            }
            if let Poll::Ready(Some(built)) = building.poll_next_unpin(context) {
                return Poll::Ready(Event::Built(built));
            }
            if listens && inbox.poll_ready(context).is_ready() {
                return Poll::Ready(Event::Woken);
            }
            wait.as_mut().poll(context).map(|()| Event::Woken)
        })
        .await
    }

    /// Drops everything that lives on the current runtime, except the flushes.
    fn into_parked(mut self) -> (Parked, Flushes) {
        self.building.clear();
        self.route.park();
        let parked = Parked {
            inbox: self.inbox,
            control: self.control,
            phase: self.phase,
            route: self.route,
        };
        (parked, self.flushes)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(worker) = self.worker.take() {
            let failed_on = thread::panicking().then_some(self.runtime);
            let (parked, flushes) = worker.into_parked();
            self.shared.park(Box::new(parked), failed_on);
            // Only now: their callers start a worker on their own runtime.
            drop(flushes);
        }
    }
}

/// How long the worker looks for more by itself before it waits to be woken.
const LINGER: Duration = Duration::from_millis(5);
/// How many items wake a worker that lingers.
const MANY_ITEMS: u64 = 64;
/// Which part of the bounds' bytes wakes a worker that lingers.
const MANY_BYTES: usize = 16;
/// How long to wait for a thread that is in the middle of sending an item.
const MOMENT: Duration = Duration::from_millis(1);
