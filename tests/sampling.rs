//! Who decides whether a transaction is recorded, and what that is told to others.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::convert::Infallible;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderValue, Response};
use http_body_util::{BodyExt, Empty};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use taskspan::local::Receiver;
use taskspan::test::Sent;
use taskspan::{
    Client, IncomingTrace, Instrument, Options, OutgoingTrace, Request, TransactionBuilder,
    TransactionSource, outgoing_trace, transaction,
};
use tokio::net::TcpListener;
use tokio::task::yield_now;

const SENTRY_TRACE: &str = "3f0c2a9be41d4f7c9a60b1d2c3e4f506-b7e4a1930c5d2f68";
const SOON: Duration = Duration::from_secs(20);

/// Runs a transaction under a client for tests.
fn run(options: Options, transaction: TransactionBuilder) -> (OutgoingTrace, Sent) {
    let (client, sent) = taskspan::test::client(options);
    (out_of(&client, transaction), sent)
}

fn out_of(client: &Client, transaction: TransactionBuilder) -> OutgoingTrace {
    let work = async { transaction.in_scope(|_| outgoing_trace().unwrap()) };
    work.with_client(client).now_or_never().unwrap()
}

fn member(out: &OutgoingTrace, name: &str) -> Option<String> {
    let incoming = IncomingTrace::new(Some(&out.sentry_trace()), out.baggage());
    Some(incoming.sampling_context()?.get(name)?.into_owned())
}

fn parent(flag: &str, rate: Option<&str>) -> IncomingTrace {
    let rate = rate.map(|rate| format!("sentry-sample_rand=0.5,sentry-sample_rate={rate}"));
    IncomingTrace::new(Some(&format!("{SENTRY_TRACE}{flag}")), rate.as_deref())
}

#[test]
fn the_first_who_has_something_to_say_decides() {
    let none = IncomingTrace::default;
    type Case = (
        Option<bool>,
        Option<f64>,
        IncomingTrace,
        Option<f64>,
        bool,
        Option<&'static str>,
    );
    // explicit, sampler, what comes in, rate, whether it is sent, the rate that is told
    let table: [Case; 14] = [
        (
            Some(true),
            Some(0.0),
            parent("-0", Some("0")),
            Some(0.0),
            true,
            Some("1"),
        ),
        (
            Some(false),
            Some(1.0),
            parent("-1", Some("1")),
            Some(1.0),
            false,
            Some("0"),
        ),
        (Some(true), None, none(), None, true, Some("1")),
        (
            None,
            Some(1.0),
            parent("-0", Some("0")),
            Some(0.0),
            true,
            Some("1"),
        ),
        (
            None,
            Some(0.0),
            parent("-1", Some("1")),
            Some(1.0),
            false,
            Some("0"),
        ),
        (None, Some(1.0), none(), None, true, Some("1")),
        (
            None,
            None,
            parent("-1", Some("0.75")),
            Some(0.0),
            true,
            Some("0.75"),
        ),
        (
            None,
            None,
            parent("-0", Some("0.25")),
            Some(1.0),
            false,
            Some("0.25"),
        ),
        (
            None,
            None,
            parent("", Some("0.25")),
            Some(1.0),
            true,
            Some("1"),
        ),
        // As the comparison has it, with the random number that came in: 0.5.
        (
            None,
            Some(0.500_000_1),
            parent("-0", Some("0")),
            None,
            true,
            Some("0.5000001"),
        ),
        (
            None,
            Some(0.5),
            parent("-1", Some("1")),
            None,
            false,
            Some("0.5"),
        ),
        (None, None, none(), Some(0.0), false, Some("0")),
        (None, None, none(), Some(1.0), true, Some("1")),
        (None, None, none(), None, false, None),
    ];
    for (explicit, sampler, incoming, rate, is_sent, told) in table {
        let case = format!("{explicit:?} {sampler:?} {:?} {rate:?}", incoming.sampled());
        let mut options = Options::disabled();
        if let Some(rate) = sampler {
            options = options.traces_sampler(move |_| rate);
        }
        if let Some(rate) = rate {
            options = options.traces_sample_rate(rate);
        }
        let mut t = transaction("task", "t").continue_trace(&incoming);
        if let Some(sampled) = explicit {
            t = t.sampled(sampled);
        }
        let (out, sent) = run(options, t);
        assert_eq!(sent.transactions().len(), usize::from(is_sent), "{case}");
        assert_eq!(member(&out, "sample_rate").as_deref(), told, "{case}");
        if told.is_some() {
            assert_eq!(out.sentry_trace().ends_with("-1"), is_sent, "{case}");
        }
    }
}

#[test]
fn the_sampler_is_told_all_that_is_known() {
    #[derive(Clone, Debug, PartialEq)]
    struct Tenant(&'static str);

    let asked = Arc::new(Mutex::new(0));
    let options = Options::disabled().traces_sampler({
        let asked = Arc::clone(&asked);
        move |context| {
            *asked.lock().unwrap() += 1;
            assert_eq!(context.name(), "GET /items/{id}");
            assert_eq!(context.op(), "http.server");
            assert_eq!(context.origin(), "auto.http.test");
            assert_eq!(context.source(), TransactionSource::Route);
            assert_eq!(context.attribute("items"), Some(&json!([1, 2])));
            assert_eq!(context.attribute("none"), None);
            assert_eq!(context.method(), Some("GET"));
            assert_eq!(context.url().unwrap(), "https://shop.example/items/7");
            assert_eq!(context.route(), Some("/items/{id}"));
            assert_eq!(context.header("user-agent"), Some("curl"));
            assert_eq!(context.header("cookie"), None);
            assert_eq!(context.custom::<Tenant>(), Some(&Tenant("acme")));
            assert_eq!(context.custom::<u8>(), None);
            assert_eq!(context.parent_sampled(), Some(true));
            assert_eq!(context.parent_sample_rate(), Some(0.75));
            1.0
        }
    });
    let request = Request {
        method: Some("GET".into()),
        url: Some("https://shop.example/items/7".into()),
        headers: [("User-Agent".to_owned(), "curl".to_owned())].into(),
        ..Request::default()
    };
    let (client, sent) = taskspan::test::client(options);
    let t = transaction("http.server", "GET /items/{id}")
        .origin("auto.http.test")
        .source(TransactionSource::Route)
        .continue_trace(&parent("-1", Some("0.75")))
        .data("items", [0])
        .data("items", [1, 2])
        .data("http.route", "/items/{id}")
        .request(request)
        .sampling_value(Tenant("acme"));
    let work = async {
        t.in_scope(|_| {
            // The root has decided for what is below.
            transaction("task", "inside").in_scope(|_| ());
            taskspan::span("a", "b").in_scope(|_| ());
        });
    };
    work.with_client(&client).now_or_never().unwrap();
    assert_eq!(*asked.lock().unwrap(), 1);
    let sent = sent.transactions();
    let outer = serde_json::to_value(&sent[1]).unwrap();
    assert_eq!(outer["request"]["method"], "GET");
    assert_eq!(outer["contexts"]["trace"]["data"]["items"], json!([1, 2]));
    assert_eq!(
        outer["contexts"]["trace"]["data"]["http.route"],
        "/items/{id}"
    );
}

#[test]
fn what_is_no_rate_is_not_sampled() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.1, 1.1] {
        let options = Options::disabled()
            .traces_sampler(move |_| bad)
            .traces_sample_rate(1.0);
        let (out, sent) = run(
            options,
            transaction("task", "t").continue_trace(&parent("-1", None)),
        );
        assert!(sent.transactions().is_empty(), "{bad}");
        assert!(out.sentry_trace().ends_with("-0"), "{bad}");
        let options = Options::disabled().traces_sample_rate(bad);
        let error = Client::new(options).unwrap_err().to_string();
        assert!(error.contains("traces_sample_rate"), "{error}");
    }
}

#[test]
fn a_sampler_that_panics_is_as_good_as_none() {
    // what comes in, rate, whether it is sent, flag
    let table = [
        (IncomingTrace::default(), Some(1.0), true, "-1"),
        (IncomingTrace::default(), Some(0.0), false, "-0"),
        (parent("-1", None), Some(0.0), true, "-1"),
        (parent("-0", None), Some(1.0), false, "-0"),
        (parent("-1", None), None, false, "-1"),
    ];
    for (incoming, rate, is_sent, flag) in table {
        let mut options = Options::disabled().traces_sampler(|_| panic!("on purpose"));
        if let Some(rate) = rate {
            options = options.traces_sample_rate(rate);
        }
        let (out, sent) = run(options, transaction("task", "t").continue_trace(&incoming));
        assert_eq!(sent.transactions().len(), usize::from(is_sent));
        assert!(out.sentry_trace().ends_with(flag), "{}", out.sentry_trace());
    }
}

#[test]
fn a_sampler_can_leave_traces_whole() {
    // what comes in, the rate that is used
    let table = [
        (parent("-1", Some("0.75")), "0.75"),
        (parent("-0", Some("0.75")), "0.75"),
        (parent("-1", Some("1.5")), "1"),
        (parent("-0", Some("garbage")), "0"),
        (parent("", Some("")), "0.125"),
    ];
    for (incoming, rate) in table {
        let options = Options::disabled().traces_sampler(|c| c.inherit_or_sample_with(0.125));
        let (out, _) = run(options, transaction("task", "t").continue_trace(&incoming));
        let told = member(&out, "sample_rate");
        assert_eq!(told.as_deref(), Some(rate));
    }
    let options = Options::disabled().traces_sampler(|c| c.inherit_or_sample_with(0.125));
    let (out, _) = run(options, transaction("task", "t"));
    assert_eq!(member(&out, "sample_rate").unwrap(), "0.125");
}

#[tokio::test]
async fn what_is_sampled_out_is_reported() {
    let receiver = Receiver::start().await.unwrap();
    let options = Options::new(&receiver.dsn()).unwrap();
    let options = options.traces_sampler(|context| f64::from(context.name() == "yes"));
    let client = Client::new(options).unwrap();
    for name in ["no", "yes", "no"] {
        out_of(&client, transaction("task", name));
    }
    out_of(&client, transaction("task", "no").sampled(false));
    let report = client.close(SOON).await;
    assert_eq!((report.transactions.accepted, report.unsampled), (1, 3));
    let counts = receiver.counts();
    assert_eq!(counts.discarded("sample_rate", "transaction"), 3);
    assert_eq!(counts.discarded("sample_rate", "span"), 3);
}

/// A server that takes everything, and wants no spans for 15 seconds after the first two requests.
async fn limited_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let requests = Arc::new(AtomicU32::new(0));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let requests = Arc::clone(&requests);
            let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                let number = requests.fetch_add(1, Ordering::Relaxed);
                async move {
                    request.collect().await.unwrap();
                    let mut response = Response::new(Empty::<Bytes>::new());
                    if number < 2 {
                        let limits = HeaderValue::from_static("15:span:key");
                        response
                            .headers_mut()
                            .insert("x-sentry-rate-limits", limits);
                    }
                    Ok::<_, Infallible>(response)
                }
            });
            let connection = hyper::server::conn::http1::Builder::new();
            tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
        }
    });
    format!("http://key@{address}/1")
}

#[tokio::test]
async fn less_is_sampled_while_it_cannot_be_delivered() {
    let options = |dsn: &str| Options::new(dsn).unwrap().traces_sample_rate(1.0);
    let dsn = limited_server().await;
    let client = Client::new(options(&dsn)).unwrap();
    let steady = Client::new(options(&dsn).enable_backpressure_handling(false)).unwrap();
    for client in [&client, &steady] {
        out_of(client, transaction("task", "first"));
        client.flush(SOON).await;
    }
    let rate_of = |client, t: TransactionBuilder| {
        let out = out_of(client, t);
        member(&out, "sample_rate").unwrap().parse::<f64>().unwrap()
    };
    let rate = |client| rate_of(client, transaction("task", "t"));
    assert_eq!(rate(&client), 1.0);

    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(10)).await;
    for _ in 0..100 {
        yield_now().await;
    }
    assert_eq!(rate(&client), 0.5);
    assert_eq!(rate(&steady), 1.0);
    // Traces that others have begun are left out too, but no decision of the program's own.
    let inherited = transaction("task", "t").continue_trace(&parent("-1", Some("0.8")));
    assert_eq!(rate_of(&client, inherited), 0.4);
    let inherited = transaction("task", "t").continue_trace(&parent("-0", Some("0.8")));
    assert_eq!(rate_of(&client, inherited), 0.8);
    assert_eq!(
        rate_of(&client, transaction("task", "t").sampled(true)),
        1.0
    );
    let before = client.stats().unsampled;
    let mut halved = Vec::new();
    for _ in 0..100 {
        let out = out_of(&client, transaction("task", "t"));
        let rand: f64 = member(&out, "sample_rand").unwrap().parse().unwrap();
        assert_eq!(out.sentry_trace().ends_with("-1"), rand < 0.5);
        halved.extend((rand >= 0.5).then_some(rand));
    }
    assert_eq!(client.stats().unsampled - before, halved.len() as u64);

    // The limit is over.
    tokio::time::advance(Duration::from_secs(10)).await;
    for _ in 0..100 {
        yield_now().await;
    }
    assert_eq!(rate(&client), 1.0);
    tokio::time::resume();
    for client in [client, steady] {
        client.close(SOON).await;
    }
}
