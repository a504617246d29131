//! Requests to services of tower, as transactions: what stands between layer and service.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use taskspan::tower::ServerLayer;
use taskspan::{Instrument, Options, TransactionSource};
use tokio::task::yield_now;
use tower::buffer::BufferLayer;
use tower::limit::ConcurrencyLimitLayer;
use tower::load_shed::LoadShedLayer;
use tower::{BoxError, ServiceBuilder, ServiceExt};

/// Answers with what came in the path, after a while.
async fn answer(request: Request<()>) -> Result<Response<Full<Bytes>>, Infallible> {
    let value = request.uri().path().trim_start_matches('/').to_owned();
    taskspan::set_tag("value", &value);
    for _ in 0..3 {
        yield_now().await;
    }
    async { yield_now().await }
        .in_span("work", value.clone())
        .await;
    Ok(Response::new(value.into()))
}

async fn answer_late(request: Request<()>) -> Result<Response<Full<Bytes>>, Infallible> {
    tokio::time::sleep(Duration::from_millis(5)).await;
    answer(request).await
}

fn request(value: usize) -> Request<()> {
    Request::get(format!("/{value}")).body(()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn contexts_never_mix_behind_buffers_and_limits() {
    const REQUESTS: usize = 2_000;
    let options = Options::disabled().traces_sample_rate(1.0);
    let (client, sent) = taskspan::test::client(options);
    let service = ServiceBuilder::new()
        .layer(ServerLayer::new().with_client(&client))
        .layer(BufferLayer::new(64))
        .layer(ConcurrencyLimitLayer::new(16))
        .service_fn(answer);
    let answers = (0..REQUESTS).map(|value| {
        let service = service.clone();
        tokio::spawn(async move {
            let response = service.oneshot(request(value)).await.unwrap();
            let body = response.into_body().collect().await.unwrap();
            assert_eq!(body.to_bytes(), value.to_string());
        })
    });
    for answered in join_all(answers).await {
        answered.unwrap();
    }
    let transactions = sent.transactions();
    assert_eq!(transactions.len(), REQUESTS);
    for transaction in transactions {
        let value = &transaction.tags["value"];
        assert_eq!(transaction.name, format!("GET /{value}"));
        assert_eq!(transaction.info.source, TransactionSource::Url);
        let spans: Vec<_> = transaction
            .spans
            .iter()
            .map(|span| &*span.description)
            .collect();
        assert_eq!(spans, [value]);
    }
}

#[tokio::test]
async fn what_is_turned_away_is_an_internal_error() {
    let options = Options::disabled().traces_sample_rate(1.0);
    let (client, sent) = taskspan::test::client(options);
    let service = ServiceBuilder::new()
        .layer(ServerLayer::new().with_client(&client))
        .layer(LoadShedLayer::new())
        .layer(ConcurrencyLimitLayer::new(1))
        .service_fn(answer_late);
    let answers = (0..3).map(|value| service.clone().oneshot(request(value)));
    let answers: Vec<Result<_, BoxError>> = join_all(answers).await;
    let served: Vec<_> = answers.iter().map(Result::is_ok).collect();
    assert_eq!(served, [true, false, false]);
    for answer in answers.into_iter().flatten() {
        answer.into_body().collect().await.unwrap();
    }
    let mut trees: Vec<_> = sent
        .transactions()
        .iter()
        .map(taskspan::test::tree)
        .collect();
    trees.sort();
    let expected = [
        "http.server GET /0 (ok)\n  work 0 (ok)\n",
        "http.server GET /1 (internal_error)\n",
        "http.server GET /2 (internal_error)\n",
    ];
    assert_eq!(trees, expected);
}
