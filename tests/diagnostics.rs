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

/// What a test writes when it is run again in a process of its own, with these variables.
fn said_by(test: &str, child: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--exact", test, "--nocapture"])
        .env(CHILD, child);
    let output = command.envs(variables.iter().copied()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let stderr = String::from_utf8(output.stderr).unwrap();
    let said = stderr.lines().filter(|line| line.starts_with("taskspan: "));
    said.map(ToOwned::to_owned).collect()
}

/// A DSN alone looks as if all were well.
const WITHOUT_A_RATE: &str = "taskspan: nothing will be sent: neither `traces_sample_rate` (SENTRY_TRACES_SAMPLE_RATE) nor `traces_sampler` is set";

#[test]
fn everything_is_said_once_and_little_but_in_debug_mode() {
    if let Ok(debug) = env::var(CHILD) {
        return lose_everything(debug == "1");
    }
    let said_with = |debug| {
        said_by(
            "everything_is_said_once_and_little_but_in_debug_mode",
            debug,
            &[],
        )
    };
    assert_eq!(said_with("0"), [WITHOUT_A_RATE]);
    let said = said_with("1");
    for (topic, line) in [
        "scope data was set outside",
        "there is no client",
        "neither `traces_sample_rate`",
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

/// `SENTRY_TRACES_SAMPLE_RATE=10%` once kept programs from starting.
#[test]
fn a_variable_that_cannot_be_used_is_reported_once_and_ignored() {
    if env::var(CHILD).is_ok() {
        return start_twice();
    }
    let dsn = ("SENTRY_DSN", "http://key:secret@127.0.0.1:1/1");
    for (variable, value, problem) in [
        (
            "SENTRY_TRACES_SAMPLE_RATE",
            "10%",
            r#""10%" is not a number from 0 to 1"#,
        ),
        (
            "SENTRY_DEBUG",
            "maybe",
            r#""maybe" is neither `true` nor `false`"#,
        ),
        (
            "SENTRY_RELEASE",
            "latest",
            r#""latest" is a word that servers refuse"#,
        ),
        (
            "SENTRY_ENVIRONMENT",
            r"a\b",
            r#""a\\b" has a space, a control character, `/` or `\` in it"#,
        ),
        (
            "SENTRY_DSN",
            "http://key:secret@/1",
            r#""http://***@/1" is not a DSN: there is no host"#,
        ),
        (
            "SENTRY_SPOTLIGHT",
            "enabled",
            r#""enabled" is not a URL that begins with `http://` or `https://`"#,
        ),
    ] {
        let test = "a_variable_that_cannot_be_used_is_reported_once_and_ignored";
        let mut said = said_by(test, "1", &[dsn, (variable, value)]);
        said.retain(|line| line != WITHOUT_A_RATE);
        let line = format!("taskspan: environment variable ignored: {variable} = {problem}");
        assert_eq!(said, [line], "{variable}");
    }
    let proxied = [
        ("SENTRY_DSN", "http://key@sentry.example/1"),
        ("http_proxy", "socks5://u:secret@h:1"),
    ];
    let said = said_by(
        "a_variable_that_cannot_be_used_is_reported_once_and_ignored",
        "1",
        &proxied,
    );
    let line = r#"taskspan: environment variable ignored: http_proxy = "socks5://***@h:1" is not the URL of an HTTP proxy"#;
    assert_eq!(said, [WITHOUT_A_RATE, line]);
}

#[tokio::main(flavor = "current_thread")]
async fn start_twice() {
    for _ in 0..2 {
        taskspan::init(Options::from_env()).unwrap();
    }
}

#[test]
fn a_value_that_a_server_would_not_take_is_said() {
    if env::var(CHILD).is_ok() {
        return set_what_is_refused();
    }
    let said = said_by("a_value_that_a_server_would_not_take_is_said", "1", &[]);
    assert_eq!(
        said,
        [
            r#"taskspan: a tag that servers would refuse is sent as data instead: its key is empty or reserved, or its value blank: "tenant""#,
            r#"taskspan: a callback set a release, environment, dist or server name that servers refuse: the client's own is sent: "latest" is a word that servers refuse"#,
        ]
    );
}

#[tokio::main(flavor = "current_thread")]
async fn set_what_is_refused() {
    taskspan::init(Options::default().debug(true)).unwrap();
    let options = Options::default().traces_sample_rate(1.0);
    let (client, _sent) = taskspan::test::client(options.event_processor(|mut transaction| {
        transaction.release = Some("latest".into());
        Some(transaction)
    }));
    for _ in 0..2 {
        async { taskspan::set_tag("tenant", "  ") }
            .in_transaction("task", "t")
            .with_client(&client)
            .await;
    }
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
