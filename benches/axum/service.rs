//! The service, once without anything and then with each of the crates.

use std::hint::black_box;
use std::io::Read;
use std::sync::Arc;
use std::thread;

use axum::Router;
use axum::extract::Request;
use axum::routing::get;
use sentry::integrations::tower::{NewSentryLayer, SentryHttpLayer};
use sentry::{Hub, SentryFutureExt};
use support::process::cpu;
use taskspan::{Instrument, Options};
use tokio::net::TcpListener;

pub(crate) const SERVICES: [&str; 5] = [
    "bare",
    "taskspan, sampled",
    "taskspan, unsampled",
    "sentry, sampled",
    "sentry, unsampled",
];

/// Prints its address, serves until its input ends, and prints how long it has worked.
#[tokio::main]
pub(crate) async fn run(service: usize, dsn: &str) {
    let rate = if SERVICES[service].ends_with("unsampled") {
        0.0
    } else {
        1.0
    };
    let name = SERVICES[service].split(',').next();
    // What has to live as long as the service does.
    let (router, _client) = match name {
        Some("taskspan") => {
            let options = Options::new(dsn).unwrap().traces_sample_rate(rate.into());
            // All that is offered is to be recorded, also where the server wants none of it.
            let options = options.enable_backpressure_handling(false);
            taskspan::init(options).unwrap();
            let router = Router::new().route("/items/{id}", get(taskspan_item));
            (with_taskspan(router), None)
        }
        Some("sentry") => {
            // Its HTTP client wants TLS to be set up, although it is not used here.
            let _ = rustls::crypto::ring::default_provider().install_default();
            let options = sentry::ClientOptions::new().traces_sample_rate(rate);
            let router = Router::new().route("/items/{id}", get(sentry_item));
            (with_sentry(router), Some(sentry::init((dsn, options))))
        }
        _ => (Router::new().route("/items/{id}", get(item)), None),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        println!("{}", cpu());
        // Whether all was sent is measured elsewhere.
        std::process::exit(0);
    });
    axum::serve(listener, router).await.unwrap();
}

/// The work of a request, without spans.
async fn item() -> &'static str {
    for _ in 0..SPANS {
        part().await;
    }
    "an item"
}

async fn part() {
    black_box(());
}

async fn taskspan_item() -> &'static str {
    for _ in 0..SPANS {
        part().in_span("function", "part").await;
    }
    "an item"
}

/// As its documentation has it for futures: the span is bound to a hub of its own.
async fn sentry_item() -> &'static str {
    for _ in 0..SPANS {
        let hub = Arc::new(Hub::new_from_top(Hub::current()));
        let parent = hub.configure_scope(|scope| scope.get_span());
        let span = parent.map(|parent| parent.start_child("function", "part"));
        hub.configure_scope(|scope| scope.set_span(span.clone().map(Into::into)));
        part().bind_hub(hub).await;
        if let Some(span) = span {
            span.finish();
        }
    }
    "an item"
}

fn with_taskspan(router: Router) -> Router {
    router.layer(taskspan::axum::server_layer())
}

/// As its documentation says, for axum.
fn with_sentry(router: Router) -> Router {
    router
        .layer(SentryHttpLayer::new().enable_transaction())
        .layer(NewSentryLayer::<Request>::new_from_top())
}

/// How many spans a request has.
const SPANS: u32 = 10;
