//! The layer.

use std::borrow::Cow;
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::{fmt, mem, thread};

use tracing_core::span::{Attributes, Id, Record};
use tracing_core::{Event, Level, LevelFilter, Subscriber};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::entered::{self, Entered};
use super::fields::{EventFields, SpanFields, StartFields};
use super::table::{Known, Table};
use crate::own_work;
use crate::protocol::{self, Breadcrumb, TransactionSource};
use crate::span::{SpanKey, is_recording, transaction};
use crate::task::{Owner, add_breadcrumb, slot};

/// The layer that makes spans of those of `tracing`. See [`layer`](super::layer).
pub struct Layer {
    /// Tells it from other layers, whose spans may have the same ids.
    number: u64,
    max_level: LevelFilter,
    spans: Table,
}

impl Layer {
    pub(super) fn new() -> Self {
        static LAYERS: AtomicU64 = AtomicU64::new(0);
        Self {
            number: LAYERS.fetch_add(1, Ordering::Relaxed),
            max_level: LevelFilter::INFO,
            spans: Table::new(),
        }
    }

    /// Sets down to which level spans and events are taken, [`INFO`](LevelFilter::INFO) by default.
    ///
    /// Other layers are not concerned by it. A filter of the subscriber, or one that was set with
    /// `with_filter`, comes before and lets fewer through.
    pub fn with_max_level(mut self, max_level: impl Into<LevelFilter>) -> Self {
        self.max_level = max_level.into();
        self
    }

    fn owner(&self, id: &Id) -> Owner {
        (self.number, id.into_u64())
    }

    /// Starts a span whose parent is named, or which is to have none.
    #[cold]
    fn start_explicit<S>(
        &self,
        new: &Attributes<'_>,
        id: &Id,
        ctx: &Context<'_, S>,
    ) -> Option<SpanKey>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let parent = self.known(new.parent()?).or_else(|| {
            // One that was filtered out is left out, as if its own parent were named.
            let above = ctx.span(id)?.scope().skip(1);
            let mut above = above.filter_map(|span| self.known(&span.id()));
            above.next()
        });
        match parent {
            Some(parent) => parent.start_child(OP, ORIGIN, new.metadata()),
            None => SpanKey::start(OP, ORIGIN, new.metadata()),
        }
    }

    /// Starts a transaction for a span that has nothing to be a part of.
    #[cold]
    fn start_transaction(&self, new: &Attributes<'_>, id: &Id) {
        let Some(_busy) = Busy::unless_busy() else {
            return;
        };
        let client = slot::current_client().filter(|_| !own_work::is_current());
        let Some(client) = client else { return };
        let mut fields = StartFields::of(&client);
        new.record(&mut fields);
        let op = fields.op().unwrap_or(OP.into());
        let (name, source): (Cow<'static, str>, _) = match fields.name {
            Some(name) => (name.into(), TransactionSource::Custom),
            None => (new.metadata().name().into(), TransactionSource::Component),
        };
        let mut start = transaction(op, name).origin(ORIGIN).source(source);
        if let Some(incoming) = fields.incoming {
            start = start.continue_trace(&incoming);
        }
        for (key, value) in fields.attributes.into_iter().flatten() {
            start = start.data(key, value);
        }
        let root = start.start();
        let Some(key) = root.key() else { return };
        root.set_metadata(new.metadata());
        if key.is_recorded() {
            let mut fields = SpanFields::new(&root, key);
            new.record(&mut fields);
            fields.finish();
        }
        self.spans.insert(id, key).keep().transaction = Some(Box::new(root));
    }

    fn known(&self, id: &Id) -> Option<SpanKey> {
        self.spans.find(id).map(Known::key)
    }

    /// Enters a span where another trace is recorded, or none.
    #[cold]
    fn enter_away(&self, span: Known<'_>, key: SpanKey, owner: Owner) -> bool {
        let Some(scope) = span.take_scope().or_else(|| key.open()) else {
            return false;
        };
        slot::lay_over(scope, owner);
        key.enter();
        true
    }

    #[cold]
    fn leave_away(&self, id: &Id, owner: Owner) {
        let scope = slot::take_off(owner);
        let span = self.spans.find(id).filter(|_| scope.is_some());
        // It may have been entered twice at once, and one scope is enough to keep.
        let one_too_many = match span {
            Some(span) => mem::replace(&mut span.keep().scope, scope),
            None => scope,
        };
        drop(one_too_many);
    }

    /// The span that an event is in.
    fn span_of(&self, event: &Event<'_>) -> Option<SpanKey> {
        if let Some(parent) = event.parent() {
            return self.known(parent);
        }
        if !event.is_contextual() {
            return None;
        }
        let (_, id) = entered::last_of(self.number)?;
        self.known(&Id::from_u64(id))
    }
}

impl<S> tracing_subscriber::Layer<S> for Layer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, new: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        let metadata = new.metadata();
        if *metadata.level() > self.max_level {
            return;
        }
        let key = match new.is_contextual() {
            true => SpanKey::start(OP, ORIGIN, metadata),
            false => self.start_explicit(new, id, &ctx),
        };
        let Some(key) = key else {
            return self.start_transaction(new, id);
        };
        self.spans.insert(id, key);
        if key.is_recorded() && !new.is_empty() {
            set_fields(key, |fields| new.record(fields));
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        if let Some(key) = self.known(id).filter(|key| key.is_recorded()) {
            set_fields(key, |fields| values.record(fields));
        }
    }

    fn on_follows_from(&self, id: &Id, follows: &Id, _: Context<'_, S>) {
        if let (Some(key), Some(cause)) = (self.known(id), self.known(follows))
            && let (Some(span), Some(cause)) = (key.span(), cause.span())
        {
            span.follows_from(&cause);
        }
    }

    fn on_enter(&self, id: &Id, _: Context<'_, S>) {
        let Some(span) = self.spans.find(id) else {
            return;
        };
        let (key, owner) = (span.key(), self.owner(id));
        let before = key.enter();
        if before.is_some() || self.enter_away(span, key, owner) {
            entered::push(Entered { owner, key, before });
        }
    }

    fn on_exit(&self, id: &Id, _: Context<'_, S>) {
        let owner = self.owner(id);
        let Some(Entered { key, before, .. }) = entered::pop(owner) else {
            return;
        };
        if thread::panicking() {
            fail(key);
        }
        match before {
            Some(before) => key.leave(before),
            None => self.leave_away(id, owner),
        }
    }

    fn on_close(&self, id: Id, _: Context<'_, S>) {
        if let Some(span) = self.spans.find(&id) {
            span.close();
        }
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        if *metadata.level() > self.max_level || !is_recording() {
            return;
        }
        let Some(_busy) = Busy::unless_busy() else {
            return;
        };
        if *metadata.level() == Level::ERROR
            && let Some(span) = self.span_of(event)
        {
            span.fail();
        }
        let client = slot::current_client();
        let mut fields = EventFields::new(client.is_some_and(|client| client.sends_default_pii()));
        event.record(&mut fields);
        let message = fields.message();
        let category: Cow<'static, str> = match fields.log_target {
            Some(target) => target.into(),
            None => metadata.target().into(),
        };
        let mut breadcrumb = Breadcrumb::new(category, message);
        breadcrumb.level = match *metadata.level() {
            Level::ERROR => protocol::Level::Error,
            Level::WARN => protocol::Level::Warning,
            Level::INFO => protocol::Level::Info,
            Level::DEBUG | Level::TRACE => protocol::Level::Debug,
        };
        breadcrumb.data = fields.data;
        add_breadcrumb(breadcrumb);
    }
}

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layer")
            .field("max_level", &self.max_level)
            .finish_non_exhaustive()
    }
}

#[cold]
fn fail(key: SpanKey) {
    key.fail();
}

#[inline(never)]
fn set_fields(key: SpanKey, record: impl FnOnce(&mut SpanFields<'_>)) {
    if let Some(span) = key.span() {
        let mut fields = SpanFields::new(&span, key);
        record(&mut fields);
        fields.finish();
    }
}

/// A layer at work that may call the program's own code, which must not lead back to it.
struct Busy;

thread_local! {
    static BUSY: Cell<bool> = const { Cell::new(false) };
}

impl Busy {
    fn unless_busy() -> Option<Self> {
        (!BUSY.replace(true)).then_some(Self)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        BUSY.set(false);
    }
}

/// What spans are that do not say what they are: most of them stand for functions.
const OP: &str = "function";
const ORIGIN: &str = "auto.function.tracing";
