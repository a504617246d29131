//! Where in a program a span is described, as `tracing` knows it.

use serde_json::value::{RawValue, to_raw_value};
use tracing_core::Metadata;

/// A place in the program, and what is the same for all spans that are described there.
///
/// A span only points to it, and what it says is written where the span is sent.
pub(crate) type Callsite = &'static Metadata<'static>;

/// The attributes of spans that are described there.
pub(crate) fn attributes(
    callsite: Callsite,
) -> impl Iterator<Item = (&'static str, Box<RawValue>)> {
    let texts = [
        ("sentry.tracing.target", Some(callsite.target())),
        ("sentry.tracing.level", Some(callsite.level().as_str())),
        ("code.module.name", callsite.module_path()),
        ("code.file.path", callsite.file()),
    ];
    let texts = texts.map(|(key, text)| Some((key, to_raw_value(text?).ok()?)));
    let line = callsite.line();
    let line = line.and_then(|line| Some(("code.line.number", to_raw_value(&line).ok()?)));
    texts.into_iter().chain([line]).flatten()
}
