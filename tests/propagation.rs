//! Traces that come in from elsewhere, and what others are told of ours.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::{BTreeMap, HashMap};
use std::future::ready;

use futures_util::FutureExt;
use http::HeaderMap;
use taskspan::protocol::DynamicSamplingContext;
use taskspan::test::Sent;
use taskspan::{
    Client, IncomingTrace, Instrument, Options, OutgoingTrace, TraceCarrier, TransactionSource,
    continue_trace, outgoing_trace, outgoing_trace_to, start_new_trace, transaction,
};

const DSN: &str = "https://0123456789abcdef0123456789abcdef@o17.ingest.de.sentry.io/4501";
const TRACE: &str = "3f0c2a9be41d4f7c9a60b1d2c3e4f506";
const SPAN: &str = "b7e4a1930c5d2f68";
/// A raw path must not be told to others.
const URL: TransactionSource = TransactionSource::Url;
const ROUTE: TransactionSource = TransactionSource::Route;

fn options() -> Options {
    let options = Options::new(DSN).unwrap();
    options.release("shop@2.3.1").environment("staging")
}

fn sampling(rate: Option<f64>) -> Options {
    match rate {
        Some(rate) => options().traces_sample_rate(rate),
        None => options(),
    }
}

/// Runs something under a client for tests.
fn run<R>(options: Options, work: impl FnOnce() -> R) -> (R, Sent) {
    let (client, sent) = taskspan::test::client(options);
    (under(&client, work), sent)
}

fn under<R>(client: &Client, work: impl FnOnce() -> R) -> R {
    let work = async { work() };
    work.with_client(client).now_or_never().unwrap()
}

fn incoming(flag: &str, baggage: Option<&str>) -> IncomingTrace {
    IncomingTrace::new(Some(&format!("{TRACE}-{SPAN}{flag}")), baggage)
}

/// Trace, span and flag.
fn parts(trace: &OutgoingTrace) -> (String, String, String) {
    let header = trace.sentry_trace();
    (
        header[..32].into(),
        header[33..49].into(),
        header[49..].into(),
    )
}

fn flag(trace: &OutgoingTrace) -> String {
    parts(trace).2
}

fn members(trace: &OutgoingTrace) -> BTreeMap<String, String> {
    let incoming = IncomingTrace::new(Some(&format!("{}-{SPAN}", parts(trace).0)), trace.baggage());
    incoming.sampling_context().map(as_map).unwrap_or_default()
}

fn as_map(context: &DynamicSamplingContext) -> BTreeMap<String, String> {
    let members = context.iter();
    members
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}

fn map<const N: usize>(members: [(&str, &str); N]) -> BTreeMap<String, String> {
    members
        .map(|(name, value)| (name.into(), value.into()))
        .into()
}

/// The `trace` header of the envelope of the only transaction.
fn envelope_context(sent: &Sent) -> BTreeMap<String, String> {
    let transactions = sent.transactions();
    assert_eq!(transactions.len(), 1);
    as_map(transactions[0].sampling_context.as_ref().unwrap())
}

#[test]
fn decisions_follow_the_matrix_of_the_protocol() {
    let none = IncomingTrace::default;
    // what comes in, rate, whether it is sent, which flag goes out
    let table = [
        (none(), None, false, ""),
        (none(), Some(0.0), false, "-0"),
        (none(), Some(1.0), true, "-1"),
        (incoming("", None), None, false, ""),
        (incoming("", None), Some(0.0), false, "-0"),
        (incoming("", None), Some(1.0), true, "-1"),
        (incoming("-1", None), None, false, "-1"),
        (incoming("-1", None), Some(0.0), true, "-1"),
        (incoming("-1", None), Some(1.0), true, "-1"),
        (incoming("-0", None), None, false, "-0"),
        (incoming("-0", None), Some(0.0), false, "-0"),
        (incoming("-0", None), Some(1.0), false, "-0"),
    ];
    for (incoming, rate, is_sent, expected) in table {
        let case = format!("{:?} {rate:?}", incoming.sampled());
        let (out, sent) = run(sampling(rate), || {
            let handle = transaction("task", "t").continue_trace(&incoming);
            handle.in_scope(|_| outgoing_trace().unwrap())
        });
        assert_eq!(flag(&out), expected, "{case}");
        assert_eq!(sent.transactions().len(), usize::from(is_sent), "{case}");
        if let Some(trace_id) = incoming.trace_id() {
            assert_eq!(parts(&out).0, trace_id.to_string(), "{case}");
        }
        if let [transaction] = &sent.transactions()[..] {
            let context = &transaction.contexts.trace;
            assert_eq!(context.parent_span_id, incoming.parent_span_id(), "{case}");
            assert_eq!(context.trace_id.to_string(), parts(&out).0);
            assert_eq!(context.span_id.to_string(), parts(&out).1);
        }
    }
}

#[test]
fn the_head_tells_all_it_knows() {
    let (out, sent) = run(sampling(Some(1.0)), || {
        let t = transaction("http.server", "GET /cart/{id}").source(ROUTE);
        t.in_scope(|_| outgoing_trace().unwrap())
    });
    let rand = members(&out)["sample_rand"].clone();
    assert_eq!(rand.len(), 8, "{rand}");
    assert!(rand.parse::<f64>().unwrap() < 1.0);
    let expected = format!(
        "sentry-trace_id={},sentry-public_key=0123456789abcdef0123456789abcdef,sentry-sample_rate=1,\
         sentry-sample_rand={rand},sentry-sampled=true,sentry-release=shop%402.3.1,\
         sentry-environment=staging,sentry-org_id=17,sentry-transaction=GET%20%2Fcart%2F%7Bid%7D",
        parts(&out).0,
    );
    assert_eq!(out.baggage(), Some(&*expected));
    assert_eq!(envelope_context(&sent), members(&out));
}

#[test]
fn the_random_number_is_one_for_the_trace_and_decides() {
    for _ in 0..200 {
        let (out, sent) = run(sampling(Some(0.5)), || {
            transaction("task", "t").in_scope(|_| outgoing_trace().unwrap())
        });
        let members = members(&out);
        let rand: f64 = members["sample_rand"].parse().unwrap();
        assert_eq!(members["sampled"], (rand < 0.5).to_string());
        assert_eq!(flag(&out), if rand < 0.5 { "-1" } else { "-0" });
        assert_eq!(sent.transactions().len(), usize::from(rand < 0.5));
    }
}

#[test]
fn what_is_told_is_settled_when_it_first_leaves() {
    // It leaves in an envelope: late names are in there.
    let (_, sent) = run(sampling(Some(1.0)), || {
        let url = transaction("http.server", "GET /cart/7").source(URL);
        url.in_scope(|t| {
            t.set_name("GET /cart/{id}");
            t.set_source(ROUTE);
        });
    });
    assert_eq!(envelope_context(&sent)["transaction"], "GET /cart/{id}");

    // It leaves in a request: nothing changes it any more.
    let (outs, sent) = run(sampling(Some(1.0)), || {
        transaction("http.server", "GET /cart/{id}").in_scope(|t| {
            let first = outgoing_trace().unwrap();
            t.set_name("GET /basket/{id}");
            [
                first,
                outgoing_trace().unwrap(),
                t.outgoing_trace().unwrap(),
            ]
        })
    });
    assert_eq!(sent.transactions()[0].name, "GET /basket/{id}");
    assert_eq!(envelope_context(&sent)["transaction"], "GET /cart/{id}");
    for out in outs {
        assert_eq!(members(&out), envelope_context(&sent));
    }

    // A raw URL is not told, nor is a name that comes too late.
    let (outs, _) = run(sampling(Some(0.0)), || {
        transaction("http.server", "GET /cart/7")
            .source(URL)
            .in_scope(|t| {
                let first = outgoing_trace().unwrap();
                t.set_name("GET /cart/{id}");
                [first, outgoing_trace().unwrap()]
            })
    });
    for out in outs {
        assert_eq!(members(&out).get("transaction"), None);
    }
    // Names are told where nothing is recorded, late ones too.
    let (out, _) = run(sampling(Some(0.0)), || {
        transaction("http.server", "GET /cart/7")
            .source(URL)
            .in_scope(|t| {
                t.set_name("GET /cart/{id}");
                // Not that of a span that stands for the root.
                taskspan::span("a", "b").in_scope(|span| span.set_name("no"));
                taskspan::current_span().unwrap().set_name("no");
                outgoing_trace().unwrap()
            })
    });
    assert_eq!(members(&out)["transaction"], "GET /cart/{id}");
}

#[test]
fn what_came_in_goes_on_as_it_came() {
    let own = [
        ("environment", "staging"),
        ("org_id", "17"),
        ("public_key", "0123456789abcdef0123456789abcdef"),
        ("release", "shop@2.3.1"),
    ];
    let theirs = format!(
        "sentry-trace_id={TRACE},sentry-public_key=f,sentry-sample_rate=0.25,sentry-sample_rand=0.1042110000000001,sentry-release=web%401,sentry-made_up=%C3%A9"
    );
    let with = |more: &str| format!("{theirs}{more}");
    // flag, baggage, rate, baggage that goes out
    let table = [
        (
            "-1",
            Some(with(",vendor=1")),
            Some(1.0),
            Some(theirs.clone()),
        ),
        (
            "-1",
            Some(with(",sentry-sampled=true")),
            Some(0.0),
            Some(with(",sentry-sampled=true")),
        ),
        ("-0", Some(with("")), Some(1.0), Some(theirs.clone())),
        ("-1", Some(with("")), None, Some(theirs.clone())),
        ("", Some(with("")), None, Some(theirs.clone())),
        // A decision that was left open and is made here.
        (
            "",
            Some(with("")),
            Some(1.0),
            Some(theirs.replace("0.25", "1") + ",sentry-sampled=true"),
        ),
        (
            "",
            Some(with("")),
            Some(0.0),
            Some(theirs.replace("0.25", "0") + ",sentry-sampled=false"),
        ),
        // Nothing of Sentry's came along.
        ("-1", Some("vendor=1".into()), Some(1.0), None),
        ("-1", None, Some(1.0), None),
        ("", None, None, None),
        // That of another trace is none.
        (
            "-1",
            Some(format!(
                "sentry-trace_id={},sentry-release=1",
                TRACE.replace('3', "4")
            )),
            Some(1.0),
            None,
        ),
    ];
    for (flag, baggage, rate, expected) in table {
        let case = format!("{flag} {baggage:?} {rate:?}");
        let incoming = incoming(flag, baggage.as_deref());
        let (out, sent) = run(sampling(rate), || {
            let t = transaction("task", "t").continue_trace(&incoming);
            t.in_scope(|t| {
                t.set_name("late");
                outgoing_trace().unwrap()
            })
        });
        assert_eq!(out.baggage(), expected.as_deref(), "{case}");
        if let [_] = &sent.transactions()[..] {
            let context = envelope_context(&sent);
            match expected {
                Some(_) => assert_eq!(context, members(&out), "{case}"),
                // Servers want one nevertheless.
                None => {
                    for (name, value) in own {
                        assert_eq!(context[name], value, "{case}");
                    }
                    assert_eq!(context["trace_id"], TRACE, "{case}");
                    assert_eq!(context.get("transaction"), None, "{case}");
                }
            }
        }
    }
}

#[test]
fn a_missing_random_number_is_filled_in() {
    // flag, rate, bounds of the number
    let table = [
        ("-1", "0.25", 0.0..0.25),
        ("-0", "0.25", 0.25..1.0),
        ("", "0.25", 0.0..1.0),
        ("-1", "0", 0.0..1.0),
        ("-1", "garbage", 0.0..1.0),
    ];
    for (flag, rate, bounds) in table {
        for rand in ["", ",sentry-sample_rand=1.0", ",sentry-sample_rand=x"] {
            let baggage = format!("sentry-trace_id={TRACE},sentry-sample_rate={rate}{rand}");
            let incoming = incoming(flag, Some(&baggage));
            for options in [sampling(None), sampling(Some(0.5))] {
                let (out, _) = run(options, || {
                    let t = transaction("task", "t").continue_trace(&incoming);
                    t.in_scope(|_| outgoing_trace().unwrap())
                });
                let text = members(&out)["sample_rand"].clone();
                assert_eq!(text.len(), 8, "{text}");
                assert!(
                    bounds.contains(&text.parse().unwrap()),
                    "{flag} {rate}: {text}"
                );
            }
            // Without a transaction too, and the same.
            let (outs, _) = run(sampling(None), || {
                continue_trace(&incoming, || [outgoing_trace(), outgoing_trace()])
            });
            let [first, second] = outs.map(|out| members(&out.unwrap()));
            assert!(bounds.contains(&first["sample_rand"].parse().unwrap()));
            assert_eq!(first, second);
        }
    }
}

#[test]
fn there_is_a_trace_without_performance_monitoring() {
    let expected = |out: &OutgoingTrace| {
        let members = members(out);
        let rand = members["sample_rand"].clone();
        let expected = map([
            ("trace_id", &parts(out).0),
            ("public_key", "0123456789abcdef0123456789abcdef"),
            ("sample_rand", &rand),
            ("release", "shop@2.3.1"),
            ("environment", "staging"),
            ("org_id", "17"),
        ]);
        assert_eq!(members, expected);
        assert_eq!(flag(out), "");
    };
    let (client, _) = taskspan::test::client(options());
    under(&client, || {
        // Outside of any transaction each call is in a trace of its own.
        let [first, second] = [outgoing_trace().unwrap(), outgoing_trace().unwrap()];
        expected(&first);
        expected(&second);
        assert_ne!(parts(&first).0, parts(&second).0);
        // Each transaction is in a trace of its own.
        let in_transaction = || transaction("a", "b").in_scope(|_| outgoing_trace().unwrap());
        let [third, fourth] = [in_transaction(), in_transaction()];
        expected(&third);
        let ids = [&first, &third, &fourth].map(|out| parts(out).0);
        assert!(ids[0] != ids[1] && ids[1] != ids[2], "{ids:?}");
    });
    // What came in goes on unchanged, in a scope as in a transaction.
    let baggage = "sentry-sample_rand=0.5,sentry-release=theirs";
    for flags in ["", "-0", "-1"] {
        let incoming = incoming(flags, Some(baggage));
        under(&client, || {
            continue_trace(&incoming, || {
                let out = outgoing_trace().unwrap();
                let inside = transaction("a", "b").in_scope(|_| outgoing_trace().unwrap());
                for out in [out, inside] {
                    assert_eq!((parts(&out).0.as_str(), &*flag(&out)), (TRACE, flags));
                    assert_ne!(parts(&out).1, SPAN);
                    assert_eq!(out.baggage(), Some(baggage));
                }
            });
        });
    }
}

#[test]
fn without_a_client_nothing_goes_out() {
    let incoming = incoming("-1", None);
    let nothing = || {
        assert!(outgoing_trace().is_none());
        assert!(outgoing_trace_to("https://api.example").is_none());
        continue_trace(&incoming, || assert!(outgoing_trace().is_none()));
        start_new_trace(|| assert!(outgoing_trace().is_none()));
        let t = transaction("a", "b").continue_trace(&incoming);
        t.in_scope(|t| assert!(t.outgoing_trace().is_none()));
    };
    nothing();
    let disabled = Client::new(Options::disabled().traces_sample_rate(1.0)).unwrap();
    under(&disabled, nothing);
}

#[tokio::test]
async fn a_future_continues_a_trace_wherever_it_runs() {
    let (client, sent) = taskspan::test::client(sampling(Some(0.0)));
    let work = async {
        let here = outgoing_trace().unwrap();
        let there = taskspan::spawn(async { outgoing_trace().unwrap() });
        let there = there.await.unwrap();
        assert_eq!(here.sentry_trace(), there.sentry_trace());
        // It is left for another, and gone back to.
        let new = async { parts(&outgoing_trace().unwrap()).0 };
        assert_ne!(new.start_new_trace().await, TRACE);
        ready(()).in_transaction("task", "first").await;
        ready(()).in_transaction("task", "second").await;
        parts(&outgoing_trace().unwrap()).0
    };
    let incoming = incoming("-1", None);
    let found = work.continue_trace(&incoming).with_client(&client).await;
    assert_eq!(found, TRACE);
    let transactions = sent.transactions();
    let names: Vec<_> = transactions.iter().map(|t| t.name.as_ref()).collect();
    assert_eq!(names, ["first", "second"]);
    for transaction in transactions {
        let context = transaction.contexts.trace;
        assert_eq!(context.trace_id.to_string(), TRACE);
        assert_eq!(context.parent_span_id.unwrap().to_string(), SPAN);
    }
}

#[test]
fn transactions_of_one_new_trace_belong_together() {
    let (trace_id, sent) = run(sampling(Some(1.0)), || {
        transaction("task", "around").in_scope(|_| {
            start_new_trace(|| {
                transaction("task", "first").in_scope(|_| ());
                transaction("task", "second").in_scope(|_| ());
                parts(&outgoing_trace().unwrap()).0
            })
        })
    });
    let transactions = sent.transactions();
    let of = |name| transactions.iter().find(|t| t.name == name).unwrap();
    for name in ["first", "second"] {
        assert_eq!(of(name).contexts.trace.trace_id.to_string(), trace_id);
        assert_eq!(of(name).contexts.trace.parent_span_id, None);
        let told = of(name).sampling_context.as_ref().unwrap();
        assert_eq!(told.get("transaction").unwrap(), name);
    }
    assert_ne!(of("around").contexts.trace.trace_id.to_string(), trace_id);
}

#[test]
fn a_transaction_inside_of_another_tells_the_same() {
    let ((outer, inner, own), sent) = run(sampling(Some(1.0)), || {
        transaction("task", "outer").in_scope(|_| {
            let inner = || outgoing_trace().unwrap();
            let nested = transaction("task", "inner").in_scope(|_| inner());
            let decided = transaction("task", "decided").sampled(false);
            let own = decided.in_scope(|_| inner());
            (outgoing_trace().unwrap(), nested, own)
        })
    });
    assert_eq!(outer.baggage(), inner.baggage());
    assert_eq!(parts(&outer).0, parts(&inner).0);
    assert_ne!(parts(&outer).1, parts(&inner).1);
    for transaction in sent.transactions() {
        assert_eq!(
            as_map(&transaction.sampling_context.unwrap()),
            members(&outer)
        );
    }
    // A decision of its own is told as such, with the trace's random number.
    let members = [members(&outer), members(&own)];
    assert_eq!(members[1]["sample_rate"], "0");
    assert_eq!(members[1]["sampled"], "false");
    assert_eq!(members[0]["sample_rand"], members[1]["sample_rand"]);
    assert_eq!(flag(&own), "-0");
}

#[test]
fn the_span_that_calls_is_named() {
    let (_, sent) = run(sampling(Some(1.0)), || {
        transaction("task", "t").in_scope(|t| {
            let id = |out: Option<OutgoingTrace>| parts(&out.unwrap()).1;
            let root = t.span_id().unwrap().to_string();
            assert_eq!(id(outgoing_trace()), root);
            taskspan::span("http.client", "GET /").in_scope(|span| {
                let own = span.span_id().unwrap().to_string();
                assert_ne!(own, root);
                assert_eq!(id(outgoing_trace()), own);
                assert_eq!(id(outgoing_trace_to("https://api.example")), own);
                assert_eq!(id(t.outgoing_trace()), root);
            });
            let handle = t.start_child("http.client", "POST /");
            assert_eq!(
                id(handle.outgoing_trace()),
                handle.span_id().unwrap().to_string()
            );
        });
    });
    assert_eq!(sent.transactions()[0].spans.len(), 2);
}

#[test]
fn organisations_keep_their_traces_apart() {
    // theirs, strict, whether the trace goes on
    let table = [
        (Some("17"), false, true),
        (None, false, true),
        (Some("18"), false, false),
        (Some("17"), true, true),
        (None, true, false),
        (Some("18"), true, false),
    ];
    for (org_id, strict, goes_on) in table {
        let baggage = org_id.map(|id| format!("sentry-release=theirs,sentry-org_id={id}"));
        let incoming = incoming("-1", baggage.as_deref());
        let options = sampling(Some(0.0)).strict_trace_continuation(strict);
        let (out, sent) = run(options, || {
            let t = transaction("task", "t").continue_trace(&incoming);
            t.in_scope(|_| outgoing_trace().unwrap())
        });
        // Otherwise it is as if nothing had come in.
        assert_eq!(parts(&out).0 == TRACE, goes_on, "{org_id:?} {strict}");
        assert_eq!(sent.transactions().len(), usize::from(goes_on));
        if !goes_on {
            assert_eq!(members(&out)["release"], "shop@2.3.1");
        }
    }
    // The option wins over the DSN.
    let strict = sampling(Some(0.0))
        .strict_trace_continuation(true)
        .org_id(18);
    let incoming = incoming("-1", Some("sentry-org_id=18"));
    let (_, sent) = run(strict, || {
        transaction("task", "t")
            .continue_trace(&incoming)
            .in_scope(|_| ());
    });
    assert_eq!(sent.transactions().len(), 1);
}

#[test]
fn only_targets_are_told() {
    let targets = ["https://api.example/", "internal"];
    let options = sampling(Some(1.0)).trace_propagation_targets(targets);
    let (_, _) = run(options, || {
        transaction("task", "t").in_scope(|_| {
            assert!(outgoing_trace_to("https://api.example/items").is_some());
            assert!(outgoing_trace_to("http://internal:80/").is_some());
            assert!(outgoing_trace_to("https://other.example/").is_none());
            // Messages have no URL.
            assert!(outgoing_trace().is_some());
        });
    });
    let nobody = sampling(Some(1.0)).trace_propagation_targets([""; 0]);
    let incoming = incoming("-1", None);
    let (_, sent) = run(nobody, || {
        let t = transaction("task", "t").continue_trace(&incoming);
        t.in_scope(|t| assert!(t.outgoing_trace_to("https://api.example/").is_none()));
    });
    assert_eq!(
        sent.transactions()[0].contexts.trace.trace_id.to_string(),
        TRACE
    );
    let (_, _) = run(sampling(None), || {
        assert!(outgoing_trace_to("https://o17.ingest.de.sentry.io/api/1/").is_none());
        assert!(outgoing_trace_to("https://sentry.io/").is_some());
    });
}

#[test]
fn traceparent_is_sent_and_read_on_request() {
    let mut headers = HashMap::from([("traceparent".to_owned(), format!("00-{TRACE}-{SPAN}-01"))]);
    let trace_id = |options: Options, headers: &HashMap<String, String>| {
        let incoming = IncomingTrace::from_carrier(headers);
        let (out, _) = run(options, || {
            let t = transaction("task", "t").continue_trace(&incoming);
            t.in_scope(|_| outgoing_trace().unwrap())
        });
        out
    };
    assert_ne!(parts(&trace_id(options(), &headers)).0, TRACE);
    let accepting = || options().accept_traceparent(true);
    let out = trace_id(accepting(), &headers);
    assert_eq!((parts(&out).0.as_str(), &*flag(&out)), (TRACE, "-1"));
    assert_eq!((out.baggage(), out.traceparent()), (None, None));
    // `sentry-trace` wins.
    let other = TRACE.replace('3', "4");
    headers.set("sentry-trace", &format!("{other}-{SPAN}-0"));
    assert_eq!(parts(&trace_id(accepting(), &headers)).0, other);

    for (rate, flag) in [(Some(1.0), "01"), (Some(0.0), "00"), (None, "00")] {
        let (out, _) = run(sampling(rate).propagate_traceparent(true), || {
            transaction("task", "t").in_scope(|_| outgoing_trace().unwrap())
        });
        let (trace_id, span_id, _) = parts(&out);
        let expected = format!("00-{trace_id}-{span_id}-{flag}");
        assert_eq!(out.traceparent(), Some(expected.clone()));
        let mut headers = HeaderMap::new();
        out.inject(&mut headers);
        assert_eq!(headers["traceparent"], expected.as_str());
        assert_eq!(headers.len(), 3);
    }
}

#[test]
fn baggage_of_others_is_kept_on_requests_and_not_copied_from_them() {
    let mut arrived = HeaderMap::new();
    arrived.insert("sentry-trace", format!("{TRACE}-{SPAN}-1").parse().unwrap());
    arrived.append("baggage", "vendor=1,sentry-release=theirs".parse().unwrap());
    arrived.append("baggage", "other=2;p=3".parse().unwrap());
    let incoming = IncomingTrace::from_carrier(&arrived);
    let (headers, _) = run(sampling(Some(1.0)), || {
        let t = transaction("task", "t").continue_trace(&incoming);
        t.in_scope(|_| {
            let mut headers = HeaderMap::new();
            headers.append("baggage", "mine=1;p=1,sentry-release=old".parse().unwrap());
            headers.append("Baggage", "more=%zz".parse().unwrap());
            headers.insert("sentry-trace", "old".parse().unwrap());
            outgoing_trace().unwrap().inject(&mut headers);
            headers
        })
    });
    let baggage: Vec<_> = headers.get_all("baggage").iter().collect();
    let [baggage] = baggage[..] else {
        panic!("{baggage:?}")
    };
    let text = baggage.to_str().unwrap();
    let rand = "sentry-sample_rand=0.";
    let (before, after) = text.split_once(rand).unwrap();
    assert_eq!(before, "mine=1;p=1,more=%zz,sentry-release=theirs,");
    assert_eq!(after.len(), 6);
    assert_eq!(headers.get_all("sentry-trace").iter().count(), 1);
}

#[test]
fn garbage_is_a_new_trace() {
    let garbage = [
        "",
        "1",
        "-",
        &TRACE.to_uppercase(),
        &format!("{TRACE}-{SPAN}-2"),
        "é",
    ];
    for header in garbage {
        for baggage in [
            None,
            Some("sentry-trace_id=1"),
            Some("sentry-release=theirs,=,;,%"),
        ] {
            let incoming = IncomingTrace::new(Some(header), baggage);
            assert_eq!(incoming.trace_id(), None);
            assert!(incoming.sampling_context().is_none());
            let (out, sent) = run(sampling(Some(1.0)), || {
                let t = transaction("task", "t").continue_trace(&incoming);
                t.in_scope(|_| outgoing_trace().unwrap())
            });
            assert_eq!(members(&out)["release"], "shop@2.3.1");
            assert_eq!(sent.transactions()[0].contexts.trace.parent_span_id, None);
        }
    }
}
