//! The children of the standard library, for which a thread waits.

use std::io;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Output};

use super::command::Traced;
use super::program::Program;

/// A `std::process::Child` that is waited for within spans.
///
/// Its fields and methods are those of the child inside, for which see there. Dropping it neither
/// ends the child nor waits for it.
#[derive(Debug)]
pub struct StdChild {
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
    /// Those of `std::process::Command::spawn`.
    pub fn spawn(self) -> io::Result<StdChild> {
        let mut program = Program::of(ORIGIN, self.command);
        let id = |child: &Child| Some(child.id());
        let mut inner = program.start(self.command, Command::spawn, id)?;
        Ok(StdChild {
            stdin: inner.stdin.take(),
            stdout: inner.stdout.take(),
            stderr: inner.stderr.take(),
            inner,
            program,
        })
    }

    /// Starts the child and waits for it, within a `subprocess` and a `subprocess.wait`.
    ///
    /// # Errors
    ///
    /// Those of `std::process::Command::status`.
    pub fn status(self) -> io::Result<ExitStatus> {
        self.spawn()?.wait()
    }

    /// Starts the child, and waits for it and its output, all within one `subprocess`.
    ///
    /// # Errors
    ///
    /// Those of `std::process::Command::output`.
    pub fn output(self) -> io::Result<Output> {
        // Only the library knows what was piped and what was not said, so it is one call.
        Program::of(ORIGIN, self.command).start_and_finish(self.command, Command::output)
    }
}

impl StdChild {
    /// The id of the process.
    pub fn id(&self) -> u32 {
        self.inner.id()
    }

    /// Ends the child by force. It still has to be waited for.
    ///
    /// # Errors
    ///
    /// Those of `std::process::Child::kill`.
    pub fn kill(&mut self) -> io::Result<()> {
        self.inner.kill()
    }

    /// Closes `stdin` and waits until the child has ended, within a `subprocess.wait`.
    ///
    /// # Errors
    ///
    /// Those of `std::process::Child::wait`.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        drop(self.stdin.take());
        self.program.finish("subprocess.wait", || self.inner.wait())
    }

    /// How the child has ended, if it has. No span, as nobody waits.
    ///
    /// # Errors
    ///
    /// Those of `std::process::Child::try_wait`.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.inner.try_wait()
    }

    /// Closes `stdin`, and waits for the child and its output, within a `subprocess.communicate`.
    ///
    /// # Errors
    ///
    /// Those of `std::process::Child::wait_with_output`.
    pub fn wait_with_output(self) -> io::Result<Output> {
        let (inner, program) = self.into_parts();
        program.finish("subprocess.communicate", || inner.wait_with_output())
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

const ORIGIN: &str = "auto.subprocess.std";
