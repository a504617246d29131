//! A service that is asked to stop, which the example `shutdown` is.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The example, which stands beside the directory of this test.
fn example() -> PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.join("examples").join("shutdown")
}

#[test]
fn the_example_closes_on_signals() {
    for (signal, name) in [("TERM", "SIGTERM"), ("INT", "Ctrl-C")] {
        let mut child = Command::new(example())
            .env_remove("SENTRY_DSN")
            .stdout(Stdio::piped())
            .spawn()
            .expect("examples are built with the tests");
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        assert!(line.starts_with("working"), "{line}");
        std::thread::sleep(std::time::Duration::from_millis(200));

        let id = child.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &id]).status();
        assert!(sent.unwrap().success());
        let mut rest = String::new();
        output.read_to_string(&mut rest).unwrap();
        assert!(child.wait().unwrap().success());
        assert!(rest.contains(&format!("stopping: {name}")), "{rest}");
        assert!(rest.contains(" 0 dropped, 0 pending"), "{rest}");
        assert!(!rest.contains(" 0 transactions"), "{rest}");
    }
}
