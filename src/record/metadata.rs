//! Where in a program a span is described, as `tracing` knows it.

use serde_json::value::{RawValue, to_raw_value};

use super::source_path::from_package_on;

/// A place in the program, and what is the same for all spans that are described there.
///
/// A span only points to it, and what it says is written where the span is sent.
pub(crate) type Metadata = &'static tracing_core::Metadata<'static>;

/// The attributes of spans that are described there.
pub(crate) fn attributes(
    metadata: Metadata,
) -> impl Iterator<Item = (&'static str, Box<RawValue>)> {
    // That of a library is in a folder of somebody who builds programs.
    let file = metadata.file().map(from_package_on);
    let texts = [
        ("sentry.tracing.target", Some(metadata.target())),
        ("sentry.tracing.level", Some(metadata.level().as_str())),
        ("code.module.name", metadata.module_path()),
        ("code.file.path", file.as_deref()),
    ];
    let texts = texts.map(|(key, text)| Some((key, to_raw_value(text?).ok()?)));
    let line = metadata.line();
    let line = line.and_then(|line| Some(("code.line.number", to_raw_value(&line).ok()?)));
    texts.into_iter().chain([line]).flatten()
}
