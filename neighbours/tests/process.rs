//! Child processes as spans, with real ones, some of which continue the trace.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[path = "support/recorded.rs"]
mod recorded;

use std::os::unix::process::CommandExt as _;
use std::process::{Command as StdCommand, Output, Stdio};
use std::time::Duration;
use std::{env, fs, io};

use serde_json::{Value as Json, json};
use taskspan::local::Receiver;
use taskspan::process::TraceCommand;
use taskspan::protocol::Span;
use taskspan::{IncomingTrace, Instrument, JoinSetExt, Options};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::task::JoinSet;
use tokio::time::timeout;

use self::recorded::{lines, recorded, recorded_with, text, told};

const SOON: Duration = Duration::from_secs(20);
/// The variable that makes a test the child of itself.
const CHILD: &str = "PROCESS_TEST_CHILD";

fn sampled() -> Options {
    Options::disabled().traces_sample_rate(1.0)
}

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

/// Programs, how they end, and what is told of that.
fn outcomes() -> [(&'static [&'static str], &'static str, Json, Json); 6] {
    [
        (&["true"], "ok", json!(0), json!(null)),
        (&["/bin/false"], "internal_error", json!(1), json!(null)),
        (
            &["sh", "-c", "exit 3"],
            "internal_error",
            json!(3),
            json!(null),
        ),
        (
            &["sh", "-c", "kill -9 $$"],
            "internal_error",
            json!(null),
            json!(9),
        ),
        (
            &["sh", "-c", "kill -TERM $$"],
            "internal_error",
            json!(null),
            json!(15),
        ),
        (
            &["sh", "-c", "echo out; echo err >&2"],
            "ok",
            json!(0),
            json!(null),
        ),
    ]
}

#[tokio::test]
async fn children_of_tokio_are_spans() {
    for (words, status, code, signal) in outcomes() {
        let command = || {
            let mut command = Command::new(words[0]);
            command.args(&words[1..]);
            command
        };
        let name = words[0].rsplit('/').next().unwrap();
        let work = async {
            let mut child = command().traced().spawn()?;
            let id = child.id().unwrap();
            let exit = child.wait().await?;
            assert_eq!(child.id(), None);
            io::Result::Ok((id, exit))
        };
        let (result, transaction) = recorded(work).await;
        let (id, exit) = result.unwrap();
        assert_eq!(exit, command().status().await.unwrap());
        let expected = [
            format!("subprocess {name} (ok)"),
            format!("subprocess.wait {name} ({status})"),
        ];
        assert_eq!(lines(&transaction), expected);
        let [start, wait] = &transaction.spans[..] else {
            unreachable!()
        };
        let facts = json!({ "process.pid": id, "process.executable.name": name });
        assert_eq!(serde_json::to_value(&start.data).unwrap(), facts);
        assert_eq!(told(wait, "process.pid"), id);
        assert_eq!(told(wait, "process.exit.code"), code);
        assert_eq!(told(wait, "process.exit.signal"), signal);
        for span in &transaction.spans {
            assert_eq!(span.origin, "auto.subprocess.tokio");
            assert_eq!(span.parent_span_id, transaction.contexts.trace.span_id);
        }

        let (result, transaction) = recorded(command().traced().status()).await;
        assert_eq!(result.unwrap(), exit);
        // The child was started before there was a transaction.
        let late = [format!("subprocess.wait child process ({status})")];
        assert_eq!(lines(&transaction), late);
        let (result, transaction) = recorded(async { command().traced().status().await }).await;
        assert_eq!(result.unwrap(), exit);
        assert_eq!(lines(&transaction), expected);

        let (result, transaction) = recorded(async { command().traced().output().await }).await;
        assert_eq!(result.unwrap(), command().output().await.unwrap());
        let expected = [
            format!("subprocess {name} (ok)"),
            format!("subprocess.communicate {name} ({status})"),
        ];
        assert_eq!(lines(&transaction), expected);
        let communicate = &transaction.spans[1];
        assert_eq!(told(communicate, "process.exit.code"), code);
        assert_eq!(told(communicate, "process.exit.signal"), signal);
    }
}

#[tokio::test]
async fn children_of_the_standard_library_are_spans() {
    for (words, status, code, signal) in outcomes() {
        let command = || {
            let mut command = StdCommand::new(words[0]);
            command.args(&words[1..]);
            command
        };
        let name = words[0].rsplit('/').next().unwrap();
        let blocking = move || {
            let mut child = command().traced().spawn().unwrap();
            let id = child.id();
            (id, child.wait().unwrap())
        };
        let waits = [
            format!("subprocess {name} (ok)"),
            format!("subprocess.wait {name} ({status})"),
        ];
        let work = async { taskspan::spawn_blocking(blocking).await.unwrap() };
        let ((id, exit), transaction) = recorded(work).await;
        assert_eq!(exit, command().status().unwrap());
        assert_eq!(lines(&transaction), waits);
        let [start, wait] = &transaction.spans[..] else {
            unreachable!()
        };
        assert_eq!(told(start, "process.pid"), id);
        assert_eq!(told(wait, "process.exit.code"), code);
        assert_eq!(told(wait, "process.exit.signal"), signal);
        for span in &transaction.spans {
            assert_eq!(span.origin, "auto.subprocess.std");
        }

        let (result, transaction) = recorded(async { command().traced().status() }).await;
        assert_eq!(result.unwrap(), exit);
        assert_eq!(lines(&transaction), waits);

        let work = async {
            let mut command = command();
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            command.traced().spawn()?.wait_with_output()
        };
        let (result, transaction) = recorded(work).await;
        assert_eq!(result.unwrap(), command().output().unwrap());
        let expected = [
            format!("subprocess {name} (ok)"),
            format!("subprocess.communicate {name} ({status})"),
        ];
        assert_eq!(lines(&transaction), expected);

        let (result, transaction) = recorded(async { command().traced().output() }).await;
        assert_eq!(result.unwrap(), command().output().unwrap());
        assert_eq!(
            lines(&transaction),
            [format!("subprocess {name} ({status})")]
        );
        assert_eq!(told(&transaction.spans[0], "process.exit.code"), code);
        assert_eq!(told(&transaction.spans[0], "process.exit.signal"), signal);
    }
}

#[tokio::test]
async fn what_cannot_be_started_says_why() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = folder.join(format!("no-program-{}", std::process::id()));
    fs::write(&file, "text").unwrap();
    let file_name = file.file_name().unwrap().to_str().unwrap();
    let table = [
        (
            "/none/of/these",
            "these",
            io::ErrorKind::NotFound,
            "not_found",
        ),
        (
            file.to_str().unwrap(),
            file_name,
            io::ErrorKind::PermissionDenied,
            "permission_denied",
        ),
        (
            "with\0nul",
            "<string-with-nul>",
            io::ErrorKind::InvalidInput,
            "internal_error",
        ),
    ];
    for (program, name, kind, status) in table {
        let work = async {
            [
                Command::new(program)
                    .traced()
                    .spawn()
                    .map(drop)
                    .unwrap_err(),
                Command::new(program).traced().status().await.unwrap_err(),
                Command::new(program).traced().output().await.unwrap_err(),
                StdCommand::new(program)
                    .traced()
                    .spawn()
                    .map(drop)
                    .unwrap_err(),
                StdCommand::new(program).traced().status().unwrap_err(),
                StdCommand::new(program).traced().output().unwrap_err(),
            ]
        };
        let (errors, transaction) = recorded(work).await;
        let expected = StdCommand::new(program).spawn().map(drop).unwrap_err();
        for error in errors {
            assert_eq!(error.kind(), kind);
            assert_eq!(error.to_string(), expected.to_string());
        }
        let expected = vec![format!("subprocess {name} ({status})"); 6];
        assert_eq!(lines(&transaction), expected);
    }
    fs::remove_file(file).unwrap();
}

#[tokio::test]
async fn arguments_are_told_only_if_that_is_wanted() {
    let long = "x".repeat(1_000);
    let secret = "password=marker";
    let run = async || {
        let args = ["-c", "cat >&2; exit $MARKER", secret, &long];
        let mut command = Command::new("/bin/sh");
        command.args(args).env("MARKER", "0").stdin(Stdio::piped());
        let mut child = command.stderr(Stdio::piped()).traced().spawn().unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(b"marker")
            .await
            .unwrap();
        let output = child.wait_with_output().await.unwrap();
        assert_eq!(output.stderr, b"marker");
        let output = StdCommand::new("/bin/sh")
            .args(args)
            .env("MARKER", "1")
            .traced()
            .output();
        assert_eq!(output.unwrap().status.code(), Some(1));
        let mut many = StdCommand::new("true");
        many.args(vec!["marker"; 1_000]).traced().status().unwrap();
    };
    let ((), transaction) = recorded(run()).await;
    let sent = text(&transaction).to_lowercase();
    assert!(!sent.contains("marker") && !sent.contains("/bin"), "{sent}");

    let ((), transaction) = recorded_with(sampled().send_default_pii(true), run()).await;
    let args = told(&transaction.spans[0], "process.command_args");
    let expected = json!([
        "/bin/sh",
        "-c",
        "cat >&2; exit $MARKER",
        "password=[Filtered]",
        format!("{}…", &long[..200])
    ]);
    assert_eq!(args, expected);
    assert_eq!(
        told(&transaction.spans[2], "process.command_args"),
        expected
    );
    let many = told(&transaction.spans[3], "process.command_args");
    assert_eq!(many.as_array().unwrap().len(), 100);
    let with_args = |span: &&Span| span.data.contains_key("process.command_args");
    assert_eq!(transaction.spans.iter().filter(with_args).count(), 3);
    for span in &transaction.spans {
        assert!(["sh", "true"].contains(&span.description.as_ref()));
    }
}

#[tokio::test]
async fn waiting_that_is_given_up_is_cancelled() {
    let work = async {
        let mut child = shell("read line; exit 4")
            .stdin(Stdio::piped())
            .traced()
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        timeout(Duration::from_millis(20), child.wait())
            .await
            .unwrap_err();
        assert!(child.try_wait().unwrap().is_none());
        stdin.write_all(b"go on\n").await.unwrap();
        // As often as one likes.
        for _ in 0..2 {
            assert_eq!(child.wait().await.unwrap().code(), Some(4));
        }
        assert_eq!(child.try_wait().unwrap().unwrap().code(), Some(4));
    };
    let ((), transaction) = recorded(work).await;
    let expected = [
        "subprocess sh (ok)",
        "subprocess.wait sh (cancelled)",
        "subprocess.wait sh (internal_error)",
        "subprocess.wait sh (internal_error)",
    ];
    assert_eq!(lines(&transaction), expected);
}

#[tokio::test]
async fn a_dropped_future_ends_the_child_only_if_told_to() {
    for kill_on_drop in [false, true] {
        let work = async {
            let mut command = shell("echo started >&2; read line; echo $line");
            let (reader, writer) = io::pipe().unwrap();
            let (input, mut output) = io::pipe().unwrap();
            command
                .stdin(input)
                .stdout(writer)
                .kill_on_drop(kill_on_drop);
            let mut child = command.stderr(Stdio::piped()).traced().spawn().unwrap();
            let mut started = [0; 8];
            child
                .stderr
                .as_mut()
                .unwrap()
                .read_exact(&mut started)
                .await
                .unwrap();
            let waiting = child.wait_with_output();
            timeout(Duration::from_millis(20), waiting)
                .await
                .unwrap_err();
            // The command has copies of both ends.
            drop(command);
            let go_on = io::Write::write_all(&mut output, b"done\n");
            let mut said = String::new();
            let read = move || io::Read::read_to_string(&mut { reader }, &mut said).map(|_| said);
            let said = tokio::task::spawn_blocking(read).await.unwrap().unwrap();
            (go_on.is_ok(), said)
        };
        let ((_, said), transaction) = recorded(work).await;
        assert_eq!(said, if kill_on_drop { "" } else { "done\n" });
        let expected = [
            "subprocess sh (ok)",
            "subprocess.communicate sh (cancelled)",
        ];
        assert_eq!(lines(&transaction), expected);
    }
}

#[tokio::test]
async fn children_can_be_ended() {
    let work = async {
        let mut child = Command::new("cat")
            .stdin(Stdio::piped())
            .traced()
            .spawn()
            .unwrap();
        child.kill().await.unwrap();
        assert!(child.stdin.is_none());

        let mut child = Command::new("cat")
            .stdin(Stdio::piped())
            .traced()
            .spawn()
            .unwrap();
        let _stdin = child.stdin.take();
        child.start_kill().unwrap();
        child.wait().await.unwrap();

        let mut child = StdCommand::new("cat")
            .stdin(Stdio::piped())
            .traced()
            .spawn()
            .unwrap();
        assert!(child.try_wait().unwrap().is_none());
        let _stdin = child.stdin.take();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(child.try_wait().unwrap().is_some());
    };
    let ((), transaction) = recorded(work).await;
    let expected = [
        "subprocess cat (ok)",
        "subprocess.wait cat (ok)",
        "subprocess cat (ok)",
        "subprocess.wait cat (internal_error)",
        "subprocess cat (ok)",
        "subprocess.wait cat (internal_error)",
    ];
    assert_eq!(lines(&transaction), expected);
}

#[tokio::test]
async fn the_child_inside_is_there_for_those_who_ask() {
    let work = async {
        let mut cat = Command::new("cat");
        cat.stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = cat.traced().spawn().unwrap().into_inner();
        assert!(child.stdin.is_some() && child.stdout.is_some() && child.stderr.is_some());
        child.wait_with_output().await.unwrap();

        let mut cat = StdCommand::new("cat");
        cat.stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = cat.traced().spawn().unwrap().into_inner();
        assert!(child.stdin.is_some() && child.stdout.is_some() && child.stderr.is_some());
        child.wait_with_output().unwrap();
    };
    let ((), transaction) = recorded(work).await;
    assert_eq!(lines(&transaction), ["subprocess cat (ok)"; 2]);
}

#[tokio::test]
async fn large_data_goes_through_pipes() {
    let data = vec![b'x'; 4 << 20];
    let work = async {
        let mut command = Command::new("cat");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.traced().spawn()?;
        let mut stdin = child.stdin.take().unwrap();
        let write = async move { stdin.write_all(&data).await.map(|()| data) };
        let (written, output) = tokio::join!(write, child.wait_with_output());
        assert_eq!(written?, output?.stdout);
        io::Result::Ok(())
    };
    let (result, transaction) = recorded(work).await;
    result.unwrap();
    let expected = ["subprocess cat (ok)", "subprocess.communicate cat (ok)"];
    assert_eq!(lines(&transaction), expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn children_of_tasks_stay_with_their_tasks() {
    let work = async {
        let mut tasks = JoinSet::new();
        for number in 0..40_i32 {
            let work = async move {
                let mut command = shell(&format!("exit {number}"));
                assert_eq!(
                    command.traced().status().await.unwrap().code(),
                    Some(number)
                );
            };
            tasks.spawn_in_current_scope(work.in_span("task", number.to_string()));
        }
        tasks.join_all().await;
    };
    let ((), transaction) = recorded(work).await;
    assert_eq!(transaction.spans.len(), 120);
    for wait in transaction
        .spans
        .iter()
        .filter(|span| span.op == "subprocess.wait")
    {
        let mut tasks = transaction.spans.iter();
        let task = tasks
            .find(|span| span.span_id == wait.parent_span_id)
            .unwrap();
        assert_eq!(
            told(wait, "process.exit.code").to_string(),
            task.description
        );
    }
}

#[tokio::test]
async fn a_child_that_was_started_elsewhere_is_told_as_such() {
    let mut child = Command::new("true").traced().spawn().unwrap();
    let (_, transaction) = recorded(child.wait()).await;
    assert_eq!(lines(&transaction), ["subprocess.wait child process (ok)"]);
}

/// A child that runs this test.
fn this_test(name: &str) -> StdCommand {
    let mut command = StdCommand::new(env::current_exe().unwrap());
    command
        .args(["--exact", name, "--nocapture"])
        .env(CHILD, "");
    command
}

fn assert_passed(output: &Output) {
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{output:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_continues_the_trace() {
    if env::var_os(CHILD).is_some() {
        let options = Options::from_env().traces_sample_rate(1.0);
        let client = taskspan::init(options).unwrap();
        async {}.in_transaction("task", "child").await;
        assert_eq!(client.close(SOON).await.transactions.pending, 0);
        return;
    }
    let receiver = Receiver::start().await.unwrap();
    let command = || {
        let mut command = this_test("a_child_continues_the_trace");
        command.env("SENTRY_DSN", receiver.dsn());
        command
    };
    let work = async {
        assert_passed(&Command::from(command()).traced().output().await.unwrap());
        let mut blocking = command();
        let output = taskspan::spawn_blocking(move || blocking.traced().output());
        assert_passed(&output.await.unwrap().unwrap());
        let mut cleared = command();
        cleared
            .env_clear()
            .env(CHILD, "")
            .env("SENTRY_DSN", receiver.dsn());
        let mut child = Command::from(cleared).traced().spawn().unwrap();
        assert!(child.wait().await.unwrap().success());
    };
    let ((), transaction) = recorded(work).await;
    let trace = &transaction.contexts.trace;
    let starts = transaction
        .spans
        .iter()
        .filter(|span| span.op == "subprocess");
    let starts: Vec<_> = starts.map(|span| span.span_id).collect();
    let children = receiver.transactions();
    let parents: Vec<_> = children
        .iter()
        .map(|child| {
            assert_eq!(child.trace_id, trace.trace_id);
            child.parent_span_id.unwrap()
        })
        .collect();
    assert_eq!(parents, starts);

    // The decision holds in the child as well, and without one it decides itself.
    for (options, arrives) in [
        (Options::disabled().traces_sample_rate(0.0), false),
        (Options::disabled(), true),
    ] {
        let (client, sent) = taskspan::test::client(options);
        let before = receiver.transactions().len();
        let work = async {
            assert_passed(&Command::from(command()).traced().output().await.unwrap());
            taskspan::outgoing_trace().unwrap().sentry_trace()
        };
        let here = work
            .in_transaction("task", "work")
            .with_client(&client)
            .await;
        assert!(sent.transactions().is_empty());
        let arrived = &receiver.transactions()[before..];
        assert_eq!(arrived.len(), usize::from(arrives));
        for child in arrived {
            assert!(here.starts_with(&child.trace_id.to_string()));
        }
    }
}

/// What a child finds in its environment.
fn variables(command: &mut StdCommand, traced: bool) -> Vec<String> {
    let output = match traced {
        true => command.traced().output(),
        false => command.output(),
    };
    let output = String::from_utf8(output.unwrap().stdout).unwrap();
    let mut lines: Vec<_> = output.lines().map(str::to_owned).collect();
    lines.retain(|line| line.starts_with("SENTRY_"));
    lines.sort();
    lines
}

#[tokio::test]
async fn each_child_has_the_trace_of_its_own_start() {
    if env::var_os(CHILD).is_none() {
        // With and without a trace that came to this process, of which variables tell.
        let mut child = this_test("each_child_has_the_trace_of_its_own_start");
        child
            .env_remove("SENTRY_TRACE")
            .env_remove("SENTRY_BAGGAGE");
        assert_passed(&child.output().unwrap());
        child
            .env("SENTRY_TRACE", "inherited")
            .env("SENTRY_BAGGAGE", "sentry-inherited=1");
        assert_passed(&child.output().unwrap());
        return;
    }
    let inherited = match env::var_os("SENTRY_TRACE") {
        None => vec![],
        Some(_) => vec![
            "SENTRY_BAGGAGE=sentry-inherited=1",
            "SENTRY_TRACE=inherited",
        ],
    };
    let (client, sent) = taskspan::test::client(sampled());
    let work = async {
        for cleared in [false, true] {
            let mut command = StdCommand::new("/usr/bin/env");
            if cleared {
                command.env_clear();
            }
            let untraced: &[&str] = if cleared { &[] } else { &inherited };
            let first = variables(&mut command, true);
            assert_eq!(variables(&mut command, false), untraced);
            let second = variables(&mut command, true);
            assert_eq!(variables(&mut command, false), untraced);
            assert_eq!(first.len(), 2, "{first:?}");
            assert!(first[0].starts_with("SENTRY_BAGGAGE=sentry-"), "{first:?}");
            assert_eq!(first[0], second[0]);
            assert_ne!(first[1], second[1], "each child has its own parent");

            // What the command sets itself.
            for (name, value) in [("SENTRY_TRACE", "mine"), ("SENTRY_BAGGAGE", "mine=1")] {
                let mut own = StdCommand::new("/usr/bin/env");
                own.env_clear().env(name, value);
                for traced in [true, false, true] {
                    assert_eq!(variables(&mut own, traced), [format!("{name}={value}")]);
                }
            }
        }
    };
    work.in_transaction("task", "work")
        .with_client(&client)
        .await;
    let transaction = sent.take().remove(0);
    assert_eq!(transaction.spans.len(), 12);

    // A trace of which nothing else is known has no baggage, and not that of another either.
    let header = "3f0c2a9be41d4f7c9a60b1d2c3e4f506-b7e4a1930c5d2f68-1";
    let incoming = IncomingTrace::new(Some(header), Some(""));
    let work = async { variables(&mut StdCommand::new("/usr/bin/env"), true) };
    let found = work.continue_trace(&incoming).with_client(&client).await;
    assert!(
        found.len() < 2 || !found[0].contains("inherited"),
        "{found:?}"
    );
    assert!(
        found
            .last()
            .unwrap()
            .starts_with("SENTRY_TRACE=3f0c2a9be41d4f7c9a60b1d2c3e4f506-")
    );

    // Without a client there is nothing to tell.
    let mut command = StdCommand::new("/usr/bin/env");
    assert_eq!(variables(&mut command, true), inherited);
}

#[tokio::test]
async fn commands_keep_what_was_set() {
    let work = async {
        let mut command = StdCommand::new("sh");
        command.arg0("renamed").args(["-c", "pwd; echo $0 $A"]);
        command.current_dir("/").env("A", "a");
        for _ in 0..2 {
            let output = command.traced().output().unwrap();
            assert_eq!(output.stdout, b"/\nrenamed a\n");
        }
        let mut command = Command::from(command);
        for _ in 0..2 {
            let output = command.traced().output().await.unwrap();
            assert_eq!(output.stdout, b"/\nrenamed a\n");
        }
    };
    recorded(work).await;
}

#[test]
fn what_is_not_recorded_costs_nothing_but_the_variables() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let count = |work: &mut dyn FnMut()| {
        // The fewest of several, as buffers grow now and then.
        let measure = |_| allocation_counter::measure(&mut *work).count_total;
        (0..5).map(measure).min().unwrap()
    };
    let spawn_and_wait = |traced: bool| {
        let mut command = StdCommand::new("true");
        count(&mut || match traced {
            true => assert!(command.traced().status().unwrap().success()),
            false => assert!(command.status().unwrap().success()),
        })
    };
    assert_eq!(
        spawn_and_wait(true),
        spawn_and_wait(false),
        "without a client"
    );

    let options = Options::disabled().traces_sample_rate(0.0);
    let (client, _sent) = taskspan::test::client(options);
    let in_transaction = |work: &mut dyn FnMut()| {
        let work = async { work() }.in_transaction("task", "work");
        runtime.block_on(work.with_client(&client));
    };
    let mut counts = [0; 2];
    in_transaction(&mut || {
        let mut command = StdCommand::new("true");
        counts[0] = count(&mut || {
            assert!(command.traced().status().unwrap().success());
        });
        let mut command = StdCommand::new("true");
        counts[1] = count(&mut || {
            let trace = taskspan::outgoing_trace().unwrap();
            command.env_remove("SENTRY_BAGGAGE").envs(trace.env());
            assert!(command.status().unwrap().success());
            command
                .env_remove("SENTRY_TRACE")
                .env_remove("SENTRY_BAGGAGE");
        });
    });
    assert_eq!(counts[0], counts[1], "in a transaction that is not sampled");

    let mut counts = [0; 2];
    let wait = |traced: bool, count: &mut u64| {
        runtime.block_on(async {
            let mut bare = Command::new("true").spawn().unwrap();
            let mut child = Command::new("true").traced().spawn().unwrap();
            let waiting = async {
                // So that what it costs to wait for signals is not part of it.
                while bare.try_wait().unwrap().is_none() || child.try_wait().unwrap().is_none() {
                    tokio::task::yield_now().await;
                }
                let measured = allocation_counter::measure(|| {
                    let waker = std::task::Waker::noop();
                    let mut context = std::task::Context::from_waker(waker);
                    let is_ready = match traced {
                        true => std::pin::pin!(child.wait()).poll(&mut context).is_ready(),
                        false => std::pin::pin!(bare.wait()).poll(&mut context).is_ready(),
                    };
                    assert!(is_ready);
                });
                *count = measured.count_total;
            };
            waiting
                .in_transaction("task", "work")
                .with_client(&client)
                .await;
        });
    };
    wait(true, &mut counts[0]);
    wait(false, &mut counts[1]);
    assert_eq!(counts[0], counts[1]);
}
