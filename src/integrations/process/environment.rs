//! The environment of a child, which tells it of the trace.

use std::env;
use std::process::Command;

use super::command::AsStd;
use crate::propagation::{SENTRY_BAGGAGE, SENTRY_TRACE_VARIABLE};
use crate::span::outgoing_trace;

/// Starts a child that is told of the current trace.
///
/// For the next child the command is as it was before. A command that sets one of the variables
/// itself keeps both.
pub(super) fn with_trace<L: AsStd, R>(command: &mut L, spawn: impl FnOnce(&mut L) -> R) -> R {
    let Some(trace) = outgoing_trace().filter(|_| !sets_trace(command.as_std())) else {
        return spawn(command);
    };
    let variables = command.as_std_mut();
    // What this process was told of may be another trace.
    variables.env_remove(SENTRY_BAGGAGE);
    variables.envs(trace.env());
    let result = spawn(command);
    for name in VARIABLES {
        reset(command.as_std_mut(), name);
    }
    result
}

/// Whether the command sets one of the variables to anything but what a child would inherit.
fn sets_trace(command: &Command) -> bool {
    command.get_envs().any(|(name, value)| {
        VARIABLES.iter().any(|variable| name == *variable)
            && value.is_some_and(|value| env::var_os(name).as_deref() != Some(value))
    })
}

/// Makes a variable for the next child what it would inherit.
fn reset(command: &mut Command, name: &str) {
    command.env_remove(name);
    // After `env_clear` there is nothing to inherit, and nothing noted about what was removed.
    let inherits = command.get_envs().any(|(noted, _)| noted == name);
    if let Some(value) = env::var_os(name).filter(|_| inherits) {
        command.env(name, value);
    }
}

const VARIABLES: [&str; 2] = [SENTRY_TRACE_VARIABLE, SENTRY_BAGGAGE];
