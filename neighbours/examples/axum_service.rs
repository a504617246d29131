//! Two web services, one calling the other: one trace through both, drawn as it arrives.
//!
//! `cargo run -p taskspan-neighbours --example axum_service`

#![allow(clippy::print_stdout, reason = "a program that shows something")]

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use taskspan::local::{ReceivedTransaction, Receiver, Waterfall};
use taskspan::{Instrument, Options};
use tokio::net::TcpListener;
use tokio::time::sleep;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Result<()> {
    let receiver = Receiver::start().await?;
    let options = Options::new(&receiver.dsn())?.traces_sampler(|context| match context.route() {
        Some("/health") => 0.0,
        _ => context.inherit_or_sample_with(1.0),
    });
    let client = taskspan::init(options)?;

    let stock = serve(stock_service()).await?;
    let shop = serve(shop_service(stock)).await?;
    for path in ["/health", "/items/7", "/items/unknown"] {
        let response = reqwest::get(format!("http://{shop}{path}")).await?;
        println!("GET {path}: {}", response.status());
        response.bytes().await?;
    }

    let report = client.close(Duration::from_secs(5)).await;
    let transactions = receiver.transactions();
    let of_shop = transactions
        .iter()
        .filter(|transaction| transaction.parent_span_id.is_none());
    for answered in of_shop {
        let trace = transactions.iter().map(AsRef::as_ref);
        let trace = trace.filter(|transaction| transaction.trace_id == answered.trace_id);
        if let Some(joined) = ReceivedTransaction::joined(trace) {
            println!("\n{}", Waterfall::for_stdout(&joined));
        }
    }
    println!("\n{report}");
    Ok(())
}

/// The service that is asked. It asks the other one.
fn shop_service(stock: SocketAddr) -> Router {
    let http = taskspan::reqwest::Client::new();
    Router::new()
        .route("/health", get(async || "well"))
        .route("/items/{id}", get(show_item))
        .with_state((http, stock))
        .layer(taskspan::axum::server_layer())
}

async fn show_item(
    Path(id): Path<String>,
    State((http, stock)): State<(taskspan::reqwest::Client, SocketAddr)>,
) -> std::result::Result<Json<Value>, StatusCode> {
    taskspan::set_tag("item", &id);
    let price = price()
        .in_span("db.query", "SELECT price FROM items WHERE id = $1")
        .await;

    // Nobody waits for it, and it is part of the trace nevertheless.
    taskspan::spawn(sleep(ms(4)).in_transaction("task", "count visit"));

    let response = http.get(format!("http://{stock}/stock/{id}")).send().await;
    let response = response.map_err(|_| StatusCode::BAD_GATEWAY)?;
    if response.status() == StatusCode::NOT_FOUND {
        return Err(StatusCode::NOT_FOUND);
    }
    let left: u32 = response.json().await.map_err(|_| StatusCode::BAD_GATEWAY)?;
    Ok(Json(json!({ "id": id, "price": price, "left": left })))
}

async fn price() -> u32 {
    sleep(ms(3)).await;
    1_299
}

/// The service behind it.
fn stock_service() -> Router {
    Router::new()
        .route("/stock/{id}", get(count_stock))
        .layer(taskspan::axum::server_layer())
}

async fn count_stock(Path(id): Path<String>) -> std::result::Result<Json<u32>, StatusCode> {
    sleep(ms(2)).in_span("cache.get", "stock").await;
    if id == "unknown" {
        return Err(StatusCode::NOT_FOUND);
    }
    sleep(ms(6))
        .in_span("db.query", "SELECT count FROM stock WHERE item = $1")
        .await;
    Ok(Json(3))
}

async fn serve(service: Router) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, service).await });
    Ok(address)
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
