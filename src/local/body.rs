//! Bodies of requests, within bounds of size, memory and time.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::connection::RequestActivity;
use super::refusal::Refusal;
use super::settings::Settings;

/// A body that has arrived.
pub(super) struct Body {
    pub(super) bytes: Vec<u8>,
    /// Its share of the memory for large bodies.
    pub(super) share: Option<OwnedSemaphorePermit>,
}

/// The memory for large bodies that are under way, in units of [`SMALL`] bytes.
#[derive(Debug)]
pub(super) struct Memory(Arc<Semaphore>);

impl Memory {
    pub(super) fn new(body_limit: usize) -> Self {
        Self(Arc::new(Semaphore::new(units(body_limit.max(MEMORY)))))
    }

    /// Waits for a share of so many bytes.
    async fn share(
        &self,
        bytes: usize,
        deadline: Instant,
    ) -> Result<OwnedSemaphorePermit, Refusal> {
        let units = u32::try_from(units(bytes)).unwrap_or(u32::MAX);
        match timeout_at(deadline, Arc::clone(&self.0).acquire_many_owned(units)).await {
            Ok(Ok(share)) => Ok(share),
            _ => {
                let reason = "other bodies take all the memory there is for them";
                Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, reason))
            }
        }
    }
}

/// Reads a body. One that is too large is read on for a while, so that the client gets its answer.
///
/// Up to [`SMALL`] bytes are read at once. For more, all that there may be is reserved before any
/// of it is read, so that bodies that have begun never wait for each other.
pub(super) async fn read_body(
    mut body: Incoming,
    settings: &Settings,
    memory: &Memory,
    activity: &RequestActivity,
) -> Result<Body, Refusal> {
    let limit = settings.body_limit;
    let deadline = Instant::now() + settings.total_timeout();
    let announced = body.size_hint();
    let announced = announced
        .exact()
        .map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
    let mut bytes = Vec::new();
    let mut share = None;
    match announced {
        // Nothing of it is kept.
        Some(length) if length > limit => {}
        Some(length) => {
            if length > SMALL {
                share = Some(memory.share(length, deadline).await?);
            }
            bytes.reserve_exact(length);
        }
        None => {}
    }
    let mut length = 0_usize;
    while let Some(data) = next_data(&mut body, settings.read_timeout, deadline).await? {
        activity.progress();
        length = length.saturating_add(data.len());
        if length > limit {
            bytes = Vec::new();
            if length - limit > MAX_SKIPPED {
                break;
            }
        } else if announced.is_none_or(|announced| announced <= limit) {
            if length > SMALL && share.is_none() {
                share = Some(memory.share(limit, deadline).await?);
            }
            reserve(&mut bytes, length, limit);
            bytes.extend_from_slice(&data);
        }
    }
    if length > limit {
        return Err(Refusal::too_large("the body", limit));
    }
    Ok(Body { bytes, share })
}

/// Reads a body to its end, and keeps nothing of it.
pub(super) async fn skip_body(mut body: Incoming, settings: &Settings, activity: &RequestActivity) {
    let deadline = Instant::now() + settings.total_timeout();
    let mut length = 0_usize;
    while let Ok(Some(data)) = next_data(&mut body, settings.read_timeout, deadline).await {
        activity.progress();
        length = length.saturating_add(data.len());
        if length > MAX_SKIPPED {
            break;
        }
    }
}

async fn next_data(
    body: &mut Incoming,
    pause: Duration,
    deadline: Instant,
) -> Result<Option<bytes::Bytes>, Refusal> {
    loop {
        let end = deadline.min(Instant::now() + pause);
        let Ok(frame) = timeout_at(end, body.frame()).await else {
            let reason = "the body did not arrive in time";
            return Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, reason));
        };
        match frame {
            None => return Ok(None),
            Some(Err(_)) => {
                let reason = "the body broke off before its end";
                return Err(Refusal::new(StatusCode::BAD_REQUEST, reason));
            }
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

/// Makes room for `length` bytes: twice as many as before, but no more than `limit`.
fn reserve(bytes: &mut Vec<u8>, length: usize, limit: usize) {
    if bytes.capacity() < length {
        let capacity = length.max(2 * bytes.capacity()).min(limit.max(length));
        bytes.reserve_exact(capacity - bytes.len());
    }
}

fn units(bytes: usize) -> usize {
    bytes.div_ceil(SMALL).min(Semaphore::MAX_PERMITS)
}

/// Bodies of up to this size are read without waiting for others.
pub(super) const SMALL: usize = 64 * 1024;
/// How much memory there is for all larger bodies that are under way.
const MEMORY: usize = 32 * 1024 * 1024;
/// How much of a body beyond the limit is read and thrown away.
const MAX_SKIPPED: usize = 64 * 1024 * 1024;
