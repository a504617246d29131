//! What the option `debug` has written to the standard error, seen from outside of the process.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::env;
use std::future::ready;
use std::process::Command;
use std::time::Duration;

use taskspan::{Instrument, Options};

#[path = "../examples/support/faults.rs"]
#[allow(dead_code, reason = "chance plays no part here")]
mod faults;

const CHILD: &str = "TASKSPAN_TEST_IS_CHILD";

#[test]
fn everything_is_said_once_and_only_in_debug_mode() {
    if let Ok(debug) = env::var(CHILD) {
        return lose_everything(debug == "1");
    }
    let said_with = |debug: &str| {
        let mut child = Command::new(env::current_exe().unwrap());
        child.args([
            "--exact",
            "everything_is_said_once_and_only_in_debug_mode",
            "--nocapture",
        ]);
        let output = child.env(CHILD, debug).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        let said = stderr.lines().filter(|line| line.starts_with("taskspan: "));
        said.map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    assert!(said_with("0").is_empty());
    let said = said_with("1");
    for (topic, line) in [
        "scope data was set outside",
        "there is no client",
        "`traces_sample_rate` is not set",
        "limit of spans",
        "lost: buffer_overflow",
        "cannot be reached",
        "an event processor panicked",
        "lost: event_processor",
        "`before_send_span` panicked",
        "`before_send_transaction` panicked",
        "lost: before_send",
    ]
    .iter()
    .zip(&said)
    {
        assert!(line.contains(topic), "{topic}: {said:#?}");
    }
    assert_eq!(said.len(), 11, "{said:#?}");
    assert!(said[5].contains("refused"), "{said:#?}");
    assert!(!said.concat().contains("secret"), "{said:#?}");
}

#[tokio::main(flavor = "current_thread")]
async fn lose_everything(debug: bool) {
    // Nobody listens on port 1.
    let dsn = "http://key:secret@127.0.0.1:1/1";
    let options = || Options::new(dsn).unwrap().debug(debug);
    taskspan::init(Options::default().debug(debug)).unwrap();
    for _ in 0..2 {
        taskspan::set_tag("lost", 1);
        ready(()).in_transaction("task", "no client").await;
        taskspan::init(options()).unwrap();
    }
    let options = options().traces_sample_rate(1.0).max_spans(0);
    let client = taskspan::init(options).unwrap();
    for _ in 0..3 {
        async { taskspan::span("a", "b").in_scope(|_| ()) }
            .in_transaction("task", "t")
            .await;
        client.flush(Duration::from_millis(100)).await;
    }
    panic_everywhere(debug).await;
}

async fn panic_everywhere(debug: bool) {
    fn fail<T>() -> T {
        panic!("as the test wants it")
    }
    let options = || Options::default().debug(debug).traces_sample_rate(1.0);
    for options in [
        options().event_processor(|_| fail()),
        options().before_send_span(|_| fail()),
        options().before_send_transaction(|_| async { fail() }),
    ] {
        let (client, _) = taskspan::test::client(options);
        for _ in 0..3 {
            async { taskspan::span("a", "b").in_scope(|_| ()) }
                .in_transaction("task", "t")
                .with_client(&client)
                .await;
        }
    }
}

#[test]
fn what_the_server_refuses_is_said_once_for_each_status() {
    const STATUSES: [u16; 6] = [401, 403, 403, 413, 301, 401];
    if env::var(CHILD).is_ok() {
        return be_refused(&STATUSES);
    }
    let mut child = Command::new(env::current_exe().unwrap());
    child.args([
        "--exact",
        "what_the_server_refuses_is_said_once_for_each_status",
        "--nocapture",
    ]);
    let output = child.env(CHILD, "1").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let stderr = String::from_utf8(output.stderr).unwrap();
    let said: Vec<_> = stderr.lines().filter(|it| it.contains("refuses")).collect();
    assert_eq!(said.len(), 4, "{stderr}");
    for (line, status) in said.iter().zip(["401", "403", "413", "301"]) {
        assert!(line.contains(status), "{status}: {stderr}");
    }
}

#[tokio::main(flavor = "current_thread")]
async fn be_refused(statuses: &[u16]) {
    let script: Vec<_> = statuses.iter().copied().map(faults::Act::Refuse).collect();
    // Reports of losses would be answered with the next one.
    let server = faults::Server::scripted(&script);
    let options = Options::new(&server.dsn()).unwrap().traces_sample_rate(1.0);
    let options = options.debug(true).send_client_reports(false);
    let client = taskspan::Client::new(options).unwrap();
    for _ in statuses {
        ready(())
            .in_transaction("task", "t")
            .with_client(&client)
            .await;
        client.flush(Duration::from_secs(20)).await;
    }
}
