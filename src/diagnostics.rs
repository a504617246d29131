//! What the SDK says of itself, everything once: nothing, unless `debug` is on or Spotlight is used.

use std::error::Error;
use std::fmt::{self, Display};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::transport::DropReason;

/// Something to say, once in a process.
#[derive(Clone, Copy)]
pub(crate) enum Topic {
    /// There is no client, or it has no DSN.
    NoClient,
    /// There is a DSN, and no rate to sample with.
    NoSampleRate,
    /// A transaction has more spans than are recorded.
    SpanLimit,
    /// Attributes are more than a task may hold.
    Attributes,
    /// Scope data was set where there is no scope.
    NoScope,
    /// The user's sampler returns something else than a rate.
    SamplerRate,
    /// The user's sampler panics.
    SamplerPanic,
    /// The user's `before_breadcrumb` panics.
    BreadcrumbPanic,
    /// The server can't be reached. There will be another try.
    Unreachable,
    /// The server does not answer. There will be another try.
    Timeout,
    /// Spotlight does not take what it is sent. There will be another try.
    Spotlight,
    /// `SENTRY_SPOTLIGHT` has a value that is of no use.
    SpotlightVariable,
    /// `SENTRY_SPOTLIGHT` says something, and the option names another URL.
    SpotlightOption,
    /// A callback of the program panicked.
    EventProcessorPanicked,
    BeforeSendSpanPanicked,
    BeforeSendTransactionPanicked,
    /// Something is lost for the first time for this reason.
    Lost(DropReason),
}

/// Lets diagnostics be written to the standard error, from now on.
pub(crate) fn enable(debug: bool) {
    if debug {
        ENABLED.store(true, Ordering::Relaxed);
    }
}

/// Says something unless it was said before.
#[inline]
pub(crate) fn once(topic: Topic) {
    if ENABLED.load(Ordering::Relaxed) {
        say(topic, None);
    }
}

/// Says something with its cause, unless it was said before.
pub(crate) fn once_because(topic: Topic, cause: &dyn Error) {
    if ENABLED.load(Ordering::Relaxed) {
        say(topic, Some(&Chain(cause)));
    }
}

/// Says something unless it was said before, whether or not diagnostics are on.
///
/// It is for what only happens to somebody who uses a tool for development.
pub(crate) fn once_in_any_case(topic: Topic, cause: Option<&dyn Display>) {
    say(topic, cause);
}

#[cold]
#[expect(
    clippy::print_stderr,
    reason = "the user asked for it with the option `debug`, or for Spotlight"
)]
fn say(topic: Topic, cause: Option<&dyn Display>) {
    let bit = 1 << topic.number();
    if SAID.fetch_or(bit, Ordering::Relaxed) & bit == 0 {
        match cause {
            None => eprintln!("taskspan: {topic}"),
            Some(cause) => eprintln!("taskspan: {topic}: {cause}"),
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

impl Topic {
    /// Which of 32 bits remembers that it was said.
    fn number(self) -> usize {
        match self {
            Self::NoClient => 0,
            Self::NoSampleRate => 1,
            Self::SpanLimit => 2,
            Self::Attributes => 3,
            Self::NoScope => 4,
            Self::SamplerRate => 26,
            Self::SamplerPanic => 27,
            Self::BreadcrumbPanic => 28,
            Self::Unreachable => 5,
            Self::Timeout => 6,
            Self::Spotlight => 7,
            Self::SpotlightVariable => 30,
            Self::SpotlightOption => 31,
            Self::Lost(reason) => 8 + reason.index(),
            Self::EventProcessorPanicked => 24,
            Self::BeforeSendSpanPanicked => 25,
            Self::BeforeSendTransactionPanicked => 26,
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoClient => {
                "a transaction was not recorded: there is no client, or it has no DSN"
            }
            Self::NoSampleRate => "nothing will be sent: `traces_sample_rate` is not set",
            Self::SpanLimit => {
                "a transaction has reached its limit of spans: further ones are counted, not recorded"
            }
            Self::Attributes => "a task has set 8 MiB of attributes: further ones are not kept",
            Self::NoScope => "scope data was set outside of any transaction and has no effect",
            Self::SamplerRate => {
                "`traces_sampler` returns something else than a number from 0 to 1: such transactions are not recorded"
            }
            Self::SamplerPanic => "`traces_sampler` panics, and is then taken for unset",
            Self::BreadcrumbPanic => "`before_breadcrumb` panics: such breadcrumbs are dropped",
            Self::Unreachable => "the server cannot be reached, and will be tried again",
            Self::Timeout => "the server does not answer in time, and will be tried again",
            Self::Spotlight => "Spotlight does not take what it is sent, and will be tried again",
            Self::SpotlightVariable => "Spotlight gets nothing",
            Self::SpotlightOption => {
                "`SENTRY_SPOTLIGHT` is not obeyed: the option `spotlight` names a URL"
            }
            Self::EventProcessorPanicked => {
                "an event processor panicked: the transaction is dropped"
            }
            Self::BeforeSendSpanPanicked => {
                "`before_send_span` panicked: the span is sent unchanged"
            }
            Self::BeforeSendTransactionPanicked => {
                "`before_send_transaction` panicked: the transaction is dropped"
            }
            Self::Lost(reason) => {
                return write!(f, "transactions or spans are being lost: {}", reason.as_str());
            }
        })
    }
}

static ENABLED: AtomicBool = AtomicBool::new(false);
static SAID: AtomicU32 = AtomicU32::new(0);
