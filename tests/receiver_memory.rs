//! How much memory the embedded receiver holds, for envelopes that are small as text and large
//! as values, and for bodies that never end.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[path = "support/receiver_client.rs"]
mod receiver_client;

use std::future::Future;
use std::io::Write;
use std::time::Duration;

use allocation_counter::{AllocationInfo, measure};
use flate2::Compression;
use flate2::write::GzEncoder;
use receiver_client::{answer, assert_up, connect, head, request};
use taskspan::local::Receiver;
use tokio::io::AsyncWriteExt;
use tokio::runtime::{Builder, Runtime};

const MIB: usize = 1024 * 1024;
/// A part of a body.
const PART: &[u8] = &[b' '; 64 * 1024];

/// A runtime in this thread, which is the one whose memory is counted.
fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn measured(runtime: &Runtime, work: impl Future<Output = ()>) -> AllocationInfo {
    measure(|| runtime.block_on(work))
}

/// An envelope of so many bytes, in which everything that can be is a list of small objects.
fn lists(length: usize) -> Vec<u8> {
    let list = |length: usize| format!("[{}0]", "{\"\":0},".repeat(length / 7));
    let header = list(length / 8);
    let transaction = format!(
        "{{\"start_timestamp\":1,\"timestamp\":2,\"contexts\":{{\"trace\":{{\
         \"trace_id\":\"3f0c2a9be41d4f7c9a60b1d2c3e4f506\",\"span_id\":\"b7e4a1930c5d2f68\"}},\
         \"a\":{list}}},\"extra\":{list},\"spans\":[{{\"span_id\":\"1d2e3f4051627384\",\
         \"trace_id\":\"3f0c2a9be41d4f7c9a60b1d2c3e4f506\",\"start_timestamp\":1,\"timestamp\":2,\
         \"data\":{{\"a\":{list}}}}}]}}",
        list = list(length / 4),
    );
    format!(
        "{{\"event_id\":\"5a1c9f3e7b2d4c60a8e1f4d39b7c2e10\",\"a\":{header}}}\n\
         {{\"type\":\"transaction\"}}\n{transaction}"
    )
    .into_bytes()
}

#[test]
fn no_more_is_held_than_the_text_that_was_sent() {
    let runtime = runtime();
    let receiver = runtime.block_on(Receiver::start()).unwrap();
    let body = lists(60_000);
    let count = 40;
    let held = measured(&runtime, async {
        let mut connection = connect(&receiver).await;
        for _ in 0..count {
            assert_eq!(request(&mut connection, "POST", &[], &body).await.0, 200);
        }
        drop(connection);
        // The receiver forgets the connection before it accepts another one.
        assert_up(&receiver).await;
    });
    let sent = (count * body.len()) as i64;
    assert!(held.bytes_current < sent * 3 / 2, "{held:?} for {sent}");
    // All of it is still there.
    let transactions = receiver.transactions();
    assert_eq!(transactions.len(), count);
    assert!(transactions[39].contexts["a"].as_array().unwrap().len() > 2_000);
    assert!(transactions[39].payload["extra"].as_array().unwrap().len() > 2_000);
    assert!(
        transactions[39].spans[0].data["a"]
            .as_array()
            .unwrap()
            .len()
            > 2_000
    );
}

#[test]
fn the_sum_of_what_is_held_is_bounded() {
    let runtime = runtime();
    let receiver = runtime.block_on(Receiver::start()).unwrap();
    let body = lists(60_000);
    let attachment = [b"{}\n{\"type\":\"attachment\"}\n", &PART[..60_000]].concat();
    let held = measured(&runtime, async {
        let mut connection = connect(&receiver).await;
        for number in 0..400 {
            let body = if number % 10 == 9 { &body } else { &attachment };
            let (status, _) = request(&mut connection, "POST", &[], body).await;
            assert_eq!(status, 200);
        }
    });
    assert!(held.bytes_current < 24 * MIB as i64, "{held:?}");
    assert!(held.bytes_current > 12 * MIB as i64, "{held:?}");
}

#[test]
fn heads_of_requests_are_part_of_the_bound() {
    let runtime = runtime();
    let receiver = runtime.block_on(Receiver::start()).unwrap();
    let agent = "x".repeat(50_000);
    let held = measured(&runtime, async {
        let mut connection = connect(&receiver).await;
        for _ in 0..600 {
            let headers = [("user-agent", &*agent)];
            assert_eq!(
                request(&mut connection, "POST", &headers, b"{}").await.0,
                200
            );
        }
    });
    assert!(held.bytes_current < 24 * MIB as i64, "{held:?}");
    assert_eq!(
        receiver.deliveries().last().unwrap().user_agent.as_ref(),
        Some(&agent)
    );
}

#[test]
fn names_and_reasons_are_cut() {
    let runtime = runtime();
    let receiver = runtime
        .block_on(Receiver::builder().keep(1).bind("127.0.0.1:0"))
        .unwrap();
    let held = measured(&runtime, async {
        let mut connection = connect(&receiver).await;
        for number in 0..100 {
            let name = format!("{number}{}", "n".repeat(30_000));
            let report = format!(
                "{{}}\n{{\"type\":\"client_report\"}}\n{{\"discarded_events\":[{{\
                 \"reason\":\"{name}\",\"category\":\"span\",\"quantity\":1}}]}}"
            );
            assert_eq!(
                request(&mut connection, "POST", &[], report.as_bytes())
                    .await
                    .0,
                200
            );
            let twice = format!("{{\"{name}\":1,\"{name}\":2}}");
            assert_eq!(
                request(&mut connection, "POST", &[], twice.as_bytes())
                    .await
                    .0,
                400
            );
        }
    });
    assert_eq!(receiver.counts().iter_discarded().count(), 100);
    assert_eq!(receiver.refusals().len(), 100);
    assert!(held.bytes_current < MIB as i64, "{held:?}");
}

/// How many bytes of memory this process has, freed ones that the allocator keeps included.
#[cfg(target_os = "linux")]
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    let kib: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib * 1024
}

/// 34 KB of gzip held 1.9 GB: 20 MB of text were values, which took 90 times as much memory.
/// This is a third of it.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn lists_of_small_objects_in_gzip_are_no_bomb() {
    let receiver = Receiver::start().await.unwrap();
    let item = format!(
        "{{\"type\":\"a\",\"b\":[{}0]}}\n\n",
        "{\"\":0},".repeat(2_800)
    );
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(b"{}\n").unwrap();
    for _ in 0..350 {
        gzip.write_all(item.as_bytes()).unwrap();
    }
    let body = gzip.finish().unwrap();
    assert!(body.len() < 100_000, "{}", body.len());

    let before = resident();
    let mut connection = connect(&receiver).await;
    let headers = [("content-encoding", "gzip")];
    let (status, _) = request(&mut connection, "POST", &headers, &body).await;
    assert_eq!(status, 200);
    let held = resident().saturating_sub(before);
    assert!(held < 64 * MIB, "{} MiB", held / MIB);
    assert_eq!(receiver.counts().envelopes, 1);
}

#[test]
fn bodies_that_never_end_hold_little() {
    let runtime = runtime();
    let builder = Receiver::builder().read_timeout(Duration::from_secs(1));
    let receiver = runtime.block_on(builder.bind("127.0.0.1:0")).unwrap();
    let length = 19 * MIB;
    let held = measured(&runtime, async {
        let mut connections = Vec::new();
        for _ in 0..20 {
            let mut connection = connect(&receiver).await;
            connection
                .write_all(&head("POST", &[], length))
                .await
                .unwrap();
            connections.push(tokio::spawn(async move {
                // The receiver takes as much of it as it has memory for, and hangs up later.
                for _ in 0..length / 2 / PART.len() {
                    if connection.write_all(PART).await.is_err() {
                        return;
                    }
                }
                let _ = answer(&mut connection).await;
            }));
        }
        // Small ones do not wait for them.
        assert_up(&receiver).await;
        for connection in connections {
            connection.await.unwrap();
        }
    });
    assert!(held.bytes_max < 48 * MIB as u64, "{held:?}");
    assert!(receiver.counts().refused > 0);
    runtime.block_on(assert_up(&receiver));
}
