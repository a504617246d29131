//! What the SDK says of itself: nothing, unless `debug` is on, and everything once.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

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
        say(topic);
    }
}

#[cold]
#[expect(
    clippy::print_stderr,
    reason = "the user asked for it with the option `debug`"
)]
fn say(topic: Topic) {
    let bit = 1 << topic as u32;
    if SAID.fetch_or(bit, Ordering::Relaxed) & bit == 0 {
        eprintln!("taskspan: {}", topic.text());
    }
}

impl Topic {
    fn text(self) -> &'static str {
        match self {
            Self::NoClient => {
                "a transaction was not recorded: there is no client, or it has no DSN"
            }
            Self::NoSampleRate => "nothing will be recorded: `traces_sample_rate` is not set",
            Self::SpanLimit => {
                "a transaction has reached its limit of spans: further ones are counted, not recorded"
            }
            Self::Attributes => "a task has set 8 MiB of attributes: further ones are not kept",
            Self::NoScope => "scope data was set outside of any transaction and has no effect",
        }
    }
}

static ENABLED: AtomicBool = AtomicBool::new(false);
static SAID: AtomicU32 = AtomicU32::new(0);
