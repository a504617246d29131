//! What the embedded receiver is sent.

use std::io::Write;
use std::time::{Duration, SystemTime};

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use http::Request;
use http::header::{CONTENT_ENCODING, HeaderValue};
use serde_json::json;

use super::target::{Read, Target};
use crate::local::{Decoded, Delivery, Kept, ReceivedEnvelope, Waterfall, sentry_key};

#[test]
fn envelope() {
    let target = Target {
        valid: &[
            b"{}",
            b"{\"event_id\":\"5a1c9f3e\"}\n{\"type\":\"a\",\"length\":3}\nx\ny\n",
            b"{}\n{\"type\":\"a\"}\n\n{\"type\":\"b\",\"length\":0}\n\n{\"type\":\"c\"}\nx",
        ],
        tokens: &[
            "{}",
            "{",
            "}",
            "[",
            "]",
            "null",
            "\\u0000",
            "\\ud800",
            "\"a\":",
            "\n{\"type\":\"a\"}\n",
            "\"length\":",
            "\"length\":0,",
            "\":0,\"",
        ],
        around: &[
            ("{}", ""),
            ("{\"a\":", "}"),
            ("{\"a", "\":0}"),
            ("{}\n{\"type\":\"a\"}\n", ""),
        ],
        allocated: (100, 4_096),
        read: Read::Bytes(|body| {
            let Ok(envelope) = ReceivedEnvelope::parse(body) else {
                return false;
            };
            assert!(envelope.items.len() <= ReceivedEnvelope::MAX_ITEMS);
            let payloads: usize = envelope.items.iter().map(|item| item.payload.len()).sum();
            assert!(payloads < body.len());
            true
        }),
    };
    target.run();
}

/// What a receiver makes of a body, if it accepts it. Bodies may have 64 KiB when decoded.
fn receive(encoding: &[u8], body: &[u8]) -> Option<Delivery> {
    const LIMIT: usize = 64 * 1024;
    let encoding = HeaderValue::from_bytes(encoding).ok()?;
    let request = Request::post("/api/1/envelope/").header(CONTENT_ENCODING, encoding);
    let (head, ()) = request.body(()).unwrap().into_parts();
    let decoded = Decoded::new(&head, body.to_vec(), LIMIT).ok()?;
    let (kept, _) = Kept::new(&head, decoded).ok()?;
    let delivery = kept.delivery().expect("it was checked");
    assert!(delivery.length <= LIMIT);
    Some(delivery)
}

/// An envelope with a transaction, up to where its payload goes on.
macro_rules! transaction {
    () => {
        "{\"event_id\":\"5a1c9f3e7b2d4c60a8e1f4d39b7c2e10\"}\n{\"type\":\"transaction\"}\n\
         {\"start_timestamp\":1.5,\"contexts\":{\"trace\":{\"span_id\":\"b7e4a1930c5d2f68\",\
         \"trace_id\":\"3f0c2a9be41d4f7c9a60b1d2c3e4f506\"}},"
    };
}

/// A span of it.
macro_rules! span {
    () => {
        "{\"trace_id\":\"3f0c2a9be41d4f7c9a60b1d2c3e4f506\",\"span_id\":\"1d2e3f4051627384\",\
         \"start_timestamp\":2}"
    };
}

const TRANSACTION: &str = concat!(
    transaction!(),
    "\"tags\":[[\"a\",1]],\"spans\":[",
    span!(),
    "]}"
);
const SPANS: &str = "{\"trace\":{\"trace_id\":\"3f0c2a9be41d4f7c9a60b1d2c3e4f506\"}}\n\
    {\"type\":\"span\",\"item_count\":1,\
    \"content_type\":\"application/vnd.sentry.items.span.v2+json\"}\n\
    {\"version\":2,\"items\":[{\"trace_id\":\"3f0c2a9be41d4f7c9a60b1d2c3e4f506\"}]}";
const REPORT: &str = "{}\n{\"type\":\"client_report\"}\n\
    {\"discarded_events\":[{\"reason\":\"a\",\"category\":\"span\",\"quantity\":4}]}";

#[test]
fn received_items() {
    let target = Target {
        valid: &[TRANSACTION.as_bytes(), SPANS.as_bytes(), REPORT.as_bytes()],
        tokens: &[
            "{",
            "}",
            "[",
            "]",
            "[[0,0]],",
            "null",
            "\"\":0,",
            "\"tags\":",
            "\"data\":{},",
            "\\u001b",
            "-",
            "T",
            "\"parent_span_id\":\"1d2e3f4051627384\",",
            concat!(span!(), ","),
        ],
        around: &[
            (
                concat!(transaction!(), "\"spans\":["),
                concat!(span!(), "]}"),
            ),
            (concat!(transaction!(), "\"tags\":["), "[0,0]]}"),
        ],
        allocated: (500, 60_000),
        read: Read::Bytes(|body| {
            let Some(delivery) = receive(b"identity", body) else {
                return false;
            };
            // Nothing in it has an effect on the terminal that it is drawn in.
            if let Some(transaction) = &delivery.transaction {
                let drawing = Waterfall::new(transaction).to_string();
                let is_effective = |c: char| c.is_control() && c != '\n';
                assert!(!drawing.contains(is_effective), "{drawing:?}");
            }
            true
        }),
    };
    target.run();
}

#[test]
fn content_encodings() {
    const ENVELOPE: &[u8] = b"{}\n{\"type\":\"a\"}\nx";
    const BROTLI: &[u8] = b"br\n\x0b\x08\x80{}\n{\"type\":\"a\"}\nx\x03";
    let target = Target {
        valid: &[
            &gzip(ENVELOPE),
            &deflate(ENVELOPE),
            &zstd(ENVELOPE),
            BROTLI,
            b"identity\n{}",
        ],
        tokens: &[
            "gzip\n",
            "x-gzip\n",
            "deflate\n",
            "br\n",
            "zstd\n",
            "gzip, br\n",
        ],
        around: &[
            ("gzip\n\x1f", ""),
            ("deflate\n\x78\x01", ""),
            ("br\n", ""),
            ("zstd\n", ""),
        ],
        // The window of brotli has up to 16 MiB, whatever the body.
        allocated: (100, 20_000_000),
        read: Read::Bytes(|input| receive_encoded(input).is_some()),
    };
    target.run();
}

#[test]
fn bombs() {
    let zeros = vec![0; 4 * 1024 * 1024];
    // 16 MiB of zeros, in a window of 4 MiB.
    let brotli = b"br\n\xcb\xff\xff\x3f\xf8\x27\x00\xe2\xb1\x40\x20\xf7\xfe\x2f\
                   \xff\xff\xff\xf0\x4f\x00\xc4\x61\x11\x80\xee\xfd\x1f";
    for (bomb, most) in [
        (gzip(&zeros), 500_000),
        (deflate(&zeros), 500_000),
        (zstd(&zeros), 500_000),
        (brotli.to_vec(), 5_000_000),
    ] {
        let receive = || assert_eq!(receive_encoded(&bomb), None);
        let allocated = allocation_counter::measure(receive).bytes_max;
        assert!(
            allocated < most,
            "{allocated} for {:?}",
            bomb.escape_ascii()
        );
    }
}

/// What a receiver makes of a body after a line with its encoding.
fn receive_encoded(input: &[u8]) -> Option<Delivery> {
    let mut parts = input.splitn(2, |byte| *byte == b'\n');
    receive(parts.next()?, parts.next()?)
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(b"gzip\n".to_vec(), Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn deflate(body: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(b"deflate\n".to_vec(), Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn zstd(body: &[u8]) -> Vec<u8> {
    [b"zstd\n", &*zstd::encode_all(body, 1).unwrap()].concat()
}

#[test]
fn received_times() {
    let target = Target {
        valid: &[
            b"1795169730.10125",
            b"2026-11-20T10:15:30.101250Z",
            b"2026-11-20 12:45:30+02:30",
            b"9999-12-31t23:59:59.999999999-00:00",
        ],
        tokens: &[
            "T", "Z", "02-29", "23:59:60", "24", "+23:59", "-23:59", "1e", "0.",
        ],
        around: &[("2026-11-20T10:15:30.", "Z"), ("1.", "")],
        allocated: (150, 30_000),
        read: Read::Text(|text| {
            let time = serde_json::from_str::<serde_json::Number>(text);
            let time = time.map_or_else(|_| json!(text), |number| json!(number));
            let trace = json!({
                "trace_id": "3f0c2a9be41d4f7c9a60b1d2c3e4f506",
                "span_id": "b7e4a1930c5d2f68",
            });
            let payload = json!({
                "event_id": "5a1c9f3e7b2d4c60a8e1f4d39b7c2e10",
                "contexts": { "trace": trace },
                "start_timestamp": time,
                "timestamp": time,
            });
            let body = format!("{{}}\n{{\"type\":\"transaction\"}}\n{payload}");
            let Some(delivery) = receive(b"", body.as_bytes()) else {
                return false;
            };
            let start = delivery.transaction.unwrap().start;
            let since_1970 = start.duration_since(SystemTime::UNIX_EPOCH).unwrap();
            assert!(
                since_1970 < Duration::from_secs(253_402_300_800),
                "{start:?}"
            );
            true
        }),
    };
    target.run();
}

#[test]
fn sentry_auth() {
    let target = Target {
        valid: &[
            b"Sentry sentry_version=7, sentry_key=abc, sentry_client=x/1",
            b"sentry sentry_key = abc ,sentry_version=7",
        ],
        tokens: &["Sentry ", "sentry_key", "sentry_key=", "sentry_key=,"],
        around: &[("Sentry ", "sentry_key=abc")],
        allocated: (0, 0),
        read: Read::Text(|text| {
            let key = sentry_key(text);
            assert!(key.is_none_or(|key| !key.is_empty() && key.trim() == key));
            key.is_some()
        }),
    };
    target.run();
}
