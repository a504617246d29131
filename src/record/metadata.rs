//! Where in a program a span is described, as `tracing` knows it.

use serde_json::Value;

use super::source_path::from_package_on;

/// A place in the program, and what is the same for all spans that are described there.
///
/// A span only points to it, and what it says is written where the span is sent.
pub(crate) type Metadata = &'static tracing_core::Metadata<'static>;

/// The attributes of spans that are described there.
pub(crate) fn attributes(metadata: Metadata) -> impl Iterator<Item = (&'static str, Value)> {
    // That of a library is in a folder of somebody who builds programs.
    let file = metadata.file().map(from_package_on);
    let texts = [
        ("sentry.tracing.target", Some(metadata.target())),
        ("sentry.tracing.level", Some(metadata.level().as_str())),
        ("code.module.name", metadata.module_path()),
        ("code.file.path", file.as_deref()),
    ];
    let texts = texts.map(|(key, text)| Some((key, Value::from(text?))));
    let line = metadata.line();
    let line = line.map(|line| ("code.line.number", line.into()));
    texts.into_iter().chain([line]).flatten()
}
