//! A web service that leaves its work to a job: one trace from the request through the queue to a
//! database, Redis and a child process, drawn as it arrives.
//!
//! `cargo run -p taskspan-neighbours --example jobs`. It starts a `redis-server`, which has to be
//! installed.

#![allow(clippy::print_stdout, reason = "a program that shows something")]

use std::env;
use std::error::Error;
use std::net::{SocketAddr, TcpListener as Listener};
use std::process::{Child, Command as StdCommand, Stdio};
use std::sync::Arc;
use std::time::Duration;

use apalis::prelude::*;
use apalis_sqlite::{SqlitePool, SqliteStorage};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use serde::{Deserialize, Serialize};
use sqlx::Sqlite;
use sqlx::sqlite::SqlitePoolOptions;
use taskspan::apalis::{TaskSinkExt, WorkerLayer};
use taskspan::local::{ReceivedTransaction, Receiver, Waterfall};
use taskspan::process::TraceCommand;
use taskspan::{IncomingTrace, Instrument, Options};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::time::sleep;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// What is to be done once an order has come in.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Ship {
    order: i64,
}

/// What a job works with.
#[derive(Clone)]
struct Neighbours {
    database: taskspan::sqlx::Pool<Sqlite>,
    redis: taskspan::redis::Connection<MultiplexedConnection>,
    dsn: Arc<str>,
}

#[tokio::main]
async fn main() -> Result<()> {
    if env::args().nth(1).as_deref() == Some(PRINT_LABEL) {
        return print_label().await;
    }
    let receiver = Receiver::start().await?;
    let options = Options::new(&receiver.dsn())?.traces_sample_rate(1.0);
    let client = taskspan::init(options)?;

    let redis_server = RedisServer::start()?;
    let neighbours = Neighbours {
        database: database().await?,
        redis: redis_server.connect().await?,
        dsn: receiver.dsn().into(),
    };
    // In a database of its own, so that nothing waits for its connection. A connection whose future
    // is dropped amid a query is closed, and a database in memory ends with the last one.
    let storage = SqlitePoolOptions::new()
        .max_connections(2)
        .connect("sqlite:file:jobs?mode=memory&cache=shared")
        .await?;
    let _last = storage.acquire().await?;
    SqliteStorage::setup(&storage).await?;

    let shop = serve(shop(&storage)).await?;
    let response = reqwest::Client::new()
        .post(format!("http://{shop}/orders/7"))
        .send()
        .await?;
    println!("POST /orders/7: {}", response.status());

    let worker = WorkerBuilder::new("shipping")
        .backend(SqliteStorage::<Ship>::new(&storage))
        .data(neighbours)
        .retry(RetryPolicy::retries(3))
        .layer(WorkerLayer::new())
        .build(ship);
    worker.run().await?;

    let report = client.close(Duration::from_secs(5)).await;
    let transactions = receiver.transactions();
    let transactions = transactions.iter().map(AsRef::as_ref);
    if let Some(joined) = ReceivedTransaction::joined(transactions) {
        println!("\n{}", Waterfall::for_stdout(&joined));
    }
    println!("\n{report}");
    Ok(())
}

/// The service that takes orders.
fn shop(storage: &SqlitePool) -> Router {
    Router::new()
        .route("/orders/{id}", post(order))
        .with_state(SqliteStorage::new(storage))
        .layer(taskspan::axum::server_layer())
}

async fn order(
    Path(order): Path<i64>,
    State(mut jobs): State<SqliteStorage<Ship>>,
) -> std::result::Result<StatusCode, StatusCode> {
    let pushed = jobs.push_traced(Ship { order }).await;
    pushed.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    Ok(StatusCode::ACCEPTED)
}

/// The job.
async fn ship(job: Ship, neighbours: Data<Neighbours>, worker: WorkerContext) -> Result<()> {
    let Neighbours {
        database,
        mut redis,
        dsn,
    } = (*neighbours).clone();
    let address: String = sqlx::query_scalar("SELECT address FROM orders WHERE id = $1")
        .bind(job.order)
        .fetch_one(&database)
        .await?;

    let cached: Option<String> = redis.get(format!("label:{}", job.order)).await?;
    if cached.is_none() {
        // It is this program again, and continues the trace.
        let label = Command::new(env::current_exe()?)
            .args([PRINT_LABEL, &address])
            .env("SENTRY_DSN", &*dsn)
            .traced()
            .output()
            .await?;
        let () = redis
            .set_ex(format!("label:{}", job.order), label.stdout, 60)
            .await?;
    }

    let mut transaction = database.begin().await?;
    sqlx::query("UPDATE orders SET shipped = TRUE WHERE id = $1")
        .bind(job.order)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;

    // One job is all that there is.
    worker.stop()?;
    Ok(())
}

/// What the child process does.
async fn print_label() -> Result<()> {
    let client = taskspan::init(Options::from_env().traces_sample_rate(1.0))?;
    let label = async {
        sleep(Duration::from_millis(2))
            .in_span("function", "load fonts")
            .await;
        taskspan::span("function", "draw").in_scope(|_| "#".repeat(40))
    };
    let label = taskspan::transaction("console.command", PRINT_LABEL)
        .continue_trace(&IncomingTrace::from_env())
        .instrument(label)
        .await;
    println!("{label}");
    client.close(Duration::from_secs(2)).await;
    Ok(())
}

/// A database with one order in it.
async fn database() -> Result<taskspan::sqlx::Pool<Sqlite>> {
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .connect("sqlite::memory:")
        .await?;
    sqlx::raw_sql(
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, address TEXT, shipped BOOLEAN);
        INSERT INTO orders VALUES (7, 'Main Street 1', FALSE)",
    )
    .execute(&pool)
    .await?;
    Ok(pool.into())
}

/// A server that ends with this program.
struct RedisServer {
    address: SocketAddr,
    process: Child,
}

impl RedisServer {
    fn start() -> Result<Self> {
        let address = Listener::bind("127.0.0.1:0")?.local_addr()?;
        let process = StdCommand::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &address.port().to_string()])
            .args(["--save", "", "--appendonly", "no"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| format!("redis-server does not start: {error}"))?;
        Ok(Self { address, process })
    }

    async fn connect(&self) -> Result<taskspan::redis::Connection<MultiplexedConnection>> {
        let client = redis::Client::open(format!("redis://{}", self.address))?;
        for _ in 0..500 {
            if let Ok(connection) = client.get_multiplexed_async_connection().await {
                return Ok(taskspan::redis::Connection::new(connection));
            }
            sleep(Duration::from_millis(10)).await;
        }
        Err("redis-server does not answer".into())
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn serve(service: Router) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, service).await });
    Ok(address)
}

const PRINT_LABEL: &str = "print-label";
