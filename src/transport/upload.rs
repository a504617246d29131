//! One delivery: from a job to the answer.

use std::pin::Pin;
use std::time::SystemTime;

use bytes::Bytes;
use tokio::task::spawn_blocking;

use super::discards::Unsent;
use super::job::Job;
use super::writers::Writers;
use crate::http::{Compression, Compressor, Failure, HttpClient, HttpConfig, Reply};
use crate::own_work::hidden_work;
use crate::protocol::{DiscardReason, Envelope};

/// A delivery under way. Dropped, it lets everything go back to where it was taken from.
pub(super) type Upload = Pin<Box<dyn Future<Output = Finished> + Send>>;

/// A delivery that came to an end.
pub(super) struct Finished {
    /// `None` for a client report alone, and for what could not be written.
    pub(super) job: Option<Job>,
    /// Losses that the server was told of with it.
    pub(super) unsent: Option<Unsent>,
    /// `None` if nothing was sent.
    pub(super) answer: Option<Result<Reply, Failure>>,
    /// Whether it was a client report alone.
    pub(super) report: bool,
}

/// Sends what is written already.
pub(super) async fn upload(client: HttpClient, encoded: Encoded) -> Finished {
    let report = encoded.job.is_none();
    let second = report.then(|| (client.clone(), encoded.body.clone()));
    let mut answer = client.post(encoded.body).await;
    // Most likely an idle connection that the server had closed. Jobs are tried again by the
    // worker, but for a report this may be the last opportunity.
    if let (Err(Failure::Exchange), Some((client, body))) = (&answer, second) {
        answer = client.post(body).await;
    }
    Finished {
        report,
        job: encoded.job,
        unsent: encoded.unsent,
        answer: Some(answer),
    }
}

/// Writes what is large on a thread that may block, then sends it.
pub(super) async fn upload_large(
    client: HttpClient,
    job: Job,
    unsent: Option<Unsent>,
    compression: Compression,
    writers: Writers,
) -> Finished {
    let write = move |job| Encoded::new(job, unsent, &mut Compressor::new(compression));
    match writers.run(job, write).await {
        Some(encoded) => upload(client, encoded).await,
        // It is counted, or has gone back by itself.
        None => Finished {
            job: None,
            unsent: None,
            answer: None,
            report: false,
        },
    }
}

/// Makes the client, away from the runtime's threads if that takes time.
pub(super) async fn make_client(config: HttpConfig) -> Option<HttpClient> {
    if config.needs_tls() {
        let made = spawn_blocking(hidden_work(move || HttpClient::new(&config))).await;
        made.ok()?.ok()
    } else {
        HttpClient::new(&config).ok()
    }
}

/// A job with its body, ready to be sent.
pub(crate) struct Encoded {
    /// `None` for a client report alone.
    pub(crate) job: Option<Job>,
    /// Losses that the body tells of.
    pub(crate) unsent: Option<Unsent>,
    pub(crate) body: Bytes,
}

impl Encoded {
    /// Makes the body of a job that was built. `None`: that failed, and the job is counted.
    pub(crate) fn new(
        job: Job,
        unsent: Option<Unsent>,
        compressor: &mut Compressor,
    ) -> Option<Self> {
        let job = job.prepare()?;
        let body = job.prepared().and_then(|prepared| {
            compressor.compress(prepared.write(unsent.as_ref().map(Unsent::report))?)
        });
        let Some(body) = body else {
            job.discard(DiscardReason::InternalSdkError);
            return None;
        };
        Some(Self {
            job: Some(job),
            unsent,
            body,
        })
    }

    /// Makes the body of a client report alone.
    pub(crate) fn of_unsent(unsent: Unsent, compressor: &mut Compressor) -> Option<Self> {
        let envelope = Envelope::of_client_report(unsent.report().clone());
        let body = compressor.compress(envelope.to_bytes(SystemTime::now()).ok()?)?;
        Some(Self {
            job: None,
            unsent: Some(unsent),
            body,
        })
    }
}
