//! What libraries put into spans and events of `tracing`.

use axum::Router;
use axum::body::Body;
use axum::routing::any;
use http::Request;
use taskspan::{Instrument, Options};
use tower::ServiceExt;
use tower_http::trace::{DefaultMakeSpan, TraceLayer};
use tracing::{Level, info, info_span};
use tracing_subscriber::prelude::*;

use super::{options, text};

const SECRET: &str = "s3cr3t-v4lue";

#[derive(Debug)]
#[allow(dead_code, reason = "it is only printed")]
struct Login {
    name: &'static str,
    password: Option<&'static str>,
}

/// Does something below a transaction, with the layer in place.
async fn recorded(options: Options, work: impl Future<Output = ()>) -> String {
    let (client, sent) = taskspan::test::client(options);
    let subscriber = tracing_subscriber::registry().with(taskspan::tracing::layer());
    let _default = tracing::subscriber::set_default(subscriber);
    work.in_transaction("task", "work")
        .with_client(&client)
        .await;
    text(&sent.take()[0])
}

#[tokio::test]
async fn requests_as_tower_http_records_them_have_no_secrets() {
    let span = DefaultMakeSpan::new()
        .level(Level::INFO)
        .include_headers(true);
    let app = Router::new()
        .route("/items/{id}", any(async || ""))
        .layer(TraceLayer::new_for_http().make_span_with(span));
    let request = Request::get(format!("/items/7?token={SECRET}&page=2&sig={SECRET}"))
        .header("authorization", format!("Bearer {SECRET}"))
        .header("cookie", format!("a={SECRET}"))
        .header("referer", format!("https://u:{SECRET}@h/?key={SECRET}"))
        .body(Body::empty())
        .unwrap();
    let all = recorded(options(), async {
        drop(app.oneshot(request).await.unwrap());
    })
    .await;
    assert!(!all.contains(SECRET), "{all}");
    assert!(
        all.contains("/items/7?token=[Filtered]&page=2&sig=[Filtered]"),
        "{all}"
    );
}

#[tokio::test]
async fn fields_and_events_have_no_secrets() {
    let login = Login {
        name: "anna",
        password: Some(SECRET),
    };
    let url = format!("https://u:{SECRET}@h/a?X-Amz-Signature={SECRET}&page=2");
    let work = async {
        let span = info_span!(
            "work",
            url.full = %url,
            http.request.header.authorization = SECRET,
            http.request.header.x_forwarded_for = "203.0.113.7",
            client.address = "203.0.113.7",
            password = SECRET,
            api_key = ?SECRET,
            cache.key = "user:7",
            login = ?login,
            late = tracing::field::Empty,
            tags.link = %url,
        );
        let _entered = span.enter();
        span.record("late", format!("token={SECRET}"));
        info!(user.token = SECRET, link = %url, rows = 3, "GET {url} with Bearer {SECRET}");
        info!(parent: &span, error = &std::io::Error::other(url.clone()) as &dyn std::error::Error);
    };
    let all = recorded(options(), work).await;
    assert!(!all.contains(SECRET), "{all}");
    assert!(!all.contains("203.0.113.7"), "{all}");
    for kept in ["user:7", "page=2", "anna", "\"rows\":3"] {
        assert!(all.contains(kept), "{kept}: {all}");
    }
    let personal = options().send_default_pii(true);
    let work = async {
        info_span!("work", client.address = "203.0.113.7").in_scope(|| {});
    };
    assert!(recorded(personal, work).await.contains("203.0.113.7"));
}

/// What a program sets itself is its own business.
#[tokio::test]
async fn data_of_the_program_is_never_changed() {
    let work = async {
        let span = taskspan::current_span().unwrap();
        span.set_data("password", "on purpose");
        taskspan::add_breadcrumb(taskspan::protocol::Breadcrumb::new(
            "a",
            "/x?token=on-purpose",
        ));
    };
    let all = recorded(options(), work).await;
    assert!(
        all.contains("\"password\":\"on purpose\"") && all.contains("token=on-purpose"),
        "{all}"
    );
}
