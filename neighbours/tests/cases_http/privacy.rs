//! What is secret stays here, wherever it stands in a request.

use axum::Router;
use axum::response::Redirect;
use axum::routing::{any, get, post};
use http::Request;
use http_body_util::Full;
use taskspan::{Instrument, Options};

use super::{one, options, start, text};
use crate::support::{data, send, serve, transactions};

const SECRET: &str = "s3cr3t-v4lue";

/// Ways for a presigned URL to say who may read it.
const PRESIGNED: [&str; 7] = [
    "X-Amz-Signature",
    "X-Amz-Credential",
    "X-Amz-Security-Token",
    "X-Goog-Signature",
    "AWSAccessKeyId",
    "Signature",
    "sig",
];

fn presigned(before: &str) -> String {
    let pairs: Vec<_> = PRESIGNED
        .iter()
        .map(|name| format!("{name}={SECRET}"))
        .collect();
    format!("{before}?X-Amz-Date=20260101T000000Z&{}", pairs.join("&"))
}

#[tokio::test]
async fn no_secret_of_a_request_is_sent() {
    let routes = Router::new().route("/items/{id}", any(async || ""));
    for personal in [false, true] {
        let options = options().send_default_pii(personal);
        let (address, sent) = start(options, routes.clone()).await;
        let target = presigned("/items/7");
        let head = format!(
            "GET {target} HTTP/1.1\r\n\
             host: user:{SECRET}@shop.example:8080\r\n\
             referer: https://u:{SECRET}@h/reset?token={SECRET}\r\n\
             x-original-url: /x?token={SECRET}\r\n\
             x-rewrite-url: {target}\r\n\
             x-callback: https://h/?next=%2Fx%3Ftoken%3D{SECRET}\r\n\
             x-hub-signature-256: {SECRET}\r\n\
             x-proxy: Bearer {SECRET}\r\n\
             user-agent: bot (https://h/?key={SECRET})\r\n\
             cookie: =; =x; a=b; connect.sid={SECRET}; back=https://u:{SECRET}@h/"
        );
        let transaction = one(address, &sent, &head).await;
        let all = text(&transaction);
        assert!(!all.contains(SECRET), "{all}");
        assert_eq!(data(&transaction, "server.address"), "shop.example");
        let request = transaction.request.unwrap();
        let url = "http://[Filtered]:[Filtered]@shop.example:8080/items/7";
        assert_eq!(request.url.as_deref(), Some(url));
        assert_eq!(
            request.headers["host"],
            "[Filtered]:[Filtered]@shop.example:8080"
        );
        assert_eq!(
            request.headers["referer"],
            "https://[Filtered]:[Filtered]@h/reset?token=[Filtered]"
        );
        assert_eq!(request.headers["x-original-url"], "/x?token=[Filtered]");
        let query = request.query_string.unwrap();
        assert!(query.starts_with("X-Amz-Date=20260101T000000Z&X-Amz-Signature=[Filtered]&"));
        let cookies: Vec<_> = request.cookies.iter().collect();
        let cookies: Vec<_> = cookies
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        let expected = [
            ("a", "b"),
            ("back", "https://[Filtered]:[Filtered]@h/"),
            ("connect.sid", "[Filtered]"),
        ];
        assert_eq!(cookies, if personal { expected.to_vec() } else { vec![] });
    }
}

#[tokio::test]
async fn no_secret_of_a_body_is_sent() {
    let options = options().send_default_pii(true);
    let routes = Router::new().route("/", post(async |_: String| ""));
    let (address, sent) = start(options, routes).await;
    let bodies = [
        (
            "application/json",
            format!(r#"{{"link":"{}"}}"#, presigned("https://h/")),
        ),
        (
            "application/x-www-form-urlencoded",
            format!("a=1&sig={SECRET}&back=%3Ftoken%3D{SECRET}"),
        ),
    ];
    for (kind, body) in bodies {
        let request = Request::post(format!("http://{address}/")).header("content-type", kind);
        send(request.body(Full::from(body)).unwrap()).await;
        let transaction = transactions(&sent, 1).await.remove(0);
        let told = data(&transaction, "http.request.body.data");
        assert!(told.as_str().unwrap().contains("[Filtered]"), "{told}");
        assert!(!text(&transaction).contains(SECRET), "{told}");
    }
}

/// Of a client, of one behind `tower`, and of where redirects lead.
#[tokio::test]
async fn no_secret_of_an_outgoing_request_is_sent() {
    let app = Router::new().route("/file", any(async || "content")).route(
        "/moved",
        get(async || Redirect::temporary(&presigned("/file"))),
    );
    let address = serve(app).await;
    let (client, sent) = taskspan::test::client(options());
    let work = async {
        let http = taskspan::reqwest::Client::new();
        for url in [
            presigned(&format!("http://{address}/file")),
            format!("http://u:{SECRET}@{address}/moved"),
        ] {
            http.get(url).send().await.unwrap().text().await.unwrap();
        }
    };
    work.in_transaction("task", "work")
        .with_client(&client)
        .await;
    let transaction = sent.take().remove(0);
    assert_eq!(transaction.spans.len(), 3);
    let all = text(&transaction);
    assert!(!all.contains(SECRET), "{all}");
    let queries = transaction
        .spans
        .iter()
        .filter_map(|span| span.data.get("url.query"));
    let signed = queries.filter(|query| query.as_str().unwrap().contains("sig=[Filtered]"));
    assert_eq!(signed.count(), 2);
}

#[tokio::test]
async fn arguments_of_programs_have_no_secrets() {
    use taskspan::process::TraceCommand;

    let (client, sent) = taskspan::test::client(
        Options::default()
            .traces_sample_rate(1.0)
            .send_default_pii(true),
    );
    let work = async {
        let mut command = tokio::process::Command::new("true");
        command.args(["--token", SECRET, &presigned("https://h/a")]);
        command.traced().output().await.unwrap();
    };
    work.in_transaction("task", "work")
        .with_client(&client)
        .await;
    let all = text(&sent.take()[0]);
    assert!(
        all.contains("process.command_args") && !all.contains(SECRET),
        "{all}"
    );
}
