//! Traces that run through services with another SDK: `sentry-sdk` for Python.
//!
//! Its integrations for WSGI and for Python's own HTTP client read and write the headers.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![allow(clippy::print_stdout, reason = "a test that fails says in which case")]

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
/// The variable that makes the test of this name a child process.
const CHILD: &str = "INTEROP_TEST_CHILD";
const PREFIX: &str = "sentry-";
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

    /// Checks that this is what it says of a trace that begins in it and that it decided about by
    /// this rate, if by any. The random number may be there or not.
    #[track_caller]
    fn assert_says(&self, sampling_context: &Members, call: &Call, rate: Option<&str>) {
        let mut says = members([
            ("trace_id", &call.trace_id().to_string()),
            ("public_key", self.name),
            ("release", &self.release()),
            ("environment", &self.environment()),
        ]);
        if let Some(rate) = rate {
            let sampled = (call.flag() == Some("1")).to_string();
            says.extend(members([
                ("sample_rate", rate),
                ("sampled", &sampled),
                ("transaction", NAME),
            ]));
        }
        let mut others = sampling_context.clone();
        if let Some(rand) = others.remove("sample_rand") {
            let decimals = rand.strip_prefix("0.").unwrap();
            assert!(decimals.len() == 6 && decimals.parse::<u32>().is_ok());
        }
        assert_eq!(others, says);
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

    /// Sentry's members of `baggage`.
    fn sampling_context(&self) -> Members {
        let mut context = Members::new();
        for member in self.members().filter(|member| member.starts_with(PREFIX)) {
            let (name, value) = member[PREFIX.len()..].split_once('=').unwrap();
            let value = percent_decode_str(value).decode_utf8().unwrap();
            let same = context.insert(name.to_owned(), value.into_owned());
            assert_eq!(same, None, "{:?}", self.baggage);
        }
        context
    }

    /// The other members of `baggage`, as they came.
    fn of_others(&self) -> String {
        let others = self.members().filter(|member| !member.starts_with(PREFIX));
        others.collect::<Vec<_>>().join(",")
    }

    fn members(&self) -> impl Iterator<Item = &str> {
        let baggage = self.baggage.as_deref().unwrap_or_default();
        baggage.split(',').filter(|member| !member.is_empty())
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
async fn call_in_new_trace(client: &Client, url: &str, next: &str) -> Vec<Call> {
    async { get(url, next).in_span("http.client", "GET").await }
        .in_transaction("task", NAME)
        .with_client(client)
        .await
}

fn members<const N: usize>(members: [(&str, &str); N]) -> Members {
    Members::from(members.map(|(name, value)| (name.to_owned(), value.to_owned())))
}

fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

/// Checks that programs, each of which called the next, were in one trace and that
/// whatever they reported lies below the span that made the call.
#[track_caller]
fn assert_one_trace(calls: &[Call], reported: &[Reported]) {
    let trace_id = calls[0].trace_id();
    assert!(calls.iter().all(|call| call.trace_id() == trace_id));
    for (number, reported) in reported.iter().enumerate() {
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
            // A request has a span of its own. A child process is started by the root.
            let mut spans = transaction.spans.iter();
            let request = spans.find(|span| span.op == "http.client");
            let caller = request.map_or(transaction.span_id, |span| span.span_id);
            assert_eq!(caller, call.span_id());
        }
    }
}

#[track_caller]
fn assert_all_are(sampling_contexts: &[Members], expected: &Members) {
    for sampling_context in sampling_contexts {
        assert_eq!(sampling_context, expected);
    }
}

/// Three programs, each of which calls the next.
async fn programs() -> [Program; 3] {
    let [head, middle, tail] = ["head", "middle", "tail"].map(Program::new);
    let (head, middle, tail) = join!(head, middle, tail);
    [head, middle, tail]
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
        let [head, middle, tail] = programs().await;
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
        assert_one_trace(&calls, &reported);
        let [of_head, of_middle, of_tail] = reported;
        assert_eq!(calls[1].flag(), flag);
        assert_eq!(of_head.transaction.is_some(), rate == Some(1.0));
        if rate.is_none() {
            // There is no span: the message and the call come from the same place.
            assert_eq!(of_head.message.unwrap().span_id, calls[0].span_id());
        }
        assert_eq!(of_middle.transaction.is_some(), records);
        // Its own rate is 1.
        assert!(of_tail.message.is_some());
        assert_eq!(of_tail.transaction.is_some(), flag != Some("0"));

        let mut expected = calls[0].sampling_context();
        let rate_there = rate.map(|rate| format!("{rate:?}"));
        head.assert_says(&expected, &calls[0], rate_there.as_deref());
        assert_all_are(&of_head.sampling_contexts, &expected);
        if rate.is_none() {
            // `sentry-sdk` leaves the random number out, which is the same from here on.
            let rand = &calls[1].sampling_context()["sample_rand"];
            expected.extend(members([("sample_rand", rand)]));
            if let Some(flag) = flag {
                let sampled = (flag == "1").to_string();
                expected.extend(members([("sample_rate", flag), ("sampled", &sampled)]));
            }
        }
        assert_eq!(calls[1].sampling_context(), expected);
        assert_all_are(&of_middle.sampling_contexts, &expected);
        if flag.is_none() {
            expected.extend(members([("sample_rate", "1.0")]));
        }
        assert_all_are(&of_tail.sampling_contexts, &expected);
    }
}

#[tokio::test]
async fn a_trace_runs_from_rust_through_python_to_rust() {
    let mut second = Python::start().await;
    // The rates of the three, the flag that the last is called with, and whether it records. Without
    // a rate `sentry-sdk` passes no flag on, which leaves the decision to the last.
    for (rates, flag, records) in [
        ([Some(NEARLY_ONE), Some(1.0), Some(0.0)], Some("1"), true),
        ([Some(NEARLY_ONE), Some(0.0), Some(0.0)], Some("1"), true),
        ([Some(NEARLY_ONE), None, Some(NEARLY_ONE)], None, true),
        ([Some(0.0), Some(1.0), Some(1.0)], Some("0"), false),
        ([Some(0.0), Some(0.0), Some(1.0)], Some("0"), false),
        ([Some(0.0), None, Some(0.0)], None, false),
        ([None, Some(1.0), Some(0.0)], Some("1"), true),
        ([None, Some(0.0), Some(1.0)], Some("0"), false),
        ([None, None, Some(1.0)], None, true),
    ] {
        println!("{rates:?}");
        let [head, middle, tail] = programs().await;
        let client = Client::new(head.in_rust(rates[0])).unwrap();
        second.ask::<()>("init", middle.in_python(rates[1])).await;
        let last = Client::new(tail.in_rust(rates[2])).unwrap();
        let service = Rust::start(&last).await;
        let calls = call_in_new_trace(&client, &second.url, &service.url).await;
        let calls: [Call; 2] = calls.try_into().unwrap();
        second.ask::<()>("flush", json!({})).await;
        join!(client.close(SOON), last.close(SOON));

        let reported = [&head, &middle, &tail].map(Program::reported);
        assert_one_trace(&calls, &reported);
        let [of_head, of_middle, of_tail] = reported;
        assert_eq!(calls[1].flag(), flag);
        assert_eq!(of_head.transaction.is_some(), rates[0] == Some(NEARLY_ONE));
        assert_eq!(of_middle.transaction.is_some(), flag == Some("1"));
        assert_eq!(of_tail.transaction.is_some(), records);

        let mut expected = calls[0].sampling_context();
        let rate = rates[0].map(|rate| rate.to_string());
        head.assert_says(&expected, &calls[0], rate.as_deref());
        assert_all_are(&of_head.sampling_contexts, &expected);
        if let (None, Some(rate)) = (rates[0], rates[1]) {
            expected.extend(members([("sample_rate", &*format!("{rate:?}"))]));
        }
        assert_all_are(&of_middle.sampling_contexts, &expected);
        let call = &calls[1];
        let incoming = IncomingTrace::new(call.sentry_trace.as_deref(), call.baggage.as_deref());
        let incoming = incoming.sampling_context().unwrap();
        let incoming = incoming
            .iter()
            .map(|(name, value)| (name.into(), value.into()));
        assert_eq!(Members::from_iter(incoming), expected);
        if flag.is_none() && rates[0].is_none() {
            expected.extend(members([("sample_rate", "1"), ("sampled", "true")]));
        }
        assert_all_are(&of_tail.sampling_contexts, &expected);
    }
}

#[tokio::test]
async fn baggage_of_others_goes_no_further_than_one_call() {
    let [head, middle, tail] = programs().await;
    let (mut first, mut last) = join!(Python::start(), Python::start());
    first.ask::<()>("init", head.in_python(None)).await;
    last.ask::<()>("init", tail.in_python(None)).await;
    let client = Client::new(middle.in_rust(None)).unwrap();
    let service = Rust::start(&client).await;

    let headers = json!({ "x-next": last.url, "baggage": VENDOR });
    let arguments = json!({ "url": service.url, "headers": headers, "name": NAME });
    let calls: [Call; 2] = first.ask("call", arguments).await;
    assert_eq!(calls.each_ref().map(Call::of_others), [VENDOR, MINE]);

    // `sentry-sdk` does not pass it on either.
    let calls = call_in_new_trace(&client, &last.url, &service.url).await;
    assert_eq!(calls[0].of_others(), MINE);
    assert_eq!(calls[1].of_others(), "");
}

#[tokio::test]
async fn a_child_process_in_python_continues_the_trace() {
    for rate in [Some(NEARLY_ONE), Some(0.0), None] {
        let [parent, child, _] = programs().await;
        let client = Client::new(parent.in_rust(rate)).unwrap();
        let (mut process, trace) = async {
            let trace = taskspan::outgoing_trace().unwrap();
            (Python::start_with(trace.env()).await, trace)
        }
        .in_transaction("task", NAME)
        .with_client(&client)
        .await;
        // It calls `sentry_sdk.init` and then reports something, no more.
        let options = child.in_python(Some(1.0));
        process.ask::<()>("init", options).await;
        process.ask::<()>("message", json!({})).await;
        client.close(SOON).await;

        let call = Call {
            sentry_trace: Some(trace.sentry_trace()),
            baggage: trace.baggage().map(str::to_owned),
        };
        let reported = [&parent, &child].map(Program::reported);
        assert!(reported[1].message.is_some());
        for reported in &reported {
            assert_all_are(&reported.sampling_contexts, &call.sampling_context());
        }
        assert_one_trace(&[call], &reported);
    }
}

#[tokio::test]
async fn a_child_process_of_python_continues_the_trace() {
    // Variables cannot be set where other threads may read them, so this test runs itself.
    if std::env::var_os(CHILD).is_some() {
        return run_as_a_child().await;
    }
    let mut process = Python::start().await;
    for (rate, flag) in [(Some(1.0), Some("1")), (Some(0.0), Some("0")), (None, None)] {
        let [parent, child, _] = programs().await;
        process.ask::<()>("init", parent.in_python(rate)).await;
        let arguments = json!({
            "arguments": [
                std::env::current_exe().unwrap(),
                "--exact",
                "a_child_process_of_python_continues_the_trace",
            ],
            "variables": { CHILD: "", "SENTRY_DSN": child.dsn() },
        });
        let (code, output, call): (i32, String, Call) = process.ask("run", arguments).await;
        assert!(code == 0 && output.contains("1 passed"), "{output}");
        assert_eq!(call.flag(), flag);

        let reported = [&parent, &child].map(Program::reported);
        let [of_parent, of_child] = &reported;
        assert_eq!(of_parent.message.as_ref().unwrap().span_id, call.span_id());
        let mut expected = call.sampling_context();
        assert_all_are(&of_parent.sampling_contexts, &expected);
        // Its own rate is 1.
        assert_eq!(of_child.transaction.is_some(), flag != Some("0"));
        if flag.is_none() {
            let rand = &of_child.sampling_contexts[0]["sample_rand"];
            expected.extend(members([
                ("sample_rand", rand),
                ("sample_rate", "1"),
                ("sampled", "true"),
            ]));
        }
        assert_all_are(&of_child.sampling_contexts, &expected);
        assert_one_trace(&[call], &reported);
    }
}

async fn run_as_a_child() {
    let options = Options::from_env().traces_sample_rate(1.0);
    let client = taskspan::init(options).unwrap();
    let parent = Call {
        sentry_trace: std::env::var("SENTRY_TRACE").ok(),
        baggage: None,
    };
    let here = Call {
        sentry_trace: Some(taskspan::outgoing_trace().unwrap().sentry_trace()),
        baggage: None,
    };
    assert_eq!(here.trace_id(), parent.trace_id());
    assert_eq!(here.flag(), parent.flag());
    async {}.in_transaction("task", "child").await;
    assert_eq!(client.close(SOON).await.transactions.pending, 0);
}

/// Two organisations, and whether a trace of the first goes on in the second, and whether it does
/// where only that is allowed which is certain.
const ORGANISATIONS: [(Option<u64>, Option<u64>, [bool; 2]); 5] = [
    (Some(17), Some(17), [true, true]),
    (None, Some(17), [true, false]),
    (Some(17), None, [true, false]),
    (None, None, [true, true]),
    (Some(17), Some(18), [false, false]),
];

#[tokio::test]
async fn both_continue_the_traces_of_the_same_organisations() {
    let mut python = Python::start().await;
    for (theirs, ours, continues) in ORGANISATIONS {
        for (strict, continues) in [false, true].into_iter().zip(continues) {
            let in_python = |program: &Program, org_id: Option<u64>| {
                let mut options = program.in_python(Some(1.0));
                options["org_id"] = json!(org_id.map(|id| id.to_string()));
                options["strict_trace_continuation"] = json!(strict);
                options
            };
            let in_rust = |program: &Program, org_id: Option<u64>| {
                let options = program.in_rust(Some(1.0)).strict_trace_continuation(strict);
                Client::new(match org_id {
                    Some(id) => options.org_id(id),
                    None => options,
                })
                .unwrap()
            };

            let [caller, called, _] = programs().await;
            python.ask::<()>("init", in_python(&caller, theirs)).await;
            let client = in_rust(&called, ours);
            let service = Rust::start(&client).await;
            let arguments = json!({ "url": service.url, "headers": {}, "name": NAME });
            let [call]: [Call; 1] = python.ask("call", arguments).await;
            client.close(SOON).await;
            assert_continued(&call, (&caller, theirs), (&called, ours), continues);

            let [caller, called, _] = programs().await;
            python.ask::<()>("init", in_python(&called, ours)).await;
            let client = in_rust(&caller, theirs);
            let calls = call_in_new_trace(&client, &python.url, "").await;
            python.ask::<()>("flush", json!({})).await;
            assert_continued(&calls[0], (&caller, theirs), (&called, ours), continues);
        }
    }
}

/// Checks whether a program was in the trace of its caller, or in a new one. Each is given with its
/// organisation.
#[track_caller]
fn assert_continued(
    call: &Call,
    caller: (&Program, Option<u64>),
    called: (&Program, Option<u64>),
    continues: bool,
) {
    let transaction = called.0.reported().transaction.unwrap();
    assert_eq!(transaction.trace_id == call.trace_id(), continues);
    let parent = continues.then(|| call.span_id());
    assert_eq!(transaction.parent_span_id, parent);
    let (head, org_id) = if continues { caller } else { called };
    let context = &transaction.sampling_context;
    assert_eq!(context["public_key"], head.name);
    let org_id = org_id.map(|id| id.to_string());
    assert_eq!(context.get("org_id"), org_id.as_ref());
}
