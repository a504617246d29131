//! Requests of reqwest's client, as spans.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![allow(dead_code, reason = "not all that is shared is used here")]

#[path = "support/recorded.rs"]
mod recorded;
#[path = "support/http.rs"]
mod support;
#[path = "support/upstream.rs"]
mod upstream;

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use http::{Method, StatusCode};
use reqwest::redirect::Policy;
use reqwest::{Response, Result};
use serde_json::json;
use taskspan::protocol::Span;
use taskspan::reqwest::{Client, redirects};
use taskspan::test::Sent;
use taskspan::{Instrument, Options};
use tokio::time::timeout;

use crate::recorded::{only, recorded, status};
use crate::upstream::{OUTCOMES, Read, Upstream};

fn client_with(options: Options) -> (taskspan::Client, Sent) {
    taskspan::test::client(options)
}

/// Reads so much of a response.
async fn read(response: Response, read: Read) -> Result<Bytes> {
    let mut response = response;
    match read {
        Read::All => response.bytes().await,
        Read::Half => Ok(response.chunk().await?.unwrap()),
        Read::Nothing => Ok(Bytes::new()),
    }
}

/// The transaction of some work.
fn code(span: &Span) -> u64 {
    let code = span.data.get("http.response.status_code").cloned();
    code.and_then(|code| code.as_u64()).unwrap_or_default()
}

#[tokio::test]
async fn spans_end_as_their_responses_do() {
    let upstream = Upstream::start().await;
    let http = Client::new();
    for (path, how, expected) in OUTCOMES {
        let url = upstream.url(path);
        let (result, transaction) = recorded(async {
            let response = http.get(&url).send().await?;
            read(response, how).await
        })
        .await;
        let span = only(&transaction);
        assert_eq!(status(span), expected, "{path} {how:?} {result:?}");
        assert_eq!(
            result.is_err(),
            ["/broken", "/hang-up"].contains(&path),
            "{path}"
        );
        assert_eq!(span.op, "http.client");
        assert_eq!(span.origin, "auto.http.reqwest");
        assert_eq!(span.description, format!("GET {url}"));
    }
}

#[tokio::test]
async fn a_response_is_what_it_would_be_without_spans() {
    let upstream = Upstream::start().await;
    let url = upstream.url("/status/404?limit=3#top");
    let plain = reqwest::get(&url).await.unwrap();
    let (response, _) = recorded(Client::new().get(&url).send()).await;
    let response = response.unwrap();
    assert_eq!(response.url(), plain.url());
    assert_eq!(response.status(), plain.status());
    assert_eq!(response.version(), plain.version());
    assert_eq!(response.content_length(), plain.content_length());
    assert_eq!(response.remote_addr(), plain.remote_addr());
    let names = |response: &Response| response.headers().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&response), names(&plain));
    let error = response.error_for_status_ref().unwrap_err();
    assert_eq!(error.status(), Some(StatusCode::NOT_FOUND));
    assert_eq!(error.url(), Some(plain.url()));
    assert_eq!(response.text().await.unwrap(), "answer");
}

#[tokio::test]
async fn errors_are_those_of_reqwest() {
    let upstream = Upstream::start().await;
    let http = Client::new();
    let soon = Duration::from_millis(20);

    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let refused = format!("http://{}/", free.local_addr().unwrap());
    drop(free);
    let (result, transaction) = recorded(http.get(&refused).send()).await;
    assert!(result.unwrap_err().is_connect());
    assert_eq!(status(only(&transaction)), "internal_error");

    let silent = http.get(upstream.url("/silent")).timeout(soon).send();
    let (result, transaction) = recorded(silent).await;
    assert!(result.unwrap_err().is_timeout());
    assert_eq!(status(only(&transaction)), "internal_error");

    let (result, transaction) = recorded(async {
        let stuck = http.get(upstream.url("/stuck")).timeout(soon);
        stuck.send().await.unwrap().bytes().await
    })
    .await;
    assert!(
        result.unwrap_err().is_timeout(),
        "also while the body is read"
    );
    assert_eq!(status(only(&transaction)), "internal_error");

    let given_up = timeout(soon, http.get(upstream.url("/silent")).send());
    let (result, transaction) = recorded(given_up).await;
    assert!(result.is_err());
    assert_eq!(status(only(&transaction)), "cancelled");

    let (result, transaction) = recorded(http.get("no url").send()).await;
    assert!(result.unwrap_err().is_builder());
    assert!(transaction.spans.is_empty(), "nothing was requested");

    let (result, transaction) = recorded(async {
        let response = http.get(upstream.url("/stream")).send().await.unwrap();
        response.json::<u32>().await
    })
    .await;
    assert!(result.unwrap_err().is_decode());
    assert_eq!(status(only(&transaction)), "ok");
}

#[tokio::test]
async fn requests_are_built_as_with_reqwest() {
    let upstream = Upstream::start().await;
    let http = Client::new();
    let url = upstream.url("/items");
    let requests = [
        http.post(&url).json(&json!({"limit": 3})),
        http.put(&url).form(&[("limit", "3")]),
        http.patch(&url).body("limit"),
        http.delete(&url).query(&[("token", "hidden")]),
        http.head(&url).header("x-limit", "3"),
        http.request(Method::OPTIONS, &url)
            .basic_auth("anna", Some("hidden")),
        http.get(&url).map(|request| request.bearer_auth("hidden")),
    ];
    let ((), transaction) = recorded(async {
        for request in requests {
            let copy = request.try_clone().unwrap().build().unwrap();
            request.send().await.unwrap().bytes().await.unwrap();
            http.execute(copy).await.unwrap().bytes().await.unwrap();
        }
    })
    .await;
    let received = upstream.received();
    let methods: Vec<_> = received.iter().map(|one| one.method.as_str()).collect();
    let sent = ["POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "GET"];
    assert_eq!(methods, sent.map(|one| [one, one]).concat());
    for (span, received) in transaction.spans.iter().zip(&received) {
        assert_eq!(span.description, format!("{} {url}", received.method));
        let header = received.header("sentry-trace").unwrap();
        assert!(header.contains(&span.span_id.to_string()), "{header}");
    }
    assert_eq!(received[0].body, r#"{"limit":3}"#);
    let size = transaction.spans[0]
        .data
        .get("http.request.body.size")
        .cloned();
    assert_eq!(size, Some(11.into()));
    let query = transaction.spans[6].data.get("url.query").cloned();
    assert_eq!(query, Some("token=[Filtered]".into()));
    let text = serde_json::to_string(&transaction).unwrap();
    assert!(!text.contains("hidden"), "{text}");
}

#[tokio::test]
async fn each_redirect_is_a_span() {
    let upstream = Upstream::start().await;
    let http = Client::new();
    // status code, method, what it becomes
    let table = [
        (301, Method::GET, Method::GET),
        (301, Method::POST, Method::GET),
        (302, Method::PUT, Method::PUT),
        (303, Method::PUT, Method::GET),
        (303, Method::HEAD, Method::HEAD),
        (307, Method::POST, Method::POST),
        (308, Method::DELETE, Method::DELETE),
    ];
    for (redirect, method, becomes) in table {
        let before = upstream.received().len();
        let url = upstream.url(&format!("/redirect/{redirect}/2"));
        let (response, transaction) = recorded(async {
            let response = http
                .request(method.clone(), &url)
                .body("body")
                .send()
                .await?;
            let url = response.url().clone();
            response.bytes().await.map(|body| (url, body))
        })
        .await;
        let (end, body) = response.unwrap();
        assert_eq!(end.path(), "/end");
        assert_eq!(body, if becomes == Method::HEAD { "" } else { "found" });

        let sent = [method.clone(), becomes.clone(), becomes];
        let requests = upstream.received().split_off(before);
        let methods: Vec<_> = requests.iter().map(|one| one.method.clone()).collect();
        assert_eq!(methods, sent, "{redirect} {method}");
        let told: Vec<_> = transaction
            .spans
            .iter()
            .map(|span| &*span.description)
            .collect();
        let paths = [
            format!("/redirect/{redirect}/2"),
            format!("/redirect/{redirect}/1"),
            "/end".into(),
        ];
        let expected: Vec<_> = sent
            .iter()
            .zip(paths)
            .map(|(method, path)| format!("{method} {}", upstream.url(&path)))
            .collect();
        assert_eq!(told, expected);
        let codes: Vec<_> = transaction.spans.iter().map(code).collect();
        assert_eq!(codes, [redirect, redirect, 200]);
        let counts = transaction
            .spans
            .iter()
            .map(|span| span.data.get("http.request.resend_count").cloned());
        assert_eq!(
            counts.collect::<Vec<_>>(),
            [None, Some(1.into()), Some(2.into())]
        );
        for pair in transaction.spans.windows(2) {
            assert!(pair[0].timestamp <= pair[1].start_timestamp);
            assert_eq!(pair[0].parent_span_id, pair[1].parent_span_id);
        }
        assert!(transaction.spans.iter().all(|span| status(span) == "ok"));
        let text = serde_json::to_string(&transaction).unwrap();
        assert!(!text.contains("hidden"), "{text}");
    }
}

#[tokio::test]
async fn a_policy_decides_as_before() {
    let upstream = Upstream::start().await;
    let url = upstream.url("/redirect/302/3");
    let build = |policy| {
        let client = reqwest::Client::builder().redirect(policy);
        Client::from(client.build().unwrap())
    };

    let (result, transaction) =
        recorded(build(redirects(Policy::limited(1))).get(&url).send()).await;
    assert!(result.unwrap_err().is_redirect());
    let ended: Vec<_> = transaction.spans.iter().map(status).collect();
    assert_eq!(ended, ["ok", "internal_error"]);

    let (response, transaction) = recorded(async {
        let response = build(redirects(Policy::none()))
            .get(&url)
            .send()
            .await
            .unwrap();
        let status = response.status();
        (status, response.text().await.unwrap())
    })
    .await;
    assert_eq!(response, (StatusCode::FOUND, "it is elsewhere".to_owned()));
    assert_eq!(code(only(&transaction)), 302);

    // Without it all of them are one span.
    let (_, transaction) = recorded(async {
        let response = build(Policy::default()).get(&url).send().await.unwrap();
        response.bytes().await.unwrap();
    })
    .await;
    assert_eq!(code(only(&transaction)), 200);

    // Outside of any transaction it only decides.
    let response = build(redirects(Policy::default()))
        .get(&url)
        .send()
        .await
        .unwrap();
    assert_eq!(response.url().path(), "/end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_requests_keep_to_their_spans() {
    let upstream = Upstream::start().await;
    let (client, sent) = client_with(Options::disabled().traces_sample_rate(1.0));
    let http = Client::new();
    let all = (0..100).map(|value: u32| {
        let request = http.get(upstream.url("/echo")).header("x-value", value);
        async { request.send().await.unwrap().text().await.unwrap() }
            .in_transaction("task", value.to_string())
            .with_client(&client)
    });
    let answers = join_all(all).await;
    let transactions = sent.take();
    for (value, answer) in answers.iter().enumerate() {
        let value = value.to_string();
        let mut named = transactions.iter().filter(|one| one.name == value);
        let transaction = named.next().unwrap();
        let trace_id = transaction.contexts.trace.trace_id;
        let span_id = only(transaction).span_id;
        assert_eq!(*answer, format!("{value} {trace_id}-{span_id}-1"));
    }
}

#[tokio::test]
async fn the_trace_goes_along_whatever_is_recorded() {
    let upstream = Upstream::start().await;
    let host = upstream.address.to_string();
    let options = Options::disabled;
    // options, what the header ends with, if it is sent
    let table = [
        (options().traces_sample_rate(1.0), Some("-1")),
        (options().traces_sample_rate(0.0), Some("-0")),
        (options(), Some("")),
        (
            options().trace_propagation_targets([host.as_str()]),
            Some(""),
        ),
        (options().trace_propagation_targets(["other.example"]), None),
    ];
    for (options, expected) in table {
        let (client, _) = client_with(options);
        Client::new()
            .get(upstream.url("/stream"))
            .header("baggage", "vendor=1")
            .send()
            .in_transaction("task", "a")
            .with_client(&client)
            .await
            .unwrap();
        let received = upstream.received().pop().unwrap();
        let header = received.header("sentry-trace");
        assert_eq!(header.is_some(), expected.is_some(), "{header:?}");
        assert!(
            header.is_none_or(|header| header.ends_with(expected.unwrap())),
            "{header:?}"
        );
        let baggage = received.header("baggage").unwrap();
        assert!(baggage.starts_with("vendor=1"), "{baggage}");
        assert_eq!(baggage.contains("sentry-"), expected.is_some(), "{baggage}");
    }
    assert!(Client::new().as_ref().get("http://a/").build().is_ok());
}

#[tokio::test]
async fn a_request_in_another_task_stays_with_its_span() {
    let upstream = Upstream::start().await;
    let (_, transaction) = recorded(async {
        let sending = taskspan::reqwest::get(upstream.url("/stream"));
        taskspan::spawn(async move { sending.await.unwrap().bytes().await })
            .await
            .unwrap()
            .unwrap();
        let sending = Client::new().get(upstream.url("/redirect/302/1")).send();
        // Tokio's own function knows nothing of the transaction.
        tokio::spawn(async move { sending.await.unwrap().bytes().await })
            .await
            .unwrap()
            .unwrap();
    })
    .await;
    let ended: Vec<_> = transaction
        .spans
        .iter()
        .map(|span| (code(span), status(span)))
        .collect();
    assert_eq!(ended, [(200, "ok"), (302, "ok"), (200, "ok")]);
}
