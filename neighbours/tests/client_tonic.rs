//! Calls of a tonic client, as spans.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[path = "support/recorded.rs"]
mod recorded;
#[path = "support/carts.rs"]
mod support;

use std::net::SocketAddr;

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use taskspan::test::Sent;
use taskspan::tower::Client;
use taskspan::{Instrument, Options};
use tonic::Code;
use tonic::transport::{Channel, Endpoint};
use tower::ServiceBuilder;

use crate::recorded::{only, recorded, status};
use crate::support::{Carts, CartsClient, Item};

fn channel(address: SocketAddr) -> Client<Channel> {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    ServiceBuilder::new()
        .layer(taskspan::tonic::client_layer())
        .service(endpoint.connect_lazy())
}

fn client() -> (taskspan::Client, Sent) {
    taskspan::test::client(Options::disabled().traces_sample_rate(1.0))
}

/// The transaction of some work.
#[tokio::test]
async fn calls_end_with_their_status() {
    let address = Carts::default().start().await;
    let codes = [
        "ok",
        "cancelled",
        "unknown_error",
        "invalid_argument",
        "deadline_exceeded",
        "not_found",
        "already_exists",
        "permission_denied",
        "resource_exhausted",
        "failed_precondition",
        "aborted",
        "out_of_range",
        "unimplemented",
        "internal_error",
        "unavailable",
        "data_loss",
        "unauthenticated",
    ];
    for (number, expected) in (0..).zip(codes) {
        let mut carts = CartsClient::new(channel(address));
        let (result, transaction) = recorded(carts.add(-number)).await;
        let code = result.map_or_else(|status| status.code(), |_| Code::Ok);
        assert_eq!(code as i32, number, "the caller is told as before");
        let span = only(&transaction);
        assert_eq!(
            (&*span.op, &*span.description),
            ("grpc.client", "shop.Carts/Add")
        );
        assert_eq!(span.origin, "auto.rpc.tonic");
        assert_eq!(status(span), expected);
        let name = match expected {
            "unknown_error" => "UNKNOWN".to_owned(),
            "internal_error" => "INTERNAL".to_owned(),
            expected => expected.to_uppercase(),
        };
        let data = [
            ("rpc.system.name", "grpc".into()),
            ("rpc.service", "shop.Carts".into()),
            ("rpc.method", "shop.Carts/Add".into()),
            ("rpc.response.status_code", name.into()),
        ];
        for (key, value) in data {
            assert_eq!(span.data.get(key).cloned(), Some(value), "{key}");
        }
    }

    let mut carts = CartsClient::new(channel(address));
    let (result, transaction) = recorded(carts.forget()).await;
    assert_eq!(result.unwrap_err().code(), Code::Unimplemented);
    assert_eq!(status(only(&transaction)), "unimplemented");
}

#[tokio::test]
async fn streams_are_part_of_their_spans() {
    let address = Carts::default().start().await;
    // how many items are asked for, how many are read, how many come, how the span ends
    let table = [
        (3, usize::MAX, 3, "ok"),
        (-2, usize::MAX, 2, "data_loss"),
        (3, 1, 1, "cancelled"),
        (0, 1, 1, "cancelled"),
        (0, 0, 0, "cancelled"),
    ];
    for (number, read, come, expected) in table {
        let mut carts = CartsClient::new(channel(address));
        let (items, transaction) = recorded(async {
            let items = carts.watch(number).await.unwrap();
            async {}.in_span("function", "between").await;
            let read = items.take(read).collect::<Vec<_>>().await;
            read.into_iter().filter_map(Result::ok).count()
        })
        .await;
        assert_eq!(items, come, "{number}");
        let [call, between] = &transaction.spans[..] else {
            panic!("{transaction:#?}");
        };
        assert_eq!(call.description, "shop.Carts/Watch");
        assert_eq!(status(call), expected, "{number} {read}");
        assert!(between.timestamp <= call.timestamp);
    }

    let mut carts = CartsClient::new(channel(address));
    let (items, transaction) = recorded(async {
        let items = stream::iter(1..=3).map(|number| Item { number });
        let items = carts.sync(items).await.unwrap();
        items
            .map(|item| item.unwrap().number)
            .collect::<Vec<_>>()
            .await
    })
    .await;
    assert_eq!(items, [1, 2, 3]);
    assert_eq!(status(only(&transaction)), "ok");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_an_error() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let mut carts = CartsClient::new(channel(address));
    let (result, transaction) = recorded(carts.add(1)).await;
    assert_eq!(result.unwrap_err().code(), Code::Unavailable);
    assert_eq!(status(only(&transaction)), "internal_error");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_calls_over_one_connection_keep_to_their_spans() {
    let service = Carts::default();
    let address = service.clone().start().await;
    let (client, sent) = client();
    let carts = CartsClient::new(channel(address));
    let calls = (0..100).map(|number| {
        let mut carts = carts.clone();
        async move { carts.add(number).await.unwrap().into_inner().number }
            .in_transaction("task", number.to_string())
            .with_client(&client)
    });
    let answers = join_all(calls).await;
    assert_eq!(answers, (0..100).collect::<Vec<_>>());

    let mut told: Vec<_> = service
        .received()
        .iter()
        .map(|headers| headers["sentry-trace"].to_str().unwrap().to_owned())
        .collect();
    let mut expected: Vec<_> = sent
        .take()
        .iter()
        .map(|one| format!("{}-{}-1", one.contexts.trace.trace_id, only(one).span_id))
        .collect();
    told.sort();
    expected.sort();
    assert_eq!(told, expected);
}

#[tokio::test]
async fn the_trace_goes_along_to_targets() {
    let service = Carts::default();
    let address = service.clone().start().await;
    let origin = || format!("http://{address}").parse().unwrap();
    let host = address.to_string();
    // targets, whether the client knows the host, whether the trace is sent
    let table: [(Option<&str>, bool, bool); 5] = [
        (None, false, true),
        (Some("/shop.Carts/"), false, true),
        (Some(&host), false, false),
        (Some(&host), true, true),
        (Some("other.example"), true, false),
    ];
    for (target, knows_host, told) in table {
        let mut options = Options::disabled();
        if let Some(target) = target {
            options = options.trace_propagation_targets([target]);
        }
        let (client, _) = taskspan::test::client(options);
        let mut carts = match knows_host {
            true => CartsClient::with_origin(channel(address), origin()),
            false => CartsClient::new(channel(address)),
        };
        carts.add(1).with_client(&client).await.unwrap();
        let received = service.received().pop().unwrap();
        assert_eq!(received.contains_key("sentry-trace"), told, "{target:?}");
        assert_eq!(received.contains_key("baggage"), told, "{target:?}");
    }
}
