//! The task that sends to Spotlight.

use std::fmt::Display;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::FutureExt;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout};

use super::backoff::Backoff;
use super::{Content, Message};
use crate::diagnostics::{self, Topic};
use crate::export::Prepared;
use crate::filter::{Build, Built};
use crate::http::{Failure, HttpClient, HttpConfig};
use crate::own_work::hidden_work;
use crate::protocol::Envelope;
use crate::transport::upload::make_client;

/// Takes from the queue, writes and sends, one after the other.
pub(super) struct Worker {
    config: HttpConfig,
    backoff: Backoff,
}

impl Worker {
    pub(super) fn new(config: HttpConfig) -> Self {
        Self {
            config,
            backoff: Backoff::default(),
        }
    }

    /// Runs until the other end of the queue is gone and the queue is empty, or until the runtime ends.
    pub(super) async fn run(mut self, mut queue: UnboundedReceiver<Message>) {
        let client = make_client(self.config.clone()).await;
        while let Some(message) = queue.recv().await {
            match message {
                Message::Copy(content, _room) => {
                    if !self.backoff.is_active(Instant::now()) {
                        self.send(client.as_ref(), content).await;
                    }
                }
                // Whoever gave up waiting is not there to be told.
                Message::Flush(done) => drop(done.send(())),
            }
        }
    }

    async fn send(&mut self, client: Option<&HttpClient>, content: Content) {
        let Some(client) = client else {
            return self.failed(&"there is no TLS");
        };
        let Some(body) = content.write().await else {
            return;
        };
        let mut answer = client.clone().send(body.clone()).await;
        // Most likely an idle connection that Spotlight had closed.
        if answer
            .as_ref()
            .is_err_and(|it| it.failure == Failure::Exchange)
        {
            answer = client.clone().send(body).await;
        }
        match answer {
            Ok(reply) if reply.status.is_success() => self.backoff.succeeded(),
            Ok(reply) => self.failed(&reply.status),
            Err(unanswered) => self.failed(&unanswered),
        }
    }

    fn failed(&mut self, why: &dyn Display) {
        let cause = format_args!("{}: {why}", self.config.endpoint);
        diagnostics::once_in_any_case(&SPOTLIGHT_FAILED, Some(&cause));
        self.backoff.failed(Instant::now());
    }
}

impl Content {
    /// Builds and writes the body. `None`: there is nothing to send, or that failed.
    async fn write(self) -> Option<Bytes> {
        let payload = match self {
            Self::Payload(payload) => payload,
            Self::Report(report) => {
                let envelope = Envelope::of_client_report(report);
                return Some(envelope.to_bytes(SystemTime::now()).ok()?.into());
            }
        };
        // Large ones take milliseconds. Where the program's code panics, only this one is lost.
        let at_once = move || match payload.build() {
            Build::Ready(built) => Ok(write(built)),
            Build::Pending(building) => Err(building),
        };
        let building = match spawn_blocking(hidden_work(at_once)).await.ok()? {
            Ok(body) => return body,
            Err(building) => AssertUnwindSafe(building).catch_unwind(),
        };
        let built = timeout(LONGEST_BUILD, building).await.ok()?.ok()?;
        spawn_blocking(hidden_work(|| write(built))).await.ok()?
    }
}

fn write(built: Built) -> Option<Bytes> {
    let transaction = built.transaction.ok()?;
    Some(Prepared::new(transaction)?.write(None)?.into())
}

/// How long one of the program's hooks may keep the others waiting.
const LONGEST_BUILD: Duration = Duration::from_secs(2);

static SPOTLIGHT_FAILED: Topic =
    Topic::new("Spotlight does not take what it is sent, and will be tried again");
