//! The receiver's side of HTTP: paths, credentials, bodies and answers.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use serde_json::json;

use super::body::{Body, SMALL, read_body, skip_body};
use super::connection::RequestActivity;
use super::cors::{allow_request, allow_response, is_preflight};
use super::kept::{Decoded, Kept};
use super::refusal::Refusal;
use super::state::Shared;
use super::summary::Summary;

/// Answers one request.
pub(super) async fn answer(
    shared: Arc<Shared>,
    mut activity: RequestActivity,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let origin = match shared.settings.access.check(&head) {
        Ok(origin) => origin.cloned(),
        Err(refusal) => {
            // An answer in the middle of a body would be lost with the connection.
            skip_body(body, &shared.settings, &activity).await;
            return Ok(refuse(&shared, refusal));
        }
    };
    let mut response = match receive(&shared, &mut activity, head, body).await {
        Ok(response) => response,
        Err(refusal) => refuse(&shared, refusal),
    };
    if let Some(origin) = origin {
        allow_response(origin, response.headers_mut());
    }
    Ok(response)
}

async fn receive(
    shared: &Shared,
    activity: &mut RequestActivity,
    head: Parts,
    body: Incoming,
) -> Result<Response<Full<Bytes>>, Refusal> {
    let checked = match is_preflight(&head) {
        true => check_path(&head),
        false => check_path(&head)
            .and_then(|()| check_method(&head))
            .and_then(|()| check_auth(&head)),
    };
    if let Err(refusal) = checked {
        skip_body(body, &shared.settings, activity).await;
        return Err(refusal);
    }
    if is_preflight(&head) {
        skip_body(body, &shared.settings, activity).await;
        let mut response = Response::new(Full::default());
        *response.status_mut() = StatusCode::NO_CONTENT;
        allow_request(&head.headers, response.headers_mut());
        return Ok(response);
    }
    let body = read_body(body, &shared.settings, &shared.memory, activity).await?;
    activity.answer();
    let (envelope, mut summary) = read_envelope(shared, head, body).await?;
    let id = summary.event_id.take();
    shared.accept(envelope, &summary);
    let answer = id.map_or_else(|| json!({}), |id| json!({ "id": id }));
    Ok(respond(StatusCode::OK, &answer))
}

/// Decodes and checks a body. Large ones would hold up everything else that the runtime runs.
async fn read_envelope(
    shared: &Shared,
    head: Parts,
    body: Body,
) -> Result<(Kept, Summary), Refusal> {
    let limit = shared.settings.body_limit;
    if body.bytes.len() <= SMALL {
        match Decoded::new(&head, body.bytes.clone(), limit.min(SMALL)) {
            // It may be large once it is decoded.
            Err(refusal) if refusal.status == StatusCode::PAYLOAD_TOO_LARGE && limit > SMALL => {}
            decoded => return Kept::new(&head, decoded?),
        }
    }
    let permit = Arc::clone(&shared.decoding).acquire_owned().await;
    let read = move || {
        let Body { bytes, share } = body;
        let decoded = Decoded::new(&head, bytes, limit)?;
        let kept = Kept::new(&head, decoded);
        // These are held here: this goes on if the client hangs up.
        drop((permit, share));
        kept
    };
    tokio::task::spawn_blocking(read).await.unwrap_or_else(|_| {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Err(Refusal::new(status, "the receiver failed"))
    })
}

fn refuse(shared: &Shared, refusal: Refusal) -> Response<Full<Bytes>> {
    let mut response = respond(refusal.status, &json!({ "detail": refusal.reason }));
    if refusal.status == StatusCode::REQUEST_TIMEOUT {
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    shared.refuse(refusal);
    response
}

fn check_path(head: &Parts) -> Result<(), Refusal> {
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
    Ok(())
}

fn check_method(head: &Parts) -> Result<(), Refusal> {
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
