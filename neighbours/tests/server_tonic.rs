//! gRPC calls to a tonic service, as transactions.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![allow(dead_code, reason = "not all that is shared is used here")]

#[path = "support/carts.rs"]
mod carts;
#[path = "support/http.rs"]
mod support;

use std::net::SocketAddr;

use futures_util::stream::{self, StreamExt};
use serde_json::Value;
use taskspan::test::Sent;
use taskspan::{Options, TransactionSource};
use tonic::Code;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};

use crate::carts::{Carts, CartsClient, Item};
use crate::support::{data, status, transactions};

fn options() -> Options {
    Options::disabled().traces_sample_rate(1.0)
}

/// Serves carts inside of the layer.
async fn start(options: Options) -> (CartsClient<Channel>, SocketAddr, Sent) {
    let (client, sent) = taskspan::test::client(options);
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = incoming.local_addr().unwrap();
    let layer = taskspan::tonic::server_layer().with_client(&client);
    let server = Server::builder().layer(layer).add_service(Carts::default());
    tokio::spawn(server.serve_with_incoming(incoming));
    let channel = Channel::from_shared(format!("http://{address}")).unwrap();
    let client = CartsClient::new(channel.connect().await.unwrap());
    (client, address, sent)
}

#[tokio::test]
async fn a_call_is_named_by_its_method() {
    let (mut carts, address, sent) = start(options()).await;
    carts.add(7).await.unwrap();
    let transaction = transactions(&sent, 1).await.remove(0);
    assert_eq!(transaction.name, "shop.Carts/Add");
    assert_eq!(transaction.info.source, TransactionSource::Route);
    assert_eq!(transaction.contexts.trace.op, "grpc.server");
    assert_eq!(transaction.contexts.trace.origin, "auto.rpc.tonic");
    let expected = [
        ("rpc.system.name", "grpc"),
        ("rpc.service", "shop.Carts"),
        ("rpc.method", "shop.Carts/Add"),
        ("rpc.response.status_code", "OK"),
        ("network.protocol.version", "2"),
        ("server.address", "127.0.0.1"),
    ];
    for (key, value) in expected {
        assert_eq!(data(&transaction, key), value, "{key}");
    }
    assert_eq!(data(&transaction, "server.port"), address.port());
}

#[tokio::test]
async fn the_status_is_that_of_the_call() {
    let (mut carts, _, sent) = start(options()).await;
    let table = [
        (Code::Cancelled, "cancelled"),
        (Code::Unknown, "unknown_error"),
        (Code::InvalidArgument, "invalid_argument"),
        (Code::DeadlineExceeded, "deadline_exceeded"),
        (Code::NotFound, "not_found"),
        (Code::AlreadyExists, "already_exists"),
        (Code::PermissionDenied, "permission_denied"),
        (Code::ResourceExhausted, "resource_exhausted"),
        (Code::FailedPrecondition, "failed_precondition"),
        (Code::Aborted, "aborted"),
        (Code::OutOfRange, "out_of_range"),
        (Code::Unimplemented, "unimplemented"),
        (Code::Internal, "internal_error"),
        (Code::Unavailable, "unavailable"),
        (Code::DataLoss, "data_loss"),
        (Code::Unauthenticated, "unauthenticated"),
    ];
    for (code, expected) in table {
        let error = carts.add(-(code as i32)).await.unwrap_err();
        assert_eq!(error.code(), code);
        let transaction = transactions(&sent, 1).await.remove(0);
        assert_eq!(status(&transaction), expected);
        let told = data(&transaction, "rpc.response.status_code");
        let name = match code {
            Code::Internal => "INTERNAL".to_owned(),
            Code::Unknown => "UNKNOWN".to_owned(),
            _ => expected.to_uppercase(),
        };
        assert_eq!(told, name);
    }
    // There is no such method.
    carts.forget().await.unwrap_err();
    let transaction = transactions(&sent, 1).await.remove(0);
    // Whoever calls can name any number of them.
    assert_eq!(transaction.name, "/{*path}");
    assert_eq!(data(&transaction, "rpc.method"), "shop.Carts/Forget");
    assert_eq!(status(&transaction), "unimplemented");
}

#[tokio::test]
async fn a_stream_goes_on_until_its_last_message_has_left() {
    let (mut carts, _, sent) = start(options()).await;
    let items: Vec<_> = carts.watch(5).await.unwrap().collect().await;
    assert_eq!(items.len(), 5);
    let transaction = transactions(&sent, 1).await.remove(0);
    assert_eq!(status(&transaction), "ok");
    assert_ne!(data(&transaction, "http.response.body.size"), 0);

    // It fails after its messages, in the trailers.
    let items: Vec<_> = carts.watch(-2).await.unwrap().collect().await;
    assert_eq!(
        items.last().unwrap().as_ref().unwrap_err().code(),
        Code::DataLoss
    );
    let transaction = transactions(&sent, 1).await.remove(0);
    assert_eq!(status(&transaction), "data_loss");

    // Both ways.
    let sent_items = stream::iter((1..4).map(|number| Item { number }));
    let items: Vec<_> = carts.sync(sent_items).await.unwrap().collect().await;
    assert_eq!(items.len(), 3);
    let transaction = transactions(&sent, 1).await.remove(0);
    assert_eq!(
        (&*transaction.name, status(&transaction)),
        ("shop.Carts/Sync", "ok")
    );
}

#[tokio::test]
async fn a_caller_that_goes_cancels() {
    let (mut carts, _, sent) = start(options()).await;
    let mut endless = carts.watch(0).await.unwrap();
    endless.message().await.unwrap();
    assert!(sent.transactions().is_empty());
    drop(endless);
    let transaction = transactions(&sent, 1).await.remove(0);
    assert_eq!(status(&transaction), "cancelled");
    assert_eq!(data(&transaction, "rpc.response.status_code"), Value::Null);
}

#[tokio::test]
async fn the_sampler_knows_the_method() {
    let options = Options::disabled().traces_sampler(|context| {
        assert_eq!(context.op(), "grpc.server");
        assert_eq!(context.route(), Some(context.name()));
        f64::from(context.name() == "shop.Carts/Watch")
    });
    let (mut carts, _, sent) = start(options).await;
    carts.add(1).await.unwrap();
    let _: Vec<_> = carts.watch(1).await.unwrap().collect().await;
    let transactions = transactions(&sent, 1).await;
    assert_eq!(transactions[0].name, "shop.Carts/Watch");
}
