//! A gRPC service and its client, as they would be generated.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, Stream, StreamExt};
use http::HeaderMap;
use http::uri::PathAndQuery;
use http_body::Body as HttpBody;
use tonic::body::Body;
use tonic::client::GrpcService;
use tonic::codegen::{BoxFuture, StdError};
use tonic::server::{Grpc, NamedService};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;
use tower::{Service, service_fn};

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Item {
    #[prost(int32, tag = "1")]
    pub(crate) number: i32,
}

/// The service. It keeps the metadata of all calls.
#[derive(Clone, Default)]
pub(crate) struct Carts {
    received: Arc<Mutex<Vec<HeaderMap>>>,
}

impl Carts {
    pub(crate) async fn start(self) -> SocketAddr {
        let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = incoming.local_addr().unwrap();
        tokio::spawn(
            Server::builder()
                .add_service(self)
                .serve_with_incoming(incoming),
        );
        address
    }

    pub(crate) fn received(&self) -> Vec<HeaderMap> {
        self.received.lock().unwrap().clone()
    }
}

impl NamedService for Carts {
    const NAME: &'static str = "shop.Carts";
}

impl Service<http::Request<Body>> for Carts {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        self.received
            .lock()
            .unwrap()
            .push(request.headers().clone());
        Box::pin(async move {
            let mut grpc = Grpc::new(ProstCodec::<Item, Item>::default());
            Ok(match request.uri().path() {
                "/shop.Carts/Add" => grpc.unary(service_fn(add), request).await,
                "/shop.Carts/Watch" => grpc.server_streaming(service_fn(watch), request).await,
                "/shop.Carts/Sync" => grpc.streaming(service_fn(sync), request).await,
                _ => Status::unimplemented("").into_http(),
            })
        })
    }
}

/// Answers with the same item, or with the status that a negative number stands for.
async fn add(request: Request<Item>) -> Result<Response<Item>, Status> {
    let item = request.into_inner();
    match item.number {
        ..0 => Err(Status::new(
            Code::from_i32(-item.number),
            "as it was asked for",
        )),
        _ => Ok(Response::new(item)),
    }
}

type Items = BoxStream<'static, Result<Item, Status>>;

/// Sends so many items: without an end if the number is 0, with an error at the end if it is negative.
async fn watch(request: Request<Item>) -> Result<Response<Items>, Status> {
    let count = request.into_inner().number;
    let items = stream::iter(1..).map(|number| Ok(Item { number }));
    Ok(Response::new(match count {
        ..0 => {
            let error = Err(Status::data_loss("no more"));
            let items = items.take(count.unsigned_abs() as usize);
            items.chain(stream::iter([error])).boxed()
        }
        0 => items.take(1).chain(stream::pending()).boxed(),
        _ => items.take(count as usize).boxed(),
    }))
}

/// Sends back what comes.
async fn sync(request: Request<Streaming<Item>>) -> Result<Response<Items>, Status> {
    Ok(Response::new(request.into_inner().boxed()))
}

/// The client, with the bounds of generated ones.
#[derive(Clone)]
pub(crate) struct CartsClient<T> {
    inner: tonic::client::Grpc<T>,
}

impl<T> CartsClient<T>
where
    T: GrpcService<Body>,
    T::Error: Into<StdError>,
    T::ResponseBody: HttpBody<Data = Bytes> + Send + 'static,
    <T::ResponseBody as HttpBody>::Error: Into<StdError> + Send,
{
    pub(crate) fn new(inner: T) -> Self {
        let inner = tonic::client::Grpc::new(inner);
        Self { inner }
    }

    pub(crate) fn with_origin(inner: T, origin: http::Uri) -> Self {
        let inner = tonic::client::Grpc::with_origin(inner, origin);
        Self { inner }
    }

    pub(crate) async fn add(&mut self, number: i32) -> Result<Response<Item>, Status> {
        let path = self.ready("/shop.Carts/Add").await?;
        let request = Request::new(Item { number });
        self.inner.unary(request, path, ProstCodec::default()).await
    }

    pub(crate) async fn watch(&mut self, number: i32) -> Result<Streaming<Item>, Status> {
        let path = self.ready("/shop.Carts/Watch").await?;
        let request = Request::new(Item { number });
        let codec = ProstCodec::default();
        let response = self.inner.server_streaming(request, path, codec).await?;
        Ok(response.into_inner())
    }

    pub(crate) async fn sync(
        &mut self,
        items: impl Stream<Item = Item> + Send + 'static,
    ) -> Result<Streaming<Item>, Status> {
        let path = self.ready("/shop.Carts/Sync").await?;
        let codec = ProstCodec::default();
        let response = self
            .inner
            .streaming(Request::new(items), path, codec)
            .await?;
        Ok(response.into_inner())
    }

    pub(crate) async fn forget(&mut self) -> Result<Response<Item>, Status> {
        let path = self.ready("/shop.Carts/Forget").await?;
        let request = Request::new(Item { number: 0 });
        self.inner.unary(request, path, ProstCodec::default()).await
    }

    async fn ready(&mut self, path: &'static str) -> Result<PathAndQuery, Status> {
        let ready = self.inner.ready().await;
        ready.map_err(|error| Status::unknown(error.into().to_string()))?;
        Ok(PathAndQuery::from_static(path))
    }
}
