//! What may be told of a child: the program, and how it ends.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::io::{self, ErrorKind};
#[cfg(unix)]
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Output};

use super::command::AsStd;
use super::environment::with_trace;
use crate::integrations::call::{begin, in_call};
use crate::privacy;
use crate::protocol::SpanStatus;
use crate::protocol::fields::shortened;
use crate::span::{PolledSpan, Span, is_recording};
use crate::task::slot;

/// A program that is started by one of the libraries.
#[derive(Debug)]
pub(super) struct Program {
    origin: &'static str,
    /// Without its folder. Not known if nothing is recorded where it is started.
    name: Option<String>,
    id: Option<u32>,
}

impl Program {
    pub(super) fn of(origin: &'static str, command: &Command) -> Self {
        Self {
            origin,
            name: is_recording().then(|| file_name(command.get_program())),
            id: None,
        }
    }

    /// Starts a child that is told of the trace, within a span that ends when it has started.
    pub(super) fn start<L: AsStd, C>(
        &mut self,
        command: &mut L,
        spawn: impl FnOnce(&mut L) -> io::Result<C>,
        id: impl FnOnce(&C) -> Option<u32>,
    ) -> io::Result<C> {
        let Some(mut span) = self.begin_start(command.as_std()) else {
            return with_trace(command, spawn);
        };
        let result = span.run(|| with_trace(command, spawn));
        match &result {
            Ok(child) => {
                self.id = id(child);
                span.set_data("process.pid", self.id);
            }
            Err(error) => span.set_status(of_error(error)),
        }
        span.finish();
        result
    }

    /// Starts a child that is told of the trace, within a span that ends when it has ended.
    pub(super) fn start_and_finish<R: Exit>(
        &self,
        command: &mut Command,
        run: impl FnOnce(&mut Command) -> io::Result<R>,
    ) -> io::Result<R> {
        let span = self.begin_start(command);
        in_call(span, || with_trace(command, run), note_exit)
    }

    /// Does what lasts until the child has ended, within a span.
    pub(super) fn finish<R: Exit>(
        &self,
        op: &'static str,
        work: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R> {
        in_call(self.begin(op), work, note_exit)
    }

    pub(super) fn begin(&self, op: &'static str) -> Option<PolledSpan> {
        let span = begin(op, self.origin, || match &self.name {
            Some(name) => Cow::Owned(name.clone()),
            None => Cow::Borrowed("child process"),
        })?;
        if let Some(id) = self.id {
            span.set_data("process.pid", id);
        }
        Some(span)
    }

    fn begin_start(&self, command: &Command) -> Option<PolledSpan> {
        let span = self.begin("subprocess")?;
        span.set_data("process.executable.name", &self.name);
        if slot::current_client().is_some_and(|client| client.sends_default_pii()) {
            let all = [command.get_program()]
                .into_iter()
                .chain(command.get_args());
            let all = all.take(MAX_ARGUMENTS).map(OsStr::to_string_lossy);
            // Secrets first: a URL that was cut may not show that it has a password.
            let told = privacy::arguments(all.map(Cow::into_owned).collect());
            let shortened = |argument: &String| shortened(argument, MAX_CHARACTERS);
            let told: Vec<_> = told.iter().map(shortened).collect();
            span.set_data("process.command_args", told);
        }
        Some(span)
    }
}

/// What tells how a child has ended.
pub(super) trait Exit {
    fn status(&self) -> Option<ExitStatus>;
}

impl Exit for ExitStatus {
    fn status(&self) -> Option<ExitStatus> {
        Some(*self)
    }
}

impl Exit for Output {
    fn status(&self) -> Option<ExitStatus> {
        Some(self.status)
    }
}

/// It was to be killed, and has been.
impl Exit for () {
    fn status(&self) -> Option<ExitStatus> {
        None
    }
}

/// Says on a span how a child has ended.
pub(super) fn note_exit<R: Exit>(span: &Span, result: &io::Result<R>) -> SpanStatus {
    let exit = match result {
        Ok(exit) => exit.status(),
        Err(error) => return of_error(error),
    };
    let Some(exit) = exit else {
        return SpanStatus::Ok;
    };
    if let Some(code) = exit.code() {
        span.set_data("process.exit.code", code);
    }
    #[cfg(unix)]
    if let Some(signal) = exit.signal() {
        span.set_data("process.exit.signal", signal);
    }
    match exit.success() {
        true => SpanStatus::Ok,
        false => SpanStatus::InternalError,
    }
}

fn of_error(error: &io::Error) -> SpanStatus {
    match error.kind() {
        ErrorKind::NotFound => SpanStatus::NotFound,
        ErrorKind::PermissionDenied => SpanStatus::PermissionDenied,
        _ => SpanStatus::InternalError,
    }
}

/// The name of a program without its folder, which may be somebody's.
fn file_name(program: &OsStr) -> String {
    let name = Path::new(program).file_name().unwrap_or(program);
    cut(name)
}

/// The beginning of an argument.
fn cut(argument: &OsStr) -> String {
    shortened(&argument.to_string_lossy(), MAX_CHARACTERS)
}

/// How many arguments are told.
const MAX_ARGUMENTS: usize = 100;

/// How much of an argument is told.
const MAX_CHARACTERS: usize = 200;
