//! The embedded receiver, over real sockets and with HTTP written by hand.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::io::{self, Write};
use std::time::Duration;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use http_body_util::Full;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use taskspan::local::Receiver;
use taskspan::protocol::SpanStatus;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const ENVELOPE: &[u8] = include_bytes!("fixtures/transaction.envelope");
const ENVELOPE_BR: &[u8] = include_bytes!("fixtures/transaction.envelope.br");
/// 64 MiB of spaces.
const BOMB_BR: &[u8] = include_bytes!("fixtures/bomb.br");
const PATH: &str = "/api/1/envelope/";
const ID: &str = "5a1c9f3e7b2d4c60a8e1f4d39b7c2e10";

/// One connection to a receiver.
struct Client {
    stream: TcpStream,
}

/// What a receiver answered.
#[derive(Debug, PartialEq)]
struct Answer {
    status: u16,
    body: String,
}

impl Client {
    async fn connect(receiver: &Receiver) -> Self {
        let stream = TcpStream::connect(receiver.local_addr()).await.unwrap();
        Self { stream }
    }

    async fn post(&mut self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.request("POST", path, headers, body).await
    }

    async fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n");
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
        self.stream.write_all(request.as_bytes()).await.unwrap();
        self.stream.write_all(body).await.unwrap();
        self.answer().await.unwrap()
    }

    async fn answer(&mut self) -> io::Result<Answer> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.stream.read_u8().await?);
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        self.stream.read_exact(&mut body).await?;
        Ok(Answer {
            status,
            body: String::from_utf8(body).unwrap(),
        })
    }
}

/// Sends one request on a connection of its own.
async fn post(receiver: &Receiver, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut client = Client::connect(receiver).await;
    client.post(PATH, headers, body).await
}

fn accepted() -> Answer {
    Answer {
        status: 200,
        body: format!("{{\"id\":\"{ID}\"}}"),
    }
}

fn refused(status: u16, reason: &str) -> Answer {
    Answer {
        status,
        body: format!("{{\"detail\":\"{reason}\"}}"),
    }
}

/// Checks that the receiver still takes envelopes, on a new connection.
async fn assert_up(receiver: &Receiver) {
    assert_eq!(post(receiver, &[], ENVELOPE).await, accepted());
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

#[tokio::test]
async fn an_envelope_is_taken_apart() {
    let receiver = Receiver::start().await.unwrap();
    let headers = [
        ("content-type", "application/x-sentry-envelope"),
        ("user-agent", "sentry.rust.taskspan/0.1.0"),
        (
            "x-sentry-auth",
            "Sentry sentry_version=7, sentry_key=0123456789abcdef0123456789abcdef",
        ),
    ];
    assert_eq!(post(&receiver, &headers, ENVELOPE).await, accepted());
    receiver.wait_for(1).await;

    let deliveries = receiver.deliveries();
    let [delivery] = &deliveries[..] else {
        panic!("{} deliveries", deliveries.len());
    };
    assert_eq!(delivery.path, PATH);
    assert_eq!(delivery.content_type.as_deref(), Some(headers[0].1));
    assert_eq!(delivery.user_agent.as_deref(), Some(headers[1].1));
    assert_eq!(delivery.sentry_auth.as_deref(), Some(headers[2].1));
    assert_eq!(delivery.content_encoding, None);
    assert_eq!(delivery.length, ENVELOPE.len());
    assert_eq!(delivery.envelope.header("event_id"), Some(ID));
    let kinds: Vec<_> = delivery.envelope.items.iter().map(|it| it.kind()).collect();
    assert_eq!(kinds, ["transaction", "client_report"]);

    let transactions = receiver.transactions();
    let transaction = &transactions[0];
    assert_eq!(transaction.event_id.to_string(), ID);
    assert_eq!(transaction.name, "GET /cart/{id}");
    assert_eq!(transaction.op, "http.server");
    assert_eq!(transaction.status, Some(SpanStatus::Ok));
    assert_eq!(transaction.duration(), Duration::from_micros(47_653));
    assert_eq!(transaction.tags["tenant"], "acme");
    assert_eq!(transaction.sampling_context["sample_rate"], "0.25");
    assert_eq!(transaction.payload["platform"], "native");
    assert_eq!(transaction.spans.len(), 2);
    assert_eq!(
        transaction.spans[0].parent_span_id,
        Some(transaction.span_id)
    );
    assert_eq!(transaction.spans[0].data["server.port"], 5432);
    assert_eq!(transaction.spans[1].status, Some(SpanStatus::Cancelled));

    let counts = receiver.counts();
    assert_eq!(counts.envelopes, 1);
    assert_eq!(counts.transactions, 1);
    assert_eq!(counts.spans, 3);
    assert_eq!(counts.refused, 0);
    assert_eq!(counts.discarded("queue_overflow", "transaction"), 1);
    assert_eq!(counts.discarded("queue_overflow", "span"), 4);
    assert_eq!(counts.discarded("queue_overflow", "event"), 0);
}

#[tokio::test]
async fn every_encoding_is_understood() {
    let receiver = Receiver::start().await.unwrap();
    let mut client = Client::connect(&receiver).await;
    for (encoding, body) in [
        ("identity", ENVELOPE.to_vec()),
        ("gzip", gzip(ENVELOPE)),
        ("GZIP", gzip(ENVELOPE)),
        ("deflate", zlib(ENVELOPE)),
        ("br", ENVELOPE_BR.to_vec()),
        ("zstd", zstd(ENVELOPE)),
    ] {
        let headers = [("content-encoding", encoding)];
        let answer = client.post(PATH, &headers, &body).await;
        assert_eq!(answer, accepted(), "{encoding}");
        let deliveries = receiver.deliveries();
        let delivery = deliveries.last().unwrap();
        assert_eq!(delivery.content_encoding.as_deref(), Some(encoding));
        assert_eq!(delivery.encoded_length, body.len());
        assert_eq!(delivery.length, ENVELOPE.len());
    }
    let transactions = receiver.transactions();
    assert_eq!(transactions.len(), 6);
    assert!(transactions.iter().all(|it| *it == transactions[0]));
}

#[tokio::test]
async fn encodings_outside_of_the_protocol_are_refused() {
    let receiver = Receiver::start().await.unwrap();
    let mut client = Client::connect(&receiver).await;
    let unsupported = refused(415, "the content encoding is not supported");
    for headers in [
        &[("content-encoding", "compress")][..],
        &[("content-encoding", "gzip, br")],
        &[("content-encoding", "gzip"), ("content-encoding", "gzip")],
    ] {
        assert_eq!(client.post(PATH, headers, ENVELOPE).await, unsupported);
    }
    for encoding in ["gzip", "deflate", "br", "zstd"] {
        let headers = [("content-encoding", encoding)];
        let answer = client.post(PATH, &headers, ENVELOPE).await;
        assert_eq!(answer.status, 400, "{encoding}: {answer:?}");
    }
    assert_eq!(receiver.counts().refused, 7);
    assert_up(&receiver).await;
}

#[tokio::test]
async fn malformed_envelopes_are_answered_with_the_reason() {
    let receiver = Receiver::start().await.unwrap();
    let mut client = Client::connect(&receiver).await;
    let text = std::str::from_utf8(ENVELOPE).unwrap();
    let short = {
        let (before, after) = text.split_once("\"length\":").unwrap();
        let (length, after) = after.split_once('}').unwrap();
        let length: usize = length.parse().unwrap();
        format!("{before}\"length\":{}}}{after}", length - 1)
    };
    for (body, reason) in [
        (
            short,
            "item 0 of the envelope: the payload is longer than its length",
        ),
        (
            format!("{text}\n"),
            "item 2 of the envelope: an empty line where a header is expected",
        ),
        (
            text.replacen(',', ",\n", 1),
            "header of the envelope: the header is not one JSON object on one line",
        ),
        (
            "{}\n{\"length\":2}\n{}".to_owned(),
            "item 0 of the envelope: the header has no type",
        ),
        (
            text[..text.len() - 10].to_owned(),
            "item 1 of the envelope: the envelope ends too early",
        ),
        (
            String::new(),
            "header of the envelope: an empty line where a header is expected",
        ),
        (
            text.replace("\"b7e4a1930c5d2f68\",\"op\"", "\"0000000000000000\",\"op\""),
            "invalid transaction: contexts.trace.span_id is malformed",
        ),
        (
            text.replace("30.131022Z", "30.104409Z"),
            "invalid transaction: spans[0] ends before it starts",
        ),
        (
            format!("{text}{{\"type\":\"event\"}}\n{{}}\n"),
            "there is more than one event in the envelope",
        ),
        (
            "{}\n{\"type\":\"client_report\"}\n{\"discarded_events\":[{}]}".to_owned(),
            "an entry of discarded_events is malformed",
        ),
    ] {
        let answer = client.post(PATH, &[], body.as_bytes()).await;
        assert_eq!(answer, refused(400, reason));
        assert_eq!(client.post(PATH, &[], ENVELOPE).await, accepted());
    }
    let refusals = receiver.refusals();
    assert_eq!(refusals.len(), 10);
    assert_eq!(
        refusals[3].to_string(),
        "400: item 0 of the envelope: the header has no type"
    );
    assert_eq!(receiver.counts().transactions, 10);
}

#[tokio::test]
async fn envelopes_without_a_transaction_are_kept() {
    let receiver = Receiver::start().await.unwrap();
    let mut client = Client::connect(&receiver).await;
    for (body, answer) in [
        ("{}", "{}"),
        (
            "{\"event_id\":\"5a1c9f3e7b2d4c60a8e1f4d39b7c2e10\"}\n{\"type\":\"profile\"}\nx",
            "{\"id\":\"5a1c9f3e7b2d4c60a8e1f4d39b7c2e10\"}",
        ),
        ("{}\n{\"type\":\"client_report\"}\n{}\n", "{}"),
    ] {
        let answered = client.post(PATH, &[], body.as_bytes()).await;
        assert_eq!((answered.status, answered.body.as_str()), (200, answer));
    }
    assert_eq!(receiver.deliveries().len(), 3);
    assert_eq!(receiver.deliveries()[1].envelope.items[0].payload, b"x");
    assert!(receiver.transactions().is_empty());
}

#[tokio::test]
async fn streamed_spans_are_counted() {
    let receiver = Receiver::start().await.unwrap();
    let mut client = Client::connect(&receiver).await;
    let envelope = |count: usize, trace: &str| {
        let kind = "application/vnd.sentry.items.span.v2+json";
        format!(
            "{{\"trace\":{{\"trace_id\":\"3f0c\"}}}}\n\
             {{\"type\":\"span\",\"item_count\":{count},\"content_type\":\"{kind}\"}}\n\
             {{\"version\":2,\"items\":[{{\"trace_id\":\"3f0c\"}},{{\"trace_id\":\"{trace}\"}}]}}\n"
        )
    };
    for (body, status) in [
        (envelope(2, "3f0c"), 200),
        (envelope(3, "3f0c"), 400),
        (envelope(2, "aaaa"), 400),
        (envelope(2, "3f0c").replace("trace\":{", "other\":{"), 400),
        (
            envelope(2, "3f0c") + envelope(2, "3f0c").split_once('\n').unwrap().1,
            400,
        ),
    ] {
        let answer = client.post(PATH, &[], body.as_bytes()).await;
        assert_eq!(answer.status, status, "{answer:?}");
    }
    assert_eq!(receiver.counts().streamed_spans, 2);
    assert_eq!(receiver.counts().spans, 0);
}

#[tokio::test]
async fn bodies_over_the_limit_are_refused() {
    let limit = 100_000;
    let receiver = Receiver::builder()
        .body_limit(limit)
        .bind("127.0.0.1:0")
        .await
        .unwrap();
    let mut client = Client::connect(&receiver).await;
    let reason = "the body is larger than 100000 bytes";
    let over = vec![b' '; limit + 1];
    assert_eq!(client.post(PATH, &[], &over).await, refused(413, reason));
    let far_over = vec![b' '; 30 * limit];
    let answer = client.post(PATH, &[], &far_over).await;
    assert_eq!(answer, refused(413, reason));
    // One of exactly that size is read.
    assert_eq!(client.post(PATH, &[], &over[1..]).await.status, 400);
    assert_eq!(client.post(PATH, &[], ENVELOPE).await, accepted());
}

#[tokio::test]
async fn a_chunked_body_is_limited_too() {
    let receiver = Receiver::builder()
        .body_limit(5_000)
        .bind("127.0.0.1:0")
        .await
        .unwrap();
    let mut client = Client::connect(&receiver).await;
    for (body, status) in [(ENVELOPE.to_vec(), 200), (vec![b' '; 6_000], 413)] {
        let head = format!(
            "POST {PATH} HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n"
        );
        let mut request = head.into_bytes();
        for chunk in body.chunks(1_000) {
            request.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
            request.extend(chunk);
            request.extend(b"\r\n");
        }
        request.extend(b"0\r\n\r\n");
        client.stream.write_all(&request).await.unwrap();
        assert_eq!(client.answer().await.unwrap().status, status);
    }
    assert_up(&receiver).await;
}

#[tokio::test]
async fn decompression_bombs_are_refused() {
    let limit = 1_000_000;
    let receiver = Receiver::builder()
        .body_limit(limit)
        .bind("127.0.0.1:0")
        .await
        .unwrap();
    let mut client = Client::connect(&receiver).await;
    let bomb = vec![b' '; 8 * limit];
    let reason = "the decoded body is larger than 1000000 bytes";
    for (encoding, body) in [
        ("gzip", gzip(&bomb)),
        ("deflate", zlib(&bomb)),
        ("br", BOMB_BR.to_vec()),
        ("zstd", zstd(&bomb)),
    ] {
        assert!(body.len() < 100_000, "{encoding}");
        let headers = [("content-encoding", encoding)];
        let answer = client.post(PATH, &headers, &body).await;
        assert_eq!(answer, refused(413, reason), "{encoding}");
    }
    assert_eq!(client.post(PATH, &[], ENVELOPE).await, accepted());
}

#[tokio::test]
async fn a_transaction_that_servers_find_too_large_is_refused() {
    let receiver = Receiver::start().await.unwrap();
    let text = std::str::from_utf8(ENVELOPE).unwrap();
    let lines: Vec<_> = text.lines().collect();
    let large = lines[2].replace("acme", &"a".repeat(1024 * 1024));
    let body = format!("{}\n{{\"type\":\"transaction\"}}\n{large}", lines[0]);
    assert_eq!(
        post(&receiver, &[], body.as_bytes()).await,
        refused(413, "the transaction is larger than 1048576 bytes")
    );
    assert_up(&receiver).await;
}

#[tokio::test]
async fn paths_and_methods_are_told_apart() {
    let receiver = Receiver::start().await.unwrap();
    let mut client = Client::connect(&receiver).await;
    for (method, path, status) in [
        ("POST", "/api/1/envelope/", 200),
        ("POST", "/api/1/envelope", 200),
        (
            "POST",
            "/api/4501/envelope/?sentry_version=7&sentry_key=abc",
            200,
        ),
        ("POST", "/api/project/envelope/", 200),
        ("POST", "/stream", 200),
        ("POST", "/stream/", 200),
        ("POST", "/", 404),
        ("POST", "/api//envelope/", 404),
        ("POST", "/api/1/2/envelope/", 404),
        ("POST", "/api/1/store/", 404),
        ("POST", "/streams", 404),
        ("GET", "/nowhere", 404),
        ("GET", "/stream", 405),
        ("PUT", "/api/1/envelope/", 405),
        ("OPTIONS", "/api/1/envelope/", 405),
    ] {
        let answer = client.request(method, path, &[], ENVELOPE).await;
        assert_eq!(answer.status, status, "{method} {path}");
    }
    assert_eq!(receiver.counts().transactions, 6);
}

#[tokio::test]
async fn credentials_are_not_needed_but_have_a_form() {
    let receiver = Receiver::start().await.unwrap();
    let mut client = Client::connect(&receiver).await;
    for (auth, status) in [
        ("Sentry sentry_key=abc, sentry_version=7", 200),
        ("sentry sentry_key=abc", 200),
        ("Sentry sentry_version=7", 401),
        ("Bearer abc", 401),
        ("", 401),
    ] {
        let headers = [("x-sentry-auth", auth)];
        let answer = client.post(PATH, &headers, ENVELOPE).await;
        assert_eq!(answer.status, status, "{auth}");
    }
    let headers = [("x-sentry-auth", "Sentry sentry_key=abc")];
    let answer = client
        .post("/api/1/envelope/?sentry_key=abc", &headers, ENVELOPE)
        .await;
    let reason = "there is a sentry_key in the header and in the query";
    assert_eq!(answer, refused(401, reason));
}

#[tokio::test]
async fn garbage_on_the_socket_harms_nobody_else() {
    let receiver = Receiver::start().await.unwrap();
    let mut patient = Client::connect(&receiver).await;
    assert_eq!(patient.post(PATH, &[], ENVELOPE).await, accepted());
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03garbage garbage\r\n\r\n"[..],
        b"POST /api/1/envelope/ HTTP/9.9\r\n\r\n",
        b"POST /api/1/envelope/ HTTP/1.1\r\ncontent-length: many\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\ngarbage garbage garbage",
        b"POST /api/1/envelope/ HTTP/1.1\r\ncontent-length: 100\r\n\r\nnot 100",
        b"PO",
        b"",
        &[0; 10_000],
    ] {
        let mut client = Client::connect(&receiver).await;
        // It may hang up in the middle of it.
        let _ = client.stream.write_all(garbage).await;
        let _ = client.stream.shutdown().await;
        let _ = client.stream.read_to_end(&mut Vec::new()).await;
        assert_eq!(patient.post(PATH, &[], ENVELOPE).await, accepted());
        assert_up(&receiver).await;
    }
    assert_eq!(receiver.counts().transactions, 17);
}

#[tokio::test]
async fn http_2_is_spoken_too() {
    let receiver = Receiver::start().await.unwrap();
    let stream = TcpStream::connect(receiver.local_addr()).await.unwrap();
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    for (body, status) in [(ENVELOPE, 200), (b"[]", 400)] {
        let uri = format!("http://{}{PATH}", receiver.local_addr());
        let request = http::Request::post(uri)
            .body(Full::<&[u8]>::from(body))
            .unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), status);
    }
    assert_eq!(receiver.counts().transactions, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_connections_are_served_at_once() {
    let receiver = Receiver::start().await.unwrap();
    let (connections, requests) = (200, 5);
    let mut clients = Vec::new();
    for _ in 0..connections {
        clients.push(Client::connect(&receiver).await);
    }
    let tasks: Vec<_> = clients
        .into_iter()
        .map(|mut client| {
            tokio::spawn(async move {
                for _ in 0..requests {
                    assert_eq!(client.post(PATH, &[], ENVELOPE).await, accepted());
                }
            })
        })
        .collect();
    receiver.wait_for(connections * requests).await;
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(receiver.counts().spans, 3 * connections * requests);
}

#[tokio::test]
async fn only_the_last_envelopes_are_kept() {
    let mut receiver = Receiver::builder()
        .keep(2)
        .bind("127.0.0.1:0")
        .await
        .unwrap();
    let mut client = Client::connect(&receiver).await;
    let text = std::str::from_utf8(ENVELOPE).unwrap();
    for place in 0..4 {
        // The name has as many bytes as before, so lengths stay right.
        let body = text.replace("GET /cart/{id}", &format!("GET /cart/{place:4}"));
        assert_eq!(client.post(PATH, &[], body.as_bytes()).await, accepted());
    }
    let names: Vec<_> = receiver
        .transactions()
        .iter()
        .map(|transaction| transaction.name.clone())
        .collect();
    assert_eq!(names, ["GET /cart/   2", "GET /cart/   3"]);
    assert_eq!(receiver.counts().transactions, 4);

    assert_eq!(receiver.next().await.name, names[0]);
    assert_eq!(receiver.next().await.name, names[1]);
    let none = timeout(Duration::from_millis(20), receiver.next()).await;
    assert!(none.is_err());
    client.post(PATH, &[], ENVELOPE).await;
    assert_eq!(receiver.next().await.name, "GET /cart/{id}");
}

#[tokio::test]
async fn large_envelopes_make_room_by_their_size() {
    let receiver = Receiver::start().await.unwrap();
    let mut client = Client::connect(&receiver).await;
    let mut body = b"{}\n{\"type\":\"attachment\"}\n".to_vec();
    body.resize(9 * 1024 * 1024, b'x');
    for _ in 0..3 {
        assert_eq!(client.post(PATH, &[], &body).await.status, 200);
    }
    assert_eq!(receiver.deliveries().len(), 1);
    assert_eq!(receiver.counts().envelopes, 3);
}

#[tokio::test]
async fn shutting_down_closes_the_port_and_the_connections() {
    let receiver = Receiver::start().await.unwrap();
    let address = receiver.local_addr();
    let mut client = Client::connect(&receiver).await;
    assert_eq!(client.post(PATH, &[], ENVELOPE).await, accepted());
    receiver.shutdown().await;
    assert!(TcpStream::connect(address).await.is_err());
    assert!(client.answer().await.is_err());
}

#[tokio::test]
async fn dropping_closes_the_port_and_the_connections() {
    let receiver = Receiver::start().await.unwrap();
    let mut client = Client::connect(&receiver).await;
    assert_eq!(client.post(PATH, &[], ENVELOPE).await, accepted());
    drop(receiver);
    let closed = timeout(Duration::from_secs(5), client.answer()).await;
    assert!(closed.unwrap().is_err());
}

#[tokio::test]
async fn only_loopback_addresses_are_listened_on() {
    for address in ["0.0.0.0:0", "192.0.2.1:0", "[::]:0"] {
        let error = Receiver::bind(address).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{address}");
    }
    let receiver = Receiver::bind("localhost:0").await.unwrap();
    assert!(receiver.local_addr().ip().is_loopback());
    let port = receiver.local_addr().port();
    let dsn = receiver.dsn();
    let (scheme, rest) = dsn.split_once("://").unwrap();
    let (key, place) = rest.split_once('@').unwrap();
    assert_eq!(scheme, "http");
    assert!(key.len() == 32 && key.bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert!(place.ends_with(&format!(":{port}/1")), "{dsn}");
    let taken = Receiver::bind(receiver.local_addr()).await.unwrap_err();
    assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
}

#[test]
fn everything_can_cross_threads() {
    fn check<T: Send + Sync + 'static>() {}
    check::<Receiver>();
    check::<taskspan::local::ReceiverBuilder>();
    check::<taskspan::local::Delivery>();
    check::<taskspan::local::Counts>();
    check::<taskspan::local::Waterfall<'static>>();
}
