//! Why a client could not be made.

use std::fmt;

use crate::options::OptionsError;

/// The error returned when a client cannot be made.
#[derive(Debug)]
#[non_exhaustive]
pub enum InitError {
    /// One of the options has a value that cannot be used.
    Options(OptionsError),
    /// There is no Tokio runtime here that could deliver anything.
    NoRuntime,
    /// The Tokio runtime here has no timers or no I/O. This is the method of
    /// [`tokio::runtime::Builder`] that enables what it lacks.
    RuntimeLacks(&'static str),
}

impl fmt::Display for InitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Options(error) => error.fmt(f),
            Self::NoRuntime => f.write_str("there is no Tokio runtime here to deliver anything in"),
            Self::RuntimeLacks(method) => write!(
                f,
                "the Tokio runtime here cannot deliver anything: build it with `{method}()`"
            ),
        }
    }
}

impl std::error::Error for InitError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            // Its own text is this one's, so what comes next is its source.
            Self::Options(error) => error.source(),
            Self::NoRuntime | Self::RuntimeLacks(_) => None,
        }
    }
}

impl From<OptionsError> for InitError {
    fn from(error: OptionsError) -> Self {
        Self::Options(error)
    }
}
