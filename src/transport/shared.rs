//! What the handle and the worker share, and what outlives a runtime.

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;

use super::accounts::Accounts;
use super::bell::Bell;
use super::channel::{Channel, Inbox, channel};
use super::config::Config;
use super::control::{Message, Phase, Request};
use super::job::Returned;
use super::route::Route;

/// Everything that is not lost when the worker's runtime shuts down.
pub(super) struct Shared {
    pub(super) config: Config,
    pub(super) accounts: Arc<Accounts>,
    pub(super) bell: Arc<Bell>,
    pub(super) returned: Arc<Returned>,
    pub(super) channel: Channel,
    control: UnboundedSender<Message>,
    /// Whether there is a worker, as far as it is known without the lock.
    running: AtomicBool,
    life: Mutex<Life>,
}

/// Whether a worker runs, and what the next one needs. The lock is held for a moment only, and
/// never while an item is submitted to a running worker.
struct Life {
    /// `None` while there is a worker.
    parked: Option<Box<Parked>>,
    /// A runtime that the worker panicked on. It is not started there again.
    failed_on: Option<runtime::Id>,
}

/// What one worker hands over to the next.
pub(super) struct Parked {
    pub(super) inbox: Inbox,
    pub(super) control: UnboundedReceiver<Message>,
    pub(super) phase: Phase,
    pub(super) route: Route,
}

/// What a caller that needs a worker has to do.
pub(super) enum Claim {
    /// Start one with this.
    Start(Box<Parked>),
    /// Nothing: one runs.
    Runs,
    /// Nothing: none can run here, or none is needed.
    Never,
}

impl Shared {
    pub(super) fn new(config: Config) -> Self {
        let accounts = Arc::new(Accounts::new(config.queue_items, config.queue_bytes));
        let bell = Arc::new(Bell::default());
        let (channel, inbox) = channel(&accounts, &bell);
        let (control, messages) = mpsc::unbounded_channel();
        let parked = Parked {
            inbox,
            control: messages,
            phase: Phase::default(),
            route: Route::new(&config, &accounts),
        };
        let life = Life {
            parked: Some(Box::new(parked)),
            failed_on: None,
        };
        Self {
            returned: Arc::new(Returned::new(Arc::clone(&accounts), Arc::clone(&bell))),
            config,
            accounts,
            bell,
            channel,
            control,
            running: AtomicBool::new(false),
            life: Mutex::new(life),
        }
    }

    /// Whether a worker runs. It may be about to start or to end.
    pub(super) fn is_running(&self) -> bool {
        self.running.load(Ordering::Acquire)
    }

    /// Claims what is parked, for a worker on this runtime.
    pub(super) fn claim(&self, runtime: runtime::Id) -> Claim {
        self.claim_from(&mut self.life(), Some(runtime))
    }

    /// Asks for all that was submitted so far to be settled, and for a worker to do that.
    ///
    /// `None`: there is nothing to wait for, or no worker can run here.
    pub(super) fn ask(&self, runtime: runtime::Id) -> Option<(oneshot::Receiver<()>, Claim)> {
        let mut life = self.life();
        if life.parked.is_some() && self.accounts.room.is_drained() {
            return None;
        }
        let claim = self.claim_from(&mut life, Some(runtime));
        if matches!(claim, Claim::Never) {
            return None;
        }
        let (done, receiver) = oneshot::channel();
        let before = self.accounts.room.admitted();
        // Sent under the lock, so that a worker that ends now finds the message and drops it.
        self.tell(Message::Flush(Request { before, done }));
        Some((receiver, claim))
    }

    /// Closes the room and sends a message to the worker. Claims one if something is left to do.
    pub(super) fn end(&self, message: Message, runtime: Option<runtime::Id>) -> Claim {
        // Even with nothing pending there may be losses to report, once.
        let was_open = self.accounts.room.close();
        let mut life = self.life();
        self.tell(message);
        if was_open || !self.accounts.room.is_drained() {
            self.claim_from(&mut life, runtime)
        } else {
            Claim::Never
        }
    }

    /// Keeps the state of a worker that ends, for the next one.
    pub(super) fn park(&self, mut parked: Box<Parked>, failed_on: Option<runtime::Id>) {
        let mut life = self.life();
        let mut left = Vec::new();
        while let Ok(message) = parked.control.try_recv() {
            parked.phase = parked.phase.max(message.phase());
            left.push(message);
        }
        life.parked = Some(parked);
        life.failed_on = failed_on.or(life.failed_on);
        self.running.store(false, Ordering::Release);
        drop(life);
        // Flushes see their channel closed, and start a worker on their own runtime.
        drop(left);
    }

    fn claim_from(&self, life: &mut Life, runtime: Option<runtime::Id>) -> Claim {
        if life.parked.is_none() {
            return Claim::Runs;
        }
        if runtime.is_none() || runtime == life.failed_on {
            return Claim::Never;
        }
        match mem::take(&mut life.parked) {
            Some(parked) => {
                self.running.store(true, Ordering::Release);
                Claim::Start(parked)
            }
            None => Claim::Runs,
        }
    }

    fn tell(&self, message: Message) {
        // The other end is with the worker, or parked.
        let _ = self.control.send(message);
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        // Things are only moved under the lock, so they are whole even if a panic came between.
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
