//! Names of transactions, which nobody who sends requests can make more of.

use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use axum::routing::any;
use http::{Request, Response, StatusCode};
use taskspan::tower::{ClientLayer, ServerLayer};
use taskspan::{Instrument, TransactionSource};
use tower::{ServiceBuilder, ServiceExt, service_fn};

use super::{one, options, start};
use crate::support::{data, serve};

#[tokio::test]
async fn methods_that_are_none_have_one_name() {
    let routes = Router::new().route("/items/{id}", any(async || ""));
    let (address, sent) = start(options(), routes).await;
    let long = "A".repeat(60);
    for method in ["A.B", &long, "get", "X"] {
        let head = format!("{method} /items/7 HTTP/1.1\r\nhost: a");
        let transaction = one(address, &sent, &head).await;
        assert_eq!(transaction.name, "HTTP /items/{id}");
        assert_eq!(data(&transaction, "http.request.method"), "_OTHER");
        assert_eq!(transaction.request.unwrap().method, None);
    }
    for method in ["GET", "PATCH", "PROPFIND", "QUERY", "PURGE"] {
        let head = format!("{method} /items/7 HTTP/1.1\r\nhost: a");
        let transaction = one(address, &sent, &head).await;
        assert_eq!(transaction.name, format!("{method} /items/{{id}}"));
        assert_eq!(data(&transaction, "http.request.method"), method);
        assert_eq!(transaction.request.unwrap().method.as_deref(), Some(method));
    }
}

#[tokio::test]
async fn clients_name_such_methods_alike() {
    let (client, sent) = taskspan::test::client(options());
    let http = ServiceBuilder::new().layer(ClientLayer::new());
    let http = http.service(service_fn(async |_: Request<String>| {
        Ok::<_, Infallible>(Response::new(String::new()))
    }));
    let request = Request::builder().method("A.B").uri("http://[::1]:1/a");
    let request = request.body(String::new()).unwrap();
    let work = async { http.oneshot(request).await.unwrap() };
    work.in_transaction("task", "work")
        .with_client(&client)
        .await;
    let span = &sent.take()[0].spans[0];
    assert_eq!(span.description, "HTTP http://[::1]:1/a");
    assert_eq!(span.data["http.request.method"], "_OTHER");
    // Without brackets, which belong to the URL.
    assert_eq!(span.data["server.address"], "::1");
}

#[tokio::test]
async fn a_request_about_the_whole_server_has_a_url_without_a_path() {
    let options = options().trace_options_requests(true);
    let (address, sent) = start(options, Router::new()).await;
    let transaction = one(address, &sent, "OPTIONS * HTTP/1.1\r\nhost: [::1]:8080").await;
    assert_eq!(transaction.name, "OPTIONS /{*path}");
    assert_eq!(data(&transaction, "url.path"), serde_json::Value::Null);
    assert_eq!(data(&transaction, "server.address"), "::1");
    assert_eq!(data(&transaction, "server.port"), 8080);
    let url = transaction.request.unwrap().url.unwrap();
    assert_eq!(url, "http://[::1]:8080");
    url.parse::<http::Uri>().unwrap();

    // Without a host that could be one, there is none.
    for host in ["", "a b", "<script>"] {
        let head = format!("OPTIONS * HTTP/1.1\r\nhost: {host}");
        let transaction = one(address, &sent, &head).await;
        assert_eq!(transaction.request.unwrap().url, None, "{host}");
    }
}

/// A service that is no router.
fn files()
-> impl tower::Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ Sync
+ 'static {
    service_fn(async |request: Request<Body>| {
        let found = request.uri().path().ends_with(".css");
        let status = if found {
            StatusCode::OK
        } else {
            StatusCode::NOT_FOUND
        };
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status;
        Ok::<_, Infallible>(response)
    })
}

#[tokio::test]
async fn scanners_make_no_names() {
    let deeper = Router::new()
        .nest_service("/files", files())
        .route("/{id}", any(async || ""));
    let routes = Router::new()
        .route("/items/{id}", any(async || ""))
        .nest_service("/assets", files())
        .nest("/shops/{shop}", deeper)
        .fallback(async || StatusCode::NOT_FOUND);
    let (address, sent) = start(options(), routes).await;
    let table = [
        ("/items/7", "GET /items/{id}"),
        ("/assets/a.css", "GET /assets/{*path}"),
        ("/assets/wp-admin/7", "GET /assets/{*path}"),
        ("/shops/3/7", "GET /shops/{shop}/{id}"),
        ("/shops/3/files/a.css", "GET /shops/{shop}/files/{*path}"),
        ("/.env", "GET /{*path}"),
        ("/wp-admin/7", "GET /{*path}"),
    ];
    for (path, name) in table {
        let transaction = one(address, &sent, &format!("GET {path} HTTP/1.1\r\nhost: a")).await;
        assert_eq!(transaction.name, name);
        assert_eq!(transaction.info.source, TransactionSource::Route);
        // What was asked for is on the transaction all the same.
        assert_eq!(data(&transaction, "url.path"), path);
        let url = transaction.request.unwrap().url.unwrap();
        assert_eq!(url, format!("http://a{path}"));
    }
}

#[tokio::test]
async fn a_layer_on_a_nested_router_sees_what_the_client_has_sent() {
    let (client, sent) = taskspan::test::client(options());
    let layer = || taskspan::axum::server_layer().with_client(&client);
    let api = Router::new()
        .route("/items/{id}", any(async || ""))
        .nest_service("/files", files())
        .fallback(async || StatusCode::NOT_FOUND)
        .layer(layer());
    let static_files = ServiceBuilder::new().layer(layer()).service(files());
    let app = Router::new()
        .nest("/api/{version}", api)
        .nest_service("/assets", static_files);
    let address = serve(app).await;
    let table = [
        ("/api/1/items/7?page=2", "GET /api/{version}/items/{id}"),
        ("/api/1/files/a.css", "GET /api/{version}/files/{*path}"),
        ("/api/1/none/7", "GET /api/{version}/{*path}"),
        ("/assets/a.css", "GET /assets/{*path}"),
    ];
    for (path, name) in table {
        let transaction = one(address, &sent, &format!("GET {path} HTTP/1.1\r\nhost: a")).await;
        assert_eq!(transaction.name, name);
        let route = name.trim_start_matches("GET ");
        assert_eq!(data(&transaction, "http.route"), route);
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        assert_eq!(data(&transaction, "url.path"), path);
        let request = transaction.request.unwrap();
        assert_eq!(request.url, Some(format!("http://a{path}")));
        assert_eq!(request.query_string.unwrap_or_default(), query);
    }
}

/// Around a router it knows no routes, and what is found is named by its path.
#[tokio::test]
async fn without_routes_only_what_is_not_found_has_one_name() {
    let (client, sent) = taskspan::test::client(options());
    let service = ServiceBuilder::new()
        .layer(ServerLayer::new().with_client(&client))
        .service(files());
    let table = [
        ("/a.css", "GET /a.css", TransactionSource::Url),
        (
            "/a;jsessionid=S/b.css",
            "GET /a;jsessionid=[Filtered]/b.css",
            TransactionSource::Url,
        ),
        ("/wp-admin", "GET /{*path}", TransactionSource::Route),
    ];
    for (path, name, source) in table {
        let request = Request::get(path).body(Body::empty()).unwrap();
        service.clone().oneshot(request).await.unwrap();
        let transaction = sent.take().remove(0);
        assert_eq!(transaction.name, name);
        assert_eq!(transaction.info.source, source);
    }
}
