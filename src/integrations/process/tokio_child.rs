//! The children of Tokio, for which a task waits.

use std::io;
use std::process::{ExitStatus, Output, Stdio};

use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use super::command::Traced;
use super::program::{Exit, Program, note_exit};
use crate::integrations::call::InCall;

/// A `tokio::process::Child` that is waited for within spans.
///
/// Its fields and methods are those of the child inside, for which see there. Dropping it does not
/// end the child, unless the command was told to `kill_on_drop`.
#[derive(Debug)]
pub struct TokioChild {
    /// What is written to the child, if that was piped.
    pub stdin: Option<ChildStdin>,
    /// What the child writes, if that was piped.
    pub stdout: Option<ChildStdout>,
    /// What the child writes of its errors, if that was piped.
    pub stderr: Option<ChildStderr>,
    inner: Child,
    program: Program,
}

impl Traced<'_, Command> {
    /// Starts the child, within a `subprocess`.
    ///
    /// # Errors
    ///
    /// Those of `tokio::process::Command::spawn`.
    ///
    /// # Panics
    ///
    /// Outside of a runtime, as that does.
    pub fn spawn(self) -> io::Result<TokioChild> {
        let mut program = Program::of(ORIGIN, self.command.as_std());
        let mut inner = program.start(self.command, Command::spawn, Child::id)?;
        Ok(TokioChild {
            stdin: inner.stdin.take(),
            stdout: inner.stdout.take(),
            stderr: inner.stderr.take(),
            inner,
            program,
        })
    }

    /// Starts the child now, and waits for it where the future is polled, within a `subprocess` and
    /// a `subprocess.wait`.
    ///
    /// # Errors
    ///
    /// Those of `tokio::process::Command::status`.
    ///
    /// # Panics
    ///
    /// Outside of a runtime, as that does.
    ///
    /// # Cancel safety
    ///
    /// That of [`TokioChild::wait`]. The child is dropped with the future.
    pub fn status(self) -> impl Future<Output = io::Result<ExitStatus>> + use<> {
        let child = self.spawn();
        async {
            let mut child = child?;
            // Or else it might wait for somebody to read or to write.
            (child.stdin, child.stdout, child.stderr) = (None, None, None);
            child.wait().await
        }
    }

    /// Starts the child now, and waits for it and its output where the future is polled, within a
    /// `subprocess` and a `subprocess.communicate`.
    ///
    /// # Errors
    ///
    /// Those of `tokio::process::Command::output`.
    ///
    /// # Panics
    ///
    /// Outside of a runtime, as that does.
    ///
    /// # Cancel safety
    ///
    /// That of [`TokioChild::wait_with_output`].
    pub fn output(self) -> impl Future<Output = io::Result<Output>> + use<> {
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = self.spawn();
        async { child?.wait_with_output().await }
    }
}

impl TokioChild {
    /// The id of the process, `None` once it is known to have ended.
    pub fn id(&self) -> Option<u32> {
        self.inner.id()
    }

    /// Ends the child by force. It still has to be waited for.
    ///
    /// # Errors
    ///
    /// Those of `tokio::process::Child::start_kill`.
    pub fn start_kill(&mut self) -> io::Result<()> {
        self.inner.start_kill()
    }

    /// Ends the child by force and waits until it has ended, within a `subprocess.wait`.
    ///
    /// # Errors
    ///
    /// Those of `tokio::process::Child::kill`.
    pub async fn kill(&mut self) -> io::Result<()> {
        drop(self.stdin.take());
        finish(&self.program, WAIT, self.inner.kill()).await
    }

    /// Closes `stdin` and waits until the child has ended, within a `subprocess.wait`.
    ///
    /// # Errors
    ///
    /// Those of `tokio::process::Child::wait`.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends its span as `cancelled`, and the child goes on. It can be waited
    /// for again, in a span of its own.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        drop(self.stdin.take());
        finish(&self.program, WAIT, self.inner.wait()).await
    }

    /// How the child has ended, if it has. No span, as nobody waits.
    ///
    /// # Errors
    ///
    /// Those of `tokio::process::Child::try_wait`.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.inner.try_wait()
    }

    /// Closes `stdin`, and waits for the child and its output, within a `subprocess.communicate`.
    ///
    /// # Errors
    ///
    /// Those of `tokio::process::Child::wait_with_output`.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends its span as `cancelled`. The child is dropped with it, and goes on
    /// unless the command was told to `kill_on_drop`.
    pub async fn wait_with_output(self) -> io::Result<Output> {
        let (inner, program) = self.into_parts();
        finish(&program, "subprocess.communicate", inner.wait_with_output()).await
    }

    /// The child inside, for which no span will wait.
    pub fn into_inner(self) -> Child {
        self.into_parts().0
    }

    fn into_parts(self) -> (Child, Program) {
        let mut inner = self.inner;
        inner.stdin = self.stdin;
        inner.stdout = self.stdout;
        inner.stderr = self.stderr;
        (inner, self.program)
    }
}

/// Does what lasts until the child has ended, within a span.
async fn finish<R: Exit>(
    program: &Program,
    op: &'static str,
    work: impl Future<Output = io::Result<R>>,
) -> io::Result<R> {
    match program.begin(op) {
        None => work.await,
        Some(span) => InCall::new(span, work, note_exit).await,
    }
}

const ORIGIN: &str = "auto.subprocess.tokio";
const WAIT: &str = "subprocess.wait";
