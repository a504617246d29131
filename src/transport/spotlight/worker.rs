//! The task that sends to Spotlight.

use std::fmt::Display;
use std::time::SystemTime;

use bytes::Bytes;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::backoff::Backoff;
use super::{Content, Message};
use crate::diagnostics::{self, Topic};
use crate::protocol::Envelope;
use crate::transport::encode::Prepared;
use crate::transport::http::{Failure, HttpClient, HttpConfig};
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
        // Large ones take milliseconds.
        let Ok(Some(body)) = spawn_blocking(move || content.write()).await else {
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
        diagnostics::once_in_any_case(Topic::Spotlight, Some(&cause));
        self.backoff.failed(Instant::now());
    }
}

impl Content {
    /// Writes the body. `None`: that failed.
    fn write(self) -> Option<Bytes> {
        let body = match self {
            Self::Payload(payload) => Prepared::new(payload)?.write(None)?,
            Self::Report(report) => Envelope::of_client_report(report)
                .to_bytes(SystemTime::now())
                .ok()?,
        };
        Some(body.into())
    }
}
