//! Traces that run through services with another SDK: `sentry-sdk` for Python.
//!
//! Its integrations for WSGI and for Python's own HTTP client read and write the headers.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioIo};
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use taskspan::local::{ReceivedTransaction, Receiver};
use taskspan::{Client, IncomingTrace, Instrument, Options, SpanId, TraceId};
use tokio::join;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::timeout;

#[path = "support/python.rs"]
mod python;

use self::python::Python;

const SOON: Duration = Duration::from_secs(20);
const NAME: &str = "GET /cart/{id}";
/// What programs that call others have put into `baggage` themselves.
const VENDOR: &str = "vendor=1;p=2";
const MINE: &str = "mine=2;q=3";
/// Above each random number there may be, which have six decimals.
const NEARLY_ONE: f64 = 0.999_999_9;

type Members = BTreeMap<String, String>;

/// A program by what tells it apart from others, and where it reports to.
struct Program {
    name: &'static str,
    receiver: Receiver,
}

impl Program {
    async fn new(name: &'static str) -> Self {
        let receiver = Receiver::start().await.unwrap();
        Self { name, receiver }
    }

    fn dsn(&self) -> String {
        format!("http://{}@{}/1", self.name, self.receiver.local_addr())
    }

    fn release(&self) -> String {
        format!("{}@2.3.1 ü,x=1", self.name)
    }

    fn environment(&self) -> String {
        format!("{},100%;größer", self.name)
    }

    fn in_rust(&self, rate: Option<f64>) -> Options {
        let options = Options::new(&self.dsn()).unwrap().http_proxy("");
        let options = options
            .release(self.release())
            .environment(self.environment());
        match rate {
            Some(rate) => options.traces_sample_rate(rate),
            None => options,
        }
    }

    fn in_python(&self, rate: Option<f64>) -> Value {
        json!({
            "dsn": self.dsn(),
            "release": self.release(),
            "environment": self.environment(),
            "traces_sample_rate": rate,
        })
    }

    /// What this program says of a trace that begins in it.
    fn says(&self, decision: Option<(&str, &str)>) -> Members {
        let mut says = vec![
            ("public_key", self.name.to_owned()),
            ("release", self.release()),
            ("environment", self.environment()),
        ];
        if let Some((rate, sampled)) = decision {
            says.push(("sample_rate", rate.to_owned()));
            says.push(("sampled", sampled.to_owned()));
            says.push(("transaction", NAME.to_owned()));
        }
        let says = says.into_iter();
        says.map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// What it has reported, after all of it has arrived.
    fn reported(&self) -> Reported {
        assert_eq!(self.receiver.refusals(), []);
        let mut reported = Reported::default();
        for delivery in self.receiver.deliveries() {
            let envelope = &delivery.envelope;
            let Some(trace) = envelope.headers.get("trace") else {
                continue;
            };
            reported.sampling_contexts.push(read(trace.clone()));
            for item in envelope.items.iter().filter(|item| item.kind() == "event") {
                let event: Value = serde_json::from_slice(&item.payload).unwrap();
                reported.message = Some(read(event["contexts"]["trace"].clone()));
            }
            reported.transaction = delivery.transaction.clone().or(reported.transaction);
        }
        reported
    }
}

/// What has arrived from one program.
#[derive(Debug, Default)]
struct Reported {
    /// The headers `trace` of all its envelopes.
    sampling_contexts: Vec<Members>,
    /// Where it was when it sent a message, which is not subject to sampling.
    message: Option<Position>,
    transaction: Option<Arc<ReceivedTransaction>>,
}

/// A place in a trace, as events have it.
#[derive(Debug, Deserialize)]
struct Position {
    trace_id: TraceId,
    span_id: SpanId,
    parent_span_id: Option<SpanId>,
}

/// The headers with which a service was called.
#[derive(Debug, Deserialize, Serialize)]
struct Call {
    sentry_trace: Option<String>,
    baggage: Option<String>,
}

impl Call {
    fn read(headers: &HeaderMap) -> Self {
        let read = |name| {
            let values = headers.get_all(name).iter().map(|it| it.to_str().unwrap());
            let values: Vec<_> = values.collect();
            (!values.is_empty()).then(|| values.join(","))
        };
        Self {
            sentry_trace: read("sentry-trace"),
            baggage: read("baggage"),
        }
    }

    fn part(&self, number: usize) -> Option<&str> {
        self.sentry_trace.as_ref()?.split('-').nth(number)
    }

    fn trace_id(&self) -> TraceId {
        self.part(0).unwrap().parse().unwrap()
    }

    fn span_id(&self) -> SpanId {
        self.part(1).unwrap().parse().unwrap()
    }

    fn flag(&self) -> Option<&str> {
        self.part(2)
    }

    /// The members of `baggage`, decoded, by whether they are Sentry's.
    fn members(&self, sentrys: bool) -> Vec<(String, String)> {
        let baggage = self.baggage.as_deref().unwrap_or_default();
        let members = baggage.split(',').filter(|member| !member.is_empty());
        members
            .map(|member| member.split_once('=').unwrap())
            .filter(|(name, _)| name.starts_with("sentry-") == sentrys)
            .map(|(name, value)| {
                let value = percent_decode_str(value).decode_utf8().unwrap();
                (name.trim_start_matches("sentry-").to_owned(), value.into())
            })
            .collect()
    }

    fn sampling_context(&self) -> Members {
        let members = self.members(true);
        let count = members.len();
        let members = Members::from_iter(members);
        assert_eq!(members.len(), count, "{:?}", self.baggage);
        members
    }
}

/// A service in Rust that runs until it is dropped.
struct Rust {
    url: String,
    _server: JoinSet<()>,
}

impl Rust {
    async fn start(client: &Client) -> Self {
        let client = client.clone();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let mut server = JoinSet::new();
        server.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let service = service_fn(|request| answer(request, &client));
                http1::Builder::new()
                    .keep_alive(false)
                    .serve_connection(TokioIo::new(stream), service)
                    .await
                    .unwrap();
            }
        });
        Self {
            url,
            _server: server,
        }
    }
}

/// Answers with the headers that came in here, and at those that are called from here.
async fn answer(
    request: Request<Incoming>,
    client: &Client,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let headers = request.headers();
    let mut calls = vec![Call::read(headers)];
    let next = headers.get("x-next").map(|url| url.to_str().unwrap());
    async {
        if let Some(url) = next {
            calls.extend(get(url, "").in_span("http.client", "GET next").await);
        }
    }
    .in_transaction("http.server", "GET /")
    .continue_trace(&IncomingTrace::from_carrier(headers))
    .with_client(client)
    .await;
    Ok(Response::new(Full::from(
        serde_json::to_vec(&calls).unwrap(),
    )))
}

/// Calls a service, which calls another one if that is not empty.
async fn get(url: &str, next: &str) -> Vec<Call> {
    let request = Request::get(url).header("baggage", MINE);
    let request = match next {
        "" => request,
        _ => request.header("x-next", next),
    };
    let mut request = request.body(Empty::<Bytes>::new()).unwrap();
    if let Some(trace) = taskspan::outgoing_trace_to(url) {
        trace.inject(request.headers_mut());
    }
    let client = legacy::Client::builder(TokioExecutor::new()).build_http();
    let response = timeout(SOON, client.request(request)).await.unwrap();
    let body = response.unwrap().into_body().collect().await.unwrap();
    serde_json::from_slice(&body.to_bytes()).unwrap()
}

/// Calls a service in a new trace that begins in Rust.
async fn call(client: &Client, url: &str, next: &str) -> Vec<Call> {
    async { get(url, next).in_span("http.client", "GET").await }
        .in_transaction("task", NAME)
        .with_client(client)
        .await
}

fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

/// Checks that three programs, of which each called the next, were in one trace and
/// that whatever they reported lies below the span that made the call.
#[track_caller]
fn assert_one_trace(calls: &[Call; 2], reported: [&Reported; 3]) {
    let trace_id = calls[0].trace_id();
    assert_eq!(calls[1].trace_id(), trace_id);
    for (number, reported) in reported.into_iter().enumerate() {
        let parent = number.checked_sub(1).map(|before| calls[before].span_id());
        if let Some(message) = &reported.message {
            assert_eq!(message.trace_id, trace_id);
            assert_eq!(message.parent_span_id, parent);
        }
        let Some(transaction) = &reported.transaction else {
            continue;
        };
        assert_eq!(transaction.trace_id, trace_id);
        assert_eq!(transaction.parent_span_id, parent);
        if let Some(call) = calls.get(number) {
            let mut spans = transaction.spans.iter();
            let span = spans.find(|span| span.op == "http.client").unwrap();
            assert_eq!(span.span_id, call.span_id());
        }
    }
}

#[track_caller]
fn assert_sampling_context(reported: &Reported, expected: &Members) {
    for context in &reported.sampling_contexts {
        assert_eq!(context, expected);
    }
}

/// How a service in Rust decides.
#[derive(Clone, Copy, Debug)]
enum Decides {
    ByRate(Option<f64>),
    /// As the caller did, or else by a rate of 1.
    ByInheritance,
}

#[tokio::test]
async fn a_trace_runs_from_python_through_rust_to_python() {
    use Decides::{ByInheritance, ByRate};

    let (mut first, mut last) = join!(Python::start(), Python::start());
    // The rate of the first, how the second decides, the flag that the last is called with, and
    // whether the second records.
    for (rate, decides, flag, records) in [
        (Some(1.0), ByRate(None), Some("1"), false),
        (Some(1.0), ByRate(Some(0.0)), Some("1"), true),
        (Some(1.0), ByRate(Some(1.0)), Some("1"), true),
        (Some(1.0), ByInheritance, Some("1"), true),
        (Some(0.0), ByRate(None), Some("0"), false),
        (Some(0.0), ByRate(Some(0.0)), Some("0"), false),
        (Some(0.0), ByRate(Some(1.0)), Some("0"), false),
        (Some(0.0), ByInheritance, Some("0"), false),
        (None, ByRate(None), None, false),
        (None, ByRate(Some(0.0)), Some("0"), false),
        (None, ByRate(Some(1.0)), Some("1"), true),
        (None, ByInheritance, Some("1"), true),
    ] {
        println!("{rate:?} {decides:?}");
        let (head, middle, tail) = (
            Program::new("head").await,
            Program::new("middle").await,
            Program::new("tail").await,
        );
        first.ask::<()>("init", head.in_python(rate)).await;
        last.ask::<()>("init", tail.in_python(Some(1.0))).await;
        let client = Client::new(match decides {
            ByRate(rate) => middle.in_rust(rate),
            ByInheritance => middle
                .in_rust(None)
                .traces_sampler(|context| context.inherit_or_sample_with(1.0)),
        });
        let client = client.unwrap();
        let service = Rust::start(&client).await;
        let headers = json!({ "x-next": last.url, "baggage": VENDOR });
        let arguments = json!({ "url": service.url, "headers": headers, "name": NAME });
        let calls: [Call; 2] = first.ask("call", arguments).await;
        last.ask::<()>("flush", json!({})).await;
        client.close(SOON).await;

        let reported = [&head, &middle, &tail].map(Program::reported);
        let [of_head, of_middle, of_tail] = &reported;
        assert_one_trace(&calls, [of_head, of_middle, of_tail]);
        assert_eq!(
            calls[0].flag(),
            rate.map(|rate| if rate > 0.0 { "1" } else { "0" })
        );
        assert_eq!(calls[1].flag(), flag);
        assert_eq!(of_head.transaction.is_some(), rate == Some(1.0));
        assert_eq!(of_middle.transaction.is_some(), records);
        // Its own rate is 1.
        assert_eq!(of_tail.transaction.is_some(), flag != Some("0"));

        let mut sampling_context = calls[0].sampling_context();
        assert_sampling_context(of_head, &sampling_context);
        let mut says = head.says(match calls[0].flag() {
            Some("1") => Some(("1.0", "true")),
            Some(_) => Some(("0.0", "false")),
            None => None,
        });
        says.insert("trace_id".to_owned(), calls[0].trace_id().to_string());
        let rand = sampling_context.get("sample_rand");
        says.extend(rand.map(|rand| ("sample_rand".to_owned(), rand.clone())));
        assert_eq!(sampling_context, says);

        if rate.is_none() {
            // The random number, which `sentry-sdk` leaves out, is the same from here on.
            let rand = calls[1].sampling_context().remove("sample_rand").unwrap();
            assert!(matches!(rand.as_bytes(), [b'0', b'.', rest @ ..] if rest.len() == 6));
            sampling_context.insert("sample_rand".to_owned(), rand);
            if let Some(flag) = flag {
                let sampled = (flag == "1").to_string();
                sampling_context.insert("sample_rate".to_owned(), flag.to_owned());
                sampling_context.insert("sampled".to_owned(), sampled);
            }
        }
        assert_eq!(calls[1].sampling_context(), sampling_context);
        assert_sampling_context(of_middle, &sampling_context);
        if flag.is_none() {
            sampling_context.insert("sample_rate".to_owned(), "1.0".to_owned());
        }
        assert_sampling_context(of_tail, &sampling_context);
    }
}
