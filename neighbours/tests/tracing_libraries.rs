//! Spans and events of libraries as they emit them today, and the uploader's own, which are not recorded.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::{Request, StatusCode};
use axum::routing::get;
use taskspan::local::{ReceivedTransaction, Receiver};
use taskspan::protocol::Breadcrumb;
use taskspan::{Client, Instrument as _, Options};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tower_http::trace::{DefaultMakeSpan, TraceLayer};
use tracing::span::{Attributes, Id};
use tracing::{Instrument, Level, Subscriber, info_span};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::Context;
use tracing_subscriber::prelude::*;

#[path = "support/tls.rs"]
mod tls;

use self::tls::{Authority, Front, file};

/// A server, and the client of the process that sends to it.
async fn installed() -> (Receiver, Client) {
    let receiver = Receiver::start().await.unwrap();
    let options = Options::new(&receiver.dsn()).unwrap();
    let client = taskspan::init(options.traces_sample_rate(1.0)).unwrap();
    (receiver, client)
}

/// Libraries have threads of their own, so this is for the whole process.
fn subscribe_to(max_level: impl Into<LevelFilter>) {
    let layer = taskspan::tracing::layer().with_max_level(max_level);
    tracing_subscriber::registry().with(layer).init();
}

/// All that was received, once everything is delivered.
async fn received(receiver: &Receiver, client: &Client) -> Vec<ReceivedTransaction> {
    let report = client.close(Duration::from_secs(20)).await;
    assert_eq!(
        report.transactions.accepted, report.transactions.sampled,
        "{report}"
    );
    let received = receiver.transactions();
    let received = received.iter().map(|it| ReceivedTransaction::clone(it));
    let mut received: Vec<_> = received.collect();
    // They may be sent side by side.
    received.sort_by_key(|transaction| transaction.start);
    received
}

async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

async fn request(address: SocketAddr, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut response = String::new();
    timeout(
        Duration::from_secs(10),
        stream.read_to_string(&mut response),
    )
    .await??;
    Ok(response)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_of_tower_http_are_transactions() {
    async fn found() -> &'static str {
        async { tokio::task::yield_now().await }
            .in_span("db.query", "SELECT 1")
            .await;
        "found"
    }
    let (receiver, client) = installed().await;
    subscribe_to(Level::DEBUG);
    let router = Router::new()
        .route("/found", get(found))
        .route(
            "/broken",
            get(|| async { StatusCode::INTERNAL_SERVER_ERROR }),
        )
        .layer(
            TraceLayer::new_for_http().make_span_with(DefaultMakeSpan::new().level(Level::INFO)),
        );
    let address = serve(router).await;
    assert!(
        request(address, "/found?page=2")
            .await
            .unwrap()
            .ends_with("found")
    );
    assert!(
        request(address, "/broken")
            .await
            .unwrap()
            .starts_with("HTTP/1.1 500")
    );

    let received = received(&receiver, &client).await;
    assert_eq!(received.len(), 2);
    let found = &received[0];
    assert_eq!(found.name, "request");
    assert_eq!(found.op, "function");
    assert_eq!(found.status.unwrap().as_str(), "ok");
    assert_eq!(found.contexts["trace"]["data"]["method"], "GET");
    assert_eq!(found.contexts["trace"]["data"]["uri"], "/found?page=2");
    assert_eq!(found.spans.len(), 1);
    assert_eq!(found.spans[0].description, "SELECT 1");
    assert_eq!(found.spans[0].parent_span_id, Some(found.span_id));
    // Its layer reports failures as events of level error.
    assert_eq!(received[1].status.unwrap().as_str(), "internal_error");
}

/// The span of a middleware around the handler ends when the response has been dropped, which is just
/// after the transaction has ended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_of_tower_http_ends_with_its_transaction() {
    let (receiver, client) = installed().await;
    subscribe_to(Level::DEBUG);
    let routes = || {
        Router::new()
            .route("/found", get(|| async { "found" }))
            .route("/broken", get(|| async { StatusCode::BAD_GATEWAY }))
    };
    let spans =
        || TraceLayer::new_for_http().make_span_with(|_: &Request<_>| info_span!("request"));
    let inside = routes()
        .layer(spans())
        .layer(taskspan::axum::server_layer());
    let outside = routes()
        .layer(taskspan::axum::server_layer())
        .layer(spans());
    for router in [inside, outside] {
        let address = serve(router).await;
        for path in ["/found", "/broken"] {
            assert!(request(address, path).await.is_ok());
        }
    }

    let received = received(&receiver, &client).await;
    let requests = received.iter().filter(|it| it.op == "http.server");
    let mut checked = 0;
    for transaction in requests {
        let status = transaction.status;
        for span in &transaction.spans {
            assert_eq!(span.status, status, "{}", transaction.name);
            assert!(span.end <= transaction.end);
            checked += 1;
        }
    }
    assert_eq!(checked, 2, "{received:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queries_of_sqlx_are_breadcrumbs() {
    let (client, sent) = taskspan::test::client(Options::disabled().traces_sample_rate(1.0));
    subscribe_to(Level::DEBUG);
    let work = async {
        let pool = sqlx::sqlite::SqlitePoolOptions::new().max_connections(1);
        let pool = pool.connect("sqlite::memory:").await.unwrap();
        sqlx::query("CREATE TABLE items (id INTEGER)")
            .execute(&pool)
            .await
            .unwrap();
        for id in 0..3 {
            let insert = sqlx::query("INSERT INTO items VALUES (?)").bind(id);
            insert.execute(&pool).await.unwrap();
        }
        pool.close().await;
    };
    // The events are emitted on a thread of sqlx's, in the span that is current here.
    async { work.instrument(info_span!("import")).await }
        .in_transaction("task", "work")
        .with_client(&client)
        .await;
    let transaction = sent.take().remove(0);
    assert_eq!(transaction.spans.len(), 1);
    assert_eq!(transaction.spans[0].description, "import");
    assert_eq!(transaction.spans[0].status.unwrap().as_str(), "ok");
    let queries = transaction.breadcrumbs.iter();
    let queries = queries.filter(|it| it.category == "sqlx::query");
    let of_ours = |it: &&Breadcrumb| !it.data["summary"].as_str().unwrap().starts_with("PRAGMA");
    let queries: Vec<_> = queries.filter(of_ours).collect();
    assert_eq!(queries.len(), 4, "{:#?}", transaction.breadcrumbs);
    assert!(
        queries[0].data["summary"]
            .as_str()
            .unwrap()
            .starts_with("CREATE TABLE")
    );
    assert_eq!(queries[3].data["rows_affected"], 1);
    let in_order = |pair: &[&Breadcrumb]| pair[0].timestamp <= pair[1].timestamp;
    assert!(queries.windows(2).all(in_order));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hyper_and_reqwest_are_recorded_where_they_are_asked_to_be() {
    let (receiver, client) = installed().await;
    subscribe_to(Level::TRACE);
    let address = serve(Router::new().route("/", get(|| async { "answer" }))).await;
    let work = async {
        let response = reqwest::get(format!("http://{address}/")).await.unwrap();
        assert_eq!(response.text().await.unwrap(), "answer");
        taskspan::current_span().unwrap().set_tag("after", "all");
    };
    async { work.instrument(info_span!("call")).await }
        .in_transaction("task", "work")
        .await;
    let received = received(&receiver, &client).await;
    let work = received.iter().find(|it| it.name == "work").unwrap();
    let call = work
        .spans
        .iter()
        .find(|it| it.description == "call")
        .unwrap();
    assert_eq!(call.tags["after"], "all");
    // Whatever hyper has entered, it all lies below the call.
    for span in &work.spans {
        let parent = work
            .spans
            .iter()
            .find(|it| Some(it.span_id) == span.parent_span_id);
        assert!(span.description == "call" || parent.is_some(), "{span:?}");
    }
}

/// Counts what libraries emit, recorded or not.
#[derive(Clone, Default)]
struct Emitted {
    by_h2: Arc<AtomicUsize>,
}

impl<S: Subscriber> Layer<S> for Emitted {
    fn on_new_span(&self, new: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        if new.metadata().target().starts_with("h2") {
            self.by_h2.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_upload_of_spans_makes_none() {
    // Over HTTP/2, which is where most is told: spans for each frame, at both ends.
    let receiver = Receiver::start().await.unwrap();
    let authority = Authority::new();
    let config = authority.server("127.0.0.1").config(&["h2"]);
    let front = Front::start(config, receiver.local_addr()).await;
    let ca_file = file("upload.pem", &authority.pem());
    let options = Options::new(&front.dsn()).unwrap().ca_file(&ca_file);
    let client = taskspan::init(options.traces_sample_rate(1.0)).unwrap();

    let emitted = Emitted::default();
    let layer = taskspan::tracing::layer().with_max_level(Level::TRACE);
    tracing_subscriber::registry()
        .with(layer)
        .with(emitted.clone())
        .init();
    for n in 0..50 {
        let inner = || tokio::task::yield_now().instrument(info_span!("inner"));
        async { inner().await }
            .in_transaction("task", format!("transaction {n}"))
            .await;
        if n % 10 == 9 {
            client.flush(Duration::from_secs(10)).await;
        }
    }
    let report = client.close(Duration::from_secs(10)).await;
    assert!(
        emitted.by_h2.load(Ordering::Relaxed) > 100,
        "it is not silent"
    );
    assert_eq!(report.transactions.sampled, 50, "{report}");
    assert_eq!(report.transactions.accepted, 50, "{report}");
    for transaction in receiver.transactions() {
        assert!(
            transaction.name.starts_with("transaction "),
            "{}",
            transaction.name
        );
        let names = transaction.spans.iter().map(|span| &*span.description);
        assert_eq!(names.collect::<Vec<_>>(), ["inner"]);
        assert!(transaction.payload.get("breadcrumbs").is_none());
    }
}
