//! The fields of spans and events.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::{self, Debug, Write as _};
use std::mem;

use serde::Serialize;
use serde_json::Value;
use tracing_core::field::{Field, Visit};

use super::kind::{Domain, Kind};
use crate::client::Client;
use crate::diagnostics::Chain;
use crate::privacy;
use crate::propagation::IncomingTrace;
use crate::protocol::SpanStatus;
use crate::span::{Span, SpanKey};

/// Sets values that are no text.
macro_rules! set_as_they_are {
    () => {
        fn record_f64(&mut self, field: &Field, value: f64) {
            self.set(field, value);
        }

        fn record_i64(&mut self, field: &Field, value: i64) {
            self.set(field, value);
        }

        fn record_u64(&mut self, field: &Field, value: u64) {
            self.set(field, value);
        }

        fn record_bool(&mut self, field: &Field, value: bool) {
            self.set(field, value);
        }
    };
}

/// Sets the fields of a span on ours.
pub(super) struct SpanFields<'a> {
    span: &'a Span,
    key: SpanKey,
    has_op: bool,
    domain: Domain,
    kind: Option<Kind>,
}

impl<'a> SpanFields<'a> {
    pub(super) fn new(span: &'a Span, key: SpanKey) -> Self {
        Self {
            span,
            key,
            has_op: false,
            domain: Domain::default(),
            kind: None,
        }
    }

    /// Sets what only all of the fields together tell.
    pub(super) fn finish(self) {
        if let Some(kind) = self.kind.filter(|_| !self.has_op)
            && let Some(op) = kind.op(self.domain)
        {
            self.span.set_op(op);
        }
    }

    fn set(&mut self, field: &Field, value: impl Serialize) {
        self.domain = self.domain.with(field.name());
        self.span.set_data(field.name(), value);
    }

    fn set_text(&mut self, field: &Field, text: &str) {
        let span = self.span;
        let text = privacy::field(field.name(), text, || span.sends_default_pii());
        match field.name() {
            "sentry.op" => {
                self.has_op = true;
                span.set_op(text.into_owned());
            }
            "sentry.name" | "otel.name" => span.set_name(text.into_owned()),
            "otel.kind" => {
                self.kind = Kind::of(&text);
                span.set_data("sentry.kind", text);
            }
            "sentry.status" => {
                if let Ok(status) = text.parse() {
                    span.set_status(status);
                }
            }
            "otel.status_code" => match &*text.to_ascii_lowercase() {
                "ok" => span.set_status(SpanStatus::Ok),
                "error" => span.set_status(SpanStatus::InternalError),
                _ => {}
            },
            "otel.status_message" | "otel.status_description" => {
                self.key.fail();
                span.set_data("sentry.status.message", text);
            }
            // It is too late for it.
            "sentry.trace" => {}
            name => match name.strip_prefix(TAGS) {
                Some(tag) => span.set_tag(tag, text),
                None => self.set(field, &*text),
            },
        }
    }
}

impl Visit for SpanFields<'_> {
    set_as_they_are!();

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.set(field, value);
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.set(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set_text(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.key.fail();
        with_text(format_args!("{}", Chain(value)), |text| {
            self.set_text(field, text);
        });
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        with_text(format_args!("{value:?}"), |text| self.set_text(field, text));
    }
}

/// Writes a text into memory that the thread keeps for such texts.
fn with_text<R>(text: fmt::Arguments<'_>, read: impl FnOnce(&str) -> R) -> R {
    thread_local! {
        static KEPT: Cell<String> = const { Cell::new(String::new()) };
    }
    // What formats itself may come here again, and finds nothing kept.
    let mut kept = KEPT.try_with(Cell::take).unwrap_or_default();
    kept.clear();
    // Writing to a string fails only if what is written says so.
    let _ = kept.write_fmt(text);
    let result = read(&kept);
    if kept.capacity() <= MAX_KEPT {
        let _ = KEPT.try_with(|cell| cell.set(kept));
    }
    result
}

/// Whether a field is more than an attribute.
fn is_special(name: &str) -> bool {
    ["sentry.", "otel.", TAGS]
        .iter()
        .any(|start| name.starts_with(start))
}

/// What the fields say of a transaction that is about to start.
#[derive(Default)]
pub(super) struct StartFields {
    pub(super) op: Option<Cow<'static, str>>,
    pub(super) name: Option<String>,
    pub(super) incoming: Option<IncomingTrace>,
    /// For a sampler, if there is one.
    pub(super) attributes: Option<Vec<(&'static str, Value)>>,
    /// Whether data that identifies people is sent.
    personal: bool,
    domain: Domain,
    kind: Option<Kind>,
}

impl StartFields {
    pub(super) fn of(client: &Client) -> Self {
        Self {
            attributes: client.sampler().is_some().then(Vec::new),
            personal: client.sends_default_pii(),
            ..Self::default()
        }
    }

    /// What kind of work it is, if any field tells.
    pub(super) fn op(&mut self) -> Option<Cow<'static, str>> {
        let by_kind = || Some(self.kind?.op(self.domain)?.into());
        self.op.take().or_else(by_kind)
    }

    fn set(&mut self, field: &Field, value: impl Into<Value>) {
        self.domain = self.domain.with(field.name());
        if let Some(attributes) = &mut self.attributes {
            attributes.push((field.name(), value.into()));
        }
    }

    fn set_text(&mut self, field: &Field, text: &str) {
        match field.name() {
            "sentry.op" => self.op = Some(text.to_owned().into()),
            "sentry.name" | "otel.name" => self.name = Some(privacy::text(text).into_owned()),
            "otel.kind" => self.kind = Kind::of(text),
            "sentry.trace" => self.incoming = Some(IncomingTrace::new(Some(text), None)),
            name => {
                let text = privacy::field(name, text, || self.personal);
                self.set(field, &*text);
            }
        }
    }
}

impl Visit for StartFields {
    set_as_they_are!();

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set_text(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if self.attributes.is_some() || is_special(field.name()) {
            self.set_text(field, &format!("{value:?}"));
        } else {
            self.domain = self.domain.with(field.name());
        }
    }
}

/// The fields of an event.
#[derive(Default)]
pub(super) struct EventFields {
    message: String,
    /// Where a record of the `log` crate comes from.
    pub(super) log_target: Option<String>,
    pub(super) data: BTreeMap<Cow<'static, str>, Value>,
    /// Whether data that identifies people is sent.
    personal: bool,
}

impl EventFields {
    pub(super) fn new(personal: bool) -> Self {
        Self {
            personal,
            ..Self::default()
        }
    }

    /// What happened, in words. `#[instrument(err)]` has nothing but the error.
    pub(super) fn message(&mut self) -> String {
        if self.message.is_empty()
            && let Some(Value::String(error)) = self.data.get("error")
        {
            return error.clone();
        }
        mem::take(&mut self.message)
    }

    fn set(&mut self, field: &Field, value: impl Into<Value>) {
        // What the `log` crate knows of its records is in fields of these names.
        if !field.name().starts_with("log.") {
            self.data.insert(field.name().into(), value.into());
        }
    }

    fn set_text(&mut self, field: &Field, text: &str) {
        match field.name() {
            "message" => self.message = privacy::text(text).into_owned(),
            "log.target" => self.log_target = Some(text.to_owned()),
            name => {
                let text = privacy::field(name, text, || self.personal);
                self.set(field, &*text);
            }
        }
    }
}

impl Visit for EventFields {
    set_as_they_are!();

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set_text(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        with_text(format_args!("{}", Chain(value)), |text| {
            self.set_text(field, text);
        });
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        with_text(format_args!("{value:?}"), |text| self.set_text(field, text));
    }
}

/// What fields begin with that are tags.
const TAGS: &str = "tags.";

/// How much memory for texts a thread keeps.
const MAX_KEPT: usize = 1_024;
