//! The service, once without anything and then with each of the crates.

use std::io::Read;
use std::thread;

use axum::Router;
use axum::extract::Request;
use axum::routing::get;
use sentry::integrations::tower::{NewSentryLayer, SentryHttpLayer};
use taskspan::Options;
use tokio::net::TcpListener;

pub(crate) const SERVICES: [&str; 5] = [
    "bare",
    "taskspan, sampled",
    "taskspan, unsampled",
    "sentry, sampled",
    "sentry, unsampled",
];

/// Prints its address, and serves until its input ends.
#[tokio::main]
pub(crate) async fn run(service: usize, dsn: &str) {
    let rate = if SERVICES[service].ends_with("unsampled") {
        0.0
    } else {
        1.0
    };
    let router = Router::new().route("/items/{id}", get(async || "an item"));
    let name = SERVICES[service].split(',').next();
    // What has to live as long as the service does.
    let (router, _client) = match name {
        Some("taskspan") => {
            let options = Options::new(dsn).unwrap();
            taskspan::init(options.traces_sample_rate(rate.into())).unwrap();
            (with_taskspan(router), None)
        }
        Some("sentry") => {
            // Its HTTP client wants TLS to be set up, although it is not used here.
            let _ = rustls::crypto::ring::default_provider().install_default();
            let options = sentry::ClientOptions::new().traces_sample_rate(rate);
            (with_sentry(router), Some(sentry::init((dsn, options))))
        }
        _ => (router, None),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        // Whether all was sent is measured elsewhere.
        std::process::exit(0);
    });
    axum::serve(listener, router).await.unwrap();
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
