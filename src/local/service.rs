//! The receiver's side of HTTP: paths, credentials, bodies and answers.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use serde_json::json;

use super::kept::{Decoded, Kept};
use super::refusal::Refusal;
use super::state::Shared;
use super::summary::Summary;

/// Answers one request.
pub(super) async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    // Bodies are read before anything is refused: an answer in the middle of
    // one would be lost with the connection.
    let body = read_body(body, shared.limit).await;
    let response = match accept(&shared, head, body).await {
        Ok((envelope, mut summary)) => {
            let id = summary.event_id.take();
            shared.accept(envelope, &summary);
            respond(
                StatusCode::OK,
                &id.map_or_else(|| json!({}), |id| json!({ "id": id })),
            )
        }
        Err(refusal) => {
            let response = respond(refusal.status, &json!({ "detail": refusal.reason }));
            shared.refuse(refusal);
            response
        }
    };
    Ok(response)
}

async fn accept(
    shared: &Shared,
    head: Parts,
    body: Result<Vec<u8>, Refusal>,
) -> Result<(Kept, Summary), Refusal> {
    check_route(&head)?;
    check_auth(&head)?;
    let body = body?;
    let limit = shared.limit;
    if body.len() <= INLINE {
        return Kept::new(&head, Decoded::new(&head, body, limit)?);
    }
    // Large bodies would hold up everything else that the runtime runs.
    tokio::task::spawn_blocking(move || Kept::new(&head, Decoded::new(&head, body, limit)?))
        .await
        .unwrap_or_else(|_| {
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            Err(Refusal::new(status, "the receiver failed"))
        })
}

fn check_route(head: &Parts) -> Result<(), Refusal> {
    let path = head.uri.path();
    let path = path.strip_suffix('/').unwrap_or(path);
    let project = path
        .strip_prefix("/api/")
        .and_then(|rest| rest.strip_suffix("/envelope"));
    let found = match project {
        Some(project) => !project.is_empty() && !project.contains('/'),
        None => path == "/stream",
    };
    if !found {
        return Err(Refusal::new(StatusCode::NOT_FOUND, "there is nothing here"));
    }
    if head.method != Method::POST {
        let status = StatusCode::METHOD_NOT_ALLOWED;
        return Err(Refusal::new(status, "envelopes are sent by POST"));
    }
    Ok(())
}

/// Checks credentials for their form. None are needed, as it is with Spotlight.
fn check_auth(head: &Parts) -> Result<(), Refusal> {
    let Some(auth) = head.headers.get("x-sentry-auth") else {
        return Ok(());
    };
    let refused = |reason| Err(Refusal::new(StatusCode::UNAUTHORIZED, reason));
    let in_query = head
        .uri
        .query()
        .is_some_and(|query| query.split('&').any(|pair| pair.starts_with("sentry_key=")));
    if in_query {
        return refused("there is a sentry_key in the header and in the query");
    }
    if auth.to_str().is_ok_and(|auth| sentry_key(auth).is_some()) {
        return Ok(());
    }
    refused("X-Sentry-Auth has no sentry_key")
}

/// Finds the key in `Sentry sentry_version=7, sentry_key=…`, whose pairs have no order.
pub(crate) fn sentry_key(auth: &str) -> Option<&str> {
    let (scheme, pairs) = auth.trim().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("sentry") {
        return None;
    }
    pairs
        .split(',')
        .filter_map(|pair| pair.split_once('='))
        .find(|(name, value)| name.trim() == "sentry_key" && !value.trim().is_empty())
        .map(|(_, key)| key.trim())
}

/// Reads a body. One that is too large is read on for a while, so that the client gets its answer.
async fn read_body(mut body: Incoming, limit: usize) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    let mut length = 0_usize;
    if body.size_hint().lower() <= limit as u64 {
        let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        bytes.reserve(announced.min(INLINE));
    }
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| {
            Refusal::new(StatusCode::BAD_REQUEST, "the body broke off before its end")
        })?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        length = length.saturating_add(data.len());
        if length <= limit {
            bytes.extend_from_slice(&data);
        } else {
            bytes = Vec::new();
            if length - limit > MAX_SKIPPED {
                break;
            }
        }
    }
    if length > limit {
        return Err(Refusal::too_large("the body", limit));
    }
    Ok(bytes)
}

fn respond(status: StatusCode, body: &serde_json::Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("POST"));
    }
    response
}

/// Bodies of up to this size are decoded where they are received.
const INLINE: usize = 64 * 1024;
/// How much of a body beyond the limit is read and thrown away.
const MAX_SKIPPED: usize = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_in_any_order() {
        for (auth, key) in [
            (
                "Sentry sentry_version=7, sentry_key=abc, sentry_client=x/1",
                Some("abc"),
            ),
            ("sentry sentry_key=abc", Some("abc")),
            ("Sentry sentry_key = abc ,sentry_version=7", Some("abc")),
            ("Sentry sentry_version=7", None),
            ("Sentry sentry_key=", None),
            ("Bearer sentry_key=abc", None),
            ("sentry_key=abc", None),
            ("", None),
        ] {
            assert_eq!(sentry_key(auth), key, "{auth}");
        }
    }
}
