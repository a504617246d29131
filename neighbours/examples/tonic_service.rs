//! A gRPC service and its client: one trace through both, drawn as it arrives.
//!
//! `cargo run -p taskspan-neighbours --example tonic_service`
//!
//! Service and client stand where `tonic-prost-build` would generate them from
//! a `.proto` file; only the two layers are taskspan's.

#![allow(clippy::print_stdout, reason = "a program that shows something")]

use std::convert::Infallible;
use std::error::Error;
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::stream::{self, BoxStream, StreamExt};
use taskspan::local::{ReceivedTransaction, Receiver, Waterfall};
use taskspan::{Instrument, Options};
use tokio::time::sleep;
use tonic::body::Body;
use tonic::client;
use tonic::codegen::{BoxFuture, http};
use tonic::server::{Grpc, NamedService};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;
use tower::{Service, ServiceBuilder, service_fn};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Result<()> {
    let receiver = Receiver::start().await?;
    let options = Options::new(&receiver.dsn())?.traces_sample_rate(1.0);
    let client = taskspan::init(options)?;

    let address = serve()?;
    let channel = Channel::from_shared(format!("http://{address}"))?.connect_lazy();
    let layer = taskspan::tonic::client_layer();
    let channel = ServiceBuilder::new().layer(layer).service(channel);
    shop(channel)
        .record_err()
        .in_transaction("task", "shop")
        .await?;

    let report = client.close(Duration::from_secs(5)).await;
    let transactions = receiver.transactions();
    let trace = transactions.iter().map(AsRef::as_ref);
    if let Some(joined) = ReceivedTransaction::joined(trace) {
        println!("{}\n\n{report}", Waterfall::for_stdout(&joined));
    }
    Ok(())
}

/// What the client does.
async fn shop<S>(channel: S) -> Result<()>
where
    S: client::GrpcService<Body, Error: Into<tonic::codegen::StdError>>,
    S::ResponseBody: tonic::codegen::Body<Data = tonic::codegen::Bytes> + Send + 'static,
    <S::ResponseBody as tonic::codegen::Body>::Error: Into<tonic::codegen::StdError> + Send,
{
    let mut grpc = client::Grpc::new(channel);
    for number in [1, 0] {
        grpc.ready().await.map_err(Into::into)?;
        let path = http::uri::PathAndQuery::from_static("/shop.Carts/Add");
        let added = grpc.unary(
            Request::new(Item { number }),
            path,
            ProstCodec::<_, Item>::default(),
        );
        match added.await {
            Ok(response) => println!("added {:?}", response.into_inner()),
            Err(status) => println!("not added: {}", status.message()),
        }
    }
    grpc.ready().await.map_err(Into::into)?;
    let path = http::uri::PathAndQuery::from_static("/shop.Carts/Watch");
    let request = Request::new(Item { number: 3 });
    let items = grpc.server_streaming(request, path, ProstCodec::<_, Item>::default());
    let mut items = items.await?.into_inner();
    while let Some(item) = items.message().await? {
        println!("watched {item:?}");
    }
    Ok(())
}

/// A message.
#[derive(Clone, PartialEq, prost::Message)]
struct Item {
    #[prost(int32, tag = "1")]
    number: i32,
}

fn serve() -> Result<SocketAddr> {
    let incoming = TcpIncoming::bind(([127, 0, 0, 1], 0).into())?.with_nodelay(Some(true));
    let address = incoming.local_addr()?;
    let server = Server::builder()
        .layer(taskspan::tonic::server_layer())
        .add_service(Carts);
    tokio::spawn(server.serve_with_incoming(incoming));
    Ok(address)
}

async fn add(request: Request<Item>) -> std::result::Result<Response<Item>, Status> {
    let item = request.into_inner();
    if item.number < 1 {
        return Err(Status::invalid_argument("a cart takes one thing or more"));
    }
    sleep(ms(3)).in_span("db.query", "INSERT INTO items").await;
    Ok(Response::new(item))
}

type Items = BoxStream<'static, std::result::Result<Item, Status>>;

/// The call goes on until the last item has been sent.
async fn watch(request: Request<Item>) -> std::result::Result<Response<Items>, Status> {
    let items = stream::iter(1..=request.into_inner().number);
    let items = items.then(async |number| {
        sleep(ms(2))
            .in_span("db.query", "SELECT next FROM items")
            .await;
        Ok(Item { number })
    });
    Ok(Response::new(items.boxed()))
}

#[derive(Clone)]
struct Carts;

impl NamedService for Carts {
    const NAME: &'static str = "shop.Carts";
}

impl Service<http::Request<Body>> for Carts {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<std::result::Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            let mut grpc = Grpc::new(ProstCodec::<Item, Item>::default());
            Ok(match request.uri().path() {
                "/shop.Carts/Add" => grpc.unary(service_fn(add), request).await,
                "/shop.Carts/Watch" => grpc.server_streaming(service_fn(watch), request).await,
                _ => Status::unimplemented("there is no such call").into_http(),
            })
        })
    }
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
