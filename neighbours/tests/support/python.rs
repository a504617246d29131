//! A real service with another SDK, `tests/interop/service.py`, in a process of its own.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// A service in Python that runs until it is dropped.
pub(crate) struct Python {
    pub(crate) url: String,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    // It is killed when it is dropped. It also ends by itself once its input does.
    _process: Child,
}

impl Python {
    pub(crate) async fn start() -> Self {
        Self::start_with([]).await
    }

    /// Starts it with these environment variables and no others.
    pub(crate) async fn start_with(
        variables: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let required = fs::read(root.join("tests/interop/requirements.txt")).unwrap();
        let python = root.join("../target/python");
        assert!(
            fs::read(python.join("requirements.txt")).is_ok_and(|there| there == required),
            "`sentry-sdk` is not installed in this version, which `./test` does"
        );
        let mut process = Command::new(python.join("bin/python"))
            .arg(root.join("tests/interop/service.py"))
            .env_clear()
            .envs(variables)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut service = Self {
            url: String::new(),
            input: process.stdin.take().unwrap(),
            output: BufReader::new(process.stdout.take().unwrap()).lines(),
            _process: process,
        };
        service.url = service.result().await;
        service
    }

    /// Has it do something, and waits for the result.
    pub(crate) async fn ask<T: DeserializeOwned>(&mut self, command: &str, arguments: Value) -> T {
        let line = format!("{}\n", json!({ command: arguments }));
        self.input.write_all(line.as_bytes()).await.unwrap();
        self.result().await
    }

    async fn result<T: DeserializeOwned>(&mut self) -> T {
        let line = timeout(SOON, self.output.next_line()).await;
        let line = line.expect("Python hangs").unwrap();
        serde_json::from_str(&line.expect("Python has failed")).unwrap()
    }
}

const SOON: Duration = Duration::from_secs(60);
