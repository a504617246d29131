//! What the SDK reports about itself, everything once: little, unless `debug` is on.

use std::error::Error;
use std::fmt::{self, Display};
use std::sync::atomic::{AtomicBool, Ordering};

/// Something to report, once in a process. It is a `static` of the code that reports it.
pub(crate) struct Topic {
    said: AtomicBool,
    text: &'static str,
}

impl Topic {
    pub(crate) const fn new(text: &'static str) -> Self {
        Self {
            said: AtomicBool::new(false),
            text,
        }
    }
}

/// Lets diagnostics be written to the standard error, from now on.
pub(crate) fn enable(debug: bool) {
    if debug {
        ENABLED.store(true, Ordering::Relaxed);
    }
}

/// Reports something unless it was reported before.
#[inline]
pub(crate) fn once(topic: &Topic) {
    if ENABLED.load(Ordering::Relaxed) {
        say(topic, None);
    }
}

/// Reports something with a detail, unless it was reported before.
#[inline]
pub(crate) fn once_with(topic: &Topic, detail: &dyn Display) {
    if ENABLED.load(Ordering::Relaxed) {
        say(topic, Some(detail));
    }
}

/// Reports something with its cause, unless it was reported before.
pub(crate) fn once_because(topic: &Topic, cause: &dyn Error) {
    once_with(topic, &Chain(cause));
}

/// Reports something unless it was reported before, even if diagnostics are off.
///
/// It is for what would go unnoticed otherwise and keeps a program from working as it was set up.
pub(crate) fn once_in_any_case(topic: &Topic, detail: Option<&dyn Display>) {
    say(topic, detail);
}

#[cold]
#[expect(
    clippy::print_stderr,
    reason = "the user asked for it with the option `debug`, or would look for it there"
)]
fn say(topic: &Topic, detail: Option<&dyn Display>) {
    if !topic.said.swap(true, Ordering::Relaxed) {
        match detail {
            None => eprintln!("taskspan: {}", topic.text),
            Some(detail) => eprintln!("taskspan: {}: {detail}", topic.text),
        }
    }
}

/// An error with all that caused it.
pub(crate) struct Chain<'a>(pub(crate) &'a dyn Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        match self.0.source() {
            None => Ok(()),
            Some(source) => write!(f, ": {}", Chain(source)),
        }
    }
}

static ENABLED: AtomicBool = AtomicBool::new(false);
