//! What comes of each kind of answer, and of none.

use std::sync::atomic::{AtomicBool, Ordering};

use DiscardReason::{NetworkError, RateLimitBackoff, SendError};

use super::server::{Act, OK};
use super::*;
use crate::http::{Compression, Proxy};

#[tokio::test]
async fn an_accepted_envelope_arrives_as_the_protocol_says() {
    let server = Server::start(|_| OK);
    let transport = connect(&server);
    transport.submit(fake("GET /"));
    let report = transport.close(LONG).await;
    assert_report(&report, 1, &[], 0);

    let [request] = &server.received()[..] else {
        panic!("{:?}", server.received());
    };
    let header = |name: &str| request.headers[name].as_str();
    assert_eq!(header("content-type"), "application/x-sentry-envelope");
    assert_eq!(header("content-encoding"), "gzip");
    assert_eq!(header("user-agent"), Sdk::CLIENT);
    assert_eq!(header("x-sentry-auth"), "Sentry sentry_key=k");
    assert!(request.envelope["sent_at"].is_string());
    let [(kind, payload)] = &request.items[..] else {
        panic!("{:?}", request.items);
    };
    assert_eq!(kind, "transaction");
    assert_eq!(payload["transaction"], "GET /");
    assert_eq!(payload["event_id"], request.envelope["event_id"]);
}

#[tokio::test]
async fn large_payloads_and_plain_bodies_arrive_too() {
    let server = Server::start(|_| OK);
    let mut config = config(&server);
    config.http.compression = Compression::None;
    let transport = Transport::new(config, &Handle::current());
    let mut large = fake("large".repeat(100_000));
    large.size = 500_000;
    transport.submit(large);
    transport.submit(fake("small"));
    assert_report(&transport.close(LONG).await, 2, &[], 0);
    assert!(
        !server.received()[0]
            .headers
            .contains_key("content-encoding")
    );
    assert_eq!(server.transactions().len(), 2);
}

#[tokio::test]
async fn a_refused_envelope_is_dropped_and_reported() {
    for status in [301, 400, 413, 500, 503] {
        let server = Server::start(move |number| match number {
            0 => Act::Answer(status, &[]),
            _ => OK,
        });
        let transport = connect(&server);
        transport.submit(fake("refused"));
        assert_report(&transport.flush(LONG).await, 0, &[(SendError, 1)], 0);
        let reported = server.reported();
        assert_eq!(reported["send_error transaction"], 1, "{status}");
        assert_eq!(reported["send_error span"], 3, "{status}");
        assert_eq!(server.transactions().len(), 1, "no second try");
    }
}

#[tokio::test]
async fn a_429_holds_everything_back_and_is_not_reported() {
    let server = Server::start(|_| Act::Answer(429, &[]));
    let transport = connect(&server);
    transport.submit(fake(1));
    assert_report(&transport.flush(LONG).await, 0, &[(RateLimitBackoff, 1)], 0);
    transport.submit(fake(2));
    // An own decision would be reported, but nothing at all may be sent now.
    assert_report(&transport.close(LONG).await, 0, &[(RateLimitBackoff, 2)], 0);
    assert_eq!(server.received().len(), 1);
}

#[tokio::test]
async fn a_limit_on_transactions_lets_reports_pass() {
    const LIMITS: &[(&str, &str)] = &[("X-Sentry-Rate-Limits", "60:transaction:key")];
    for status in [200, 429] {
        let server = Server::start(move |_| Act::Answer(status, LIMITS));
        let transport = connect(&server);
        transport.submit(fake(1));
        transport.flush(LONG).await;
        transport.submit(fake(2));
        let report = transport.flush(LONG).await;
        assert_eq!(report.transactions.accepted, u64::from(status == 200));
        let reported = server.reported();
        assert_eq!(reported["ratelimit_backoff transaction"], 1);
        assert_eq!(reported["ratelimit_backoff span"], 3);
        assert_eq!(server.transactions(), ["1"]);
    }
}

#[tokio::test]
async fn a_connection_that_breaks_is_tried_again_with_the_same_event() {
    let server = Server::start(|number| if number < 2 { Act::Cut } else { OK });
    let transport = connect(&server);
    transport.submit(fake(1));
    assert_report(&transport.flush(LONG).await, 1, &[], 0);
    let received = server.received();
    assert_eq!(received.len(), 3);
    let first = &received[0].envelope["event_id"];
    assert!(received.iter().all(|it| it.envelope["event_id"] == *first));
}

#[tokio::test]
async fn a_connection_that_always_breaks_is_given_up() {
    let server = Server::start(|_| Act::Cut);
    let transport = connect(&server);
    transport.submit(fake(1));
    assert_report(&transport.flush(LONG).await, 0, &[(NetworkError, 1)], 0);
    assert_eq!(server.transactions().len(), 4);
}

#[tokio::test]
async fn connections_that_the_server_closed_meanwhile_do_no_harm() {
    let server = Server::start(|_| Act::AnswerAndClose);
    let transport = connect(&server);
    for number in 1..=20 {
        transport.submit(fake(number));
        assert_report(&transport.flush(LONG).await, number, &[], 0);
    }
}

#[tokio::test]
async fn a_server_that_refuses_connections_is_waited_for() {
    // Taken and freed, so nobody listens on it now.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let endpoint = format!("http://127.0.0.1:{port}/api/42/envelope/");
    let config = Config::new(endpoint.parse().unwrap(), HeaderValue::from_static("k"));
    let transport = Transport::new(config, &Handle::current());
    for number in 0..100 {
        transport.submit(fake(number));
    }
    let report = transport.flush(Duration::from_millis(400)).await;
    assert_report(&report, 0, &[], 100);
    let server = Server::start_on(port, |_| OK);
    assert_report(&transport.close(LONG).await, 100, &[], 0);
    assert_eq!(server.transactions().len(), 100);
}

#[tokio::test]
async fn a_timeout_is_a_network_error_in_the_end() {
    let recovered = Arc::new(AtomicBool::new(false));
    let theirs = Arc::clone(&recovered);
    let server = Server::start(move |_| match theirs.load(Ordering::Relaxed) {
        false => Act::Silence,
        true => OK,
    });
    let mut config = config(&server);
    config.http.request_timeout = Duration::from_millis(20);
    let transport = Transport::new(config, &Handle::current());
    transport.submit(fake(1));
    let report = transport.flush(LONG).await;
    assert_report(&report, 0, &[(NetworkError, 1)], 0);
    recovered.store(true, Ordering::Relaxed);
    transport.submit(fake(2));
    assert_report(&transport.flush(LONG).await, 1, &[(NetworkError, 1)], 0);
    // The first report timed out, so the counts went back and into the next one. The server saw both.
    assert_eq!(server.reported()["network_error transaction"], 2);
}

#[tokio::test]
async fn many_uploads_are_in_flight_at_once() {
    let server = Server::start(|_| Act::Late(Duration::from_millis(50)));
    let transport = connect(&server);
    for number in 0..1000 {
        transport.submit(fake(number));
    }
    assert_report(&transport.flush(LONG).await, 1000, &[], 0);
    let mut names: Vec<usize> = server
        .transactions()
        .iter()
        .map(|name| name.parse().unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(names, (0..1000).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_server_that_never_speaks_tls_does_no_harm() {
    let server = Server::start(|_| OK);
    let endpoint = format!("https://{}/api/42/envelope/", server.address);
    let config = Config::new(endpoint.parse().unwrap(), HeaderValue::from_static("k"));
    let transport = Transport::new(config, &Handle::current());
    transport.submit(fake(1));
    let report = transport.close(Duration::from_millis(200)).await;
    // Where there are no certificates to load, it is dropped instead.
    assert_eq!(report.transactions.accepted, 0);
    assert_sums(&report.transactions);
    assert!(server.received().is_empty());
}

#[tokio::test]
async fn a_timeout_without_end_is_one() {
    let server = Server::start(|_| OK);
    for timeout in [Duration::MAX, Duration::from_secs(u64::MAX / 2)] {
        let mut config = config(&server);
        config.http.request_timeout = timeout;
        let transport = Transport::new(config, &Handle::current());
        transport.submit(fake(1));
        assert_report(&transport.flush(LONG).await, 1, &[], 0);
        assert_report(&transport.close(Duration::MAX).await, 1, &[], 0);
    }
}

/// As long as nothing was sent, nothing is lost, whatever it is that keeps a connection from being made.
#[tokio::test]
async fn a_handshake_or_a_proxy_that_stalls_is_waited_for() {
    // The system takes connections for it, and nobody answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    for through_proxy in [false, true] {
        let endpoint = match through_proxy {
            true => "https://sentry.invalid/api/42/envelope/".to_owned(),
            false => format!("https://{address}/api/42/envelope/"),
        };
        let mut config = Config::new(endpoint.parse().unwrap(), HeaderValue::from_static("k"));
        config.http.request_timeout = Duration::from_millis(20);
        config.http.proxy = match through_proxy {
            true => Proxy::parse(&format!("http://{address}")),
            false => None,
        };
        let transport = Transport::new(config, &Handle::current());
        for number in 0..20 {
            transport.submit(fake(number));
        }
        // Each flush has it tried again at once.
        for _ in 0..20 {
            let report = transport.flush(Duration::from_millis(30)).await;
            assert_report(&report, 0, &[], 20);
        }
    }
}

#[tokio::test]
async fn provisional_answers_without_end_are_cut_off() {
    use std::io::Write;

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let hints = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n".repeat(20);
            std::thread::spawn(move || while stream.write_all(&hints).is_ok() {});
        }
    });
    let endpoint = format!("http://{address}/api/42/envelope/");
    let config = Config::new(endpoint.parse().unwrap(), HeaderValue::from_static("k"));
    let transport = Transport::new(config, &Handle::current());
    transport.submit(fake(1));
    let report = transport.close(LONG).await;
    assert_report(&report, 0, &[(NetworkError, 1)], 0);
}
