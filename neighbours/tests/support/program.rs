//! Programs that use the crate in every order, and against its advice.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::FutureExt;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde::ser::{Error as _, SerializeMap};
use serde::{Serialize, Serializer};
use serde_json::json;
use taskspan::{
    Client, Instrument, Level, OpenSpan, Span, SpanBuilder, SpanId, SpanStatus, TransactionBuilder,
    TransactionSource, User,
};
use tokio::runtime::{Builder, Handle};
use tokio::sync::Semaphore;
use tokio::task::{self, JoinHandle};

/// What is done in the course of one test.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) max_spans: usize,
    pub(crate) sampled: bool,
    /// In a transaction, which may end in any way.
    root: Step,
    /// After that, outside of it, while tasks of it go on.
    after: Vec<Step>,
}

/// What was started in the course of a program.
pub(crate) struct Outcome<F> {
    pub(crate) transactions: u64,
    /// Spans below those, without any that came after the end of its transaction.
    pub(crate) spans: u64,
    /// Tells whether somebody started the span with this id.
    pub(crate) is_known: F,
}

#[derive(Clone, Debug)]
enum Step {
    /// A span around a closure.
    Closure(New, Option<usize>, Vec<Self>, bool),
    /// A span around a future, which is pending once between its two halves.
    Future(New, Vec<Self>, Vec<Self>, Fate),
    /// A span with a handle, below the current one or one of the handles.
    Open(New, Option<usize>, Where),
    /// The end of a span with a handle.
    End(usize, End, Where),
    Change(Target, Change, Where),
    /// Something below one of the handles.
    Below(usize, Vec<Self>, Where, bool),
    Spawn(Vec<Self>, Spawn),
    Transaction(New, TransactionSource, Vec<Self>, Fate),
    /// A transaction with a handle.
    OpenTransaction(New, TransactionSource),
    Scope(Text, Text, Value),
    /// A future that was kept earlier is polled once more, or dropped.
    Kept(usize, bool, Where),
    Yield,
}

/// What a span starts with.
#[derive(Clone, Debug)]
struct New {
    op: Text,
    name: Text,
    origin: Option<&'static str>,
    start: Option<When>,
}

/// What becomes of a future.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Awaited,
    Dropped,
    DroppedElsewhere,
    Kept,
    MovedToATask,
    Panics,
    NeverPolled,
}

#[derive(Clone, Copy, Debug)]
enum Where {
    Here,
    OnAThread,
}

#[derive(Clone, Copy, Debug)]
enum Target {
    Current,
    Root,
    Handle(usize),
}

#[derive(Clone, Debug)]
enum End {
    Drop,
    DropInAPanic,
    Finish,
    FinishAt(When),
}

#[derive(Clone, Debug)]
enum Change {
    Name(Text),
    Op(Text),
    Status(SpanStatus),
    Tag(Text, Text),
    Data(Text, Value),
}

#[derive(Clone, Copy, Debug)]
enum Spawn {
    Awaited,
    /// It goes on after the transaction has ended.
    Late,
    Aborted,
    Blocking,
    Thread,
}

#[derive(Clone, Copy, Debug)]
enum When {
    Ago(u64),
    In(u64),
    Epoch,
    Before1970,
    Year40000,
    Latest,
    Earliest,
}

#[derive(Clone, Debug)]
enum Text {
    Given(String),
    Static(&'static str),
    Repeated(char, usize),
}

#[derive(Clone, Debug)]
enum Value {
    Text(Text),
    Float(f64),
    Small(f32),
    Unsigned(u128),
    Signed(i128),
    Bytes(Vec<u8>),
    /// A map whose keys are numbers.
    Numbers(BTreeMap<i8, f64>),
    /// A map whose keys are none.
    Lists(BTreeMap<Vec<u8>, bool>),
    Deep(usize, bool),
    Raw(&'static str),
    Fails(Text),
    /// A map that stops after a key.
    KeyAlone,
    Nothing,
    /// A value whose own code records spans and changes others.
    Recording(Box<Self>),
}

/// What the steps of a program share.
struct World {
    sampled: bool,
    open: Mutex<Vec<Held>>,
    handles: Mutex<Vec<(Span, SpanId)>>,
    kept: Mutex<Vec<Work>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    /// Closed once the first transaction has ended.
    gate: Semaphore,
    transactions: AtomicU64,
    spans: AtomicU64,
    known: Mutex<HashSet<SpanId>>,
    /// The roots of transactions that have ended.
    ended: Mutex<HashSet<SpanId>>,
}

/// An open span, and the root of its transaction.
struct Held {
    span: OpenSpan,
    root: SpanId,
}

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Program {
    pub(crate) fn run(&self, client: &Client, threads: usize) -> Outcome<impl Fn(&str) -> bool> {
        let runtime = match threads {
            1 => Builder::new_current_thread().build(),
            _ => Builder::new_multi_thread()
                .worker_threads(threads)
                .thread_stack_size(16 << 20)
                .build(),
        };
        let world = Arc::new(World {
            sampled: self.sampled,
            open: Mutex::default(),
            handles: Mutex::default(),
            kept: Mutex::default(),
            tasks: Mutex::default(),
            gate: Semaphore::new(0),
            transactions: AtomicU64::new(0),
            spans: AtomicU64::new(0),
            known: Mutex::default(),
            ended: Mutex::default(),
        });
        runtime.unwrap().block_on(
            async {
                world.clone().run(vec![self.root.clone()]).await;
                world.gate.close();
                world.clone().run(self.after.clone()).await;
                loop {
                    // Tasks may spawn further ones.
                    let tasks = std::mem::take(&mut *lock(&world.tasks));
                    if tasks.is_empty() {
                        break;
                    }
                    for task in tasks {
                        // A panic in a task stays there.
                        let _ = task.await;
                    }
                }
            }
            .with_client(client),
        );
        // What is left is dropped outside of everything, the newest first.
        let kept = std::mem::take(&mut *lock(&world.kept));
        kept.into_iter().rev().for_each(drop);
        let open = std::mem::take(&mut *lock(&world.open));
        open.into_iter()
            .rev()
            .for_each(|held| world.end(held, &End::Drop));
        let world = Arc::into_inner(world).expect("nothing runs any more");
        let known = world.known.into_inner().unwrap();
        Outcome {
            transactions: world.transactions.into_inner(),
            spans: world.spans.into_inner(),
            is_known: move |id: &str| known.contains(&id.parse().unwrap()),
        }
    }
}

impl World {
    fn run(self: Arc<Self>, steps: Vec<Step>) -> Work {
        Box::pin(async move {
            for step in steps {
                self.step(step).await;
            }
        })
    }

    /// Runs steps in a place where nothing can be awaited.
    fn run_now(self: &Arc<Self>, steps: Vec<Step>) {
        // Where they have to wait they are dropped.
        let _ = self.clone().run(steps).now_or_never();
    }

    async fn step(self: &Arc<Self>, step: Step) {
        match step {
            Step::Closure(new, below, steps, panics) => self.closure(new, below, steps, panics),
            Step::Future(new, before, after, fate) => {
                let world = self.clone();
                let body = async move {
                    if let Some(span) = taskspan::current_span() {
                        world.started(&span);
                    }
                    world.body(before, after, fate).await;
                };
                self.carry(Box::pin(new.span().instrument(body)), fate)
                    .await;
            }
            Step::Open(new, below, place) => match below {
                None => self.open(new),
                Some(which) => {
                    if let Some((parent, root)) = pick(&self.handles, which) {
                        place.run(|| self.open_below(new, &parent, root));
                    }
                }
            },
            Step::End(which, end, place) => {
                let mut open = lock(&self.open);
                if open.is_empty() {
                    return;
                }
                let which = which % open.len();
                let held = open.swap_remove(which);
                drop(open);
                place.run(|| self.end(held, &end));
            }
            Step::Change(target, change, place) => {
                let span = match target {
                    Target::Current => taskspan::current_span(),
                    Target::Root => taskspan::current_transaction(),
                    Target::Handle(which) => pick(&self.handles, which).map(|handle| handle.0),
                };
                if let Some(span) = span {
                    place.run(|| self.change(&span, change));
                }
            }
            Step::Below(which, steps, place, future) => {
                let Some((span, _)) = pick(&self.handles, which) else {
                    return;
                };
                if future {
                    self.clone().run(steps).in_scope_of(&span).await;
                } else {
                    place.run(|| span.in_scope(|| self.run_now(steps)));
                }
            }
            Step::Spawn(steps, spawn) => self.spawn(steps, spawn).await,
            Step::Transaction(new, source, steps, fate) => {
                let mark = EndOfTransaction::new(self);
                let root = mark.root.clone();
                let world = self.clone();
                let body = async move {
                    if let Some(span) = taskspan::current_transaction() {
                        world.transaction_started(&span);
                        let _ = root.set(span.span_id().unwrap());
                    }
                    world.body(steps, Vec::new(), fate).await;
                };
                let transaction = new.transaction(source, self.sampled).instrument(body);
                let work = async move {
                    let _mark = mark;
                    transaction.await;
                };
                self.carry(Box::pin(work), fate).await;
            }
            Step::OpenTransaction(new, source) => {
                let span = new.transaction(source, self.sampled).start();
                let Some(root) = span.span_id() else { return };
                self.transaction_started(&span);
                self.hold(span, root);
            }
            Step::Scope(key, text, value) => self.change_scope(key, text, &value),
            Step::Kept(which, polls, place) => {
                let mut kept = lock(&self.kept);
                if kept.is_empty() {
                    return;
                }
                let which = which % kept.len();
                let mut work = kept.swap_remove(which);
                drop(kept);
                place.run(|| match polls {
                    true if poll_once(&mut work).is_pending() => lock(&self.kept).push(work),
                    _ => drop(work),
                });
            }
            Step::Yield => task::yield_now().await,
        }
    }

    async fn body(self: Arc<Self>, before: Vec<Step>, after: Vec<Step>, fate: Fate) {
        self.clone().run(before).await;
        match fate {
            Fate::Panics => resume_unwind(Box::new("on purpose")),
            Fate::Dropped | Fate::DroppedElsewhere => pending().await,
            _ => yield_once().await,
        }
        self.run(after).await;
    }

    /// Does with a future what is to become of it.
    async fn carry(self: &Arc<Self>, mut work: Work, fate: Fate) {
        match fate {
            Fate::Awaited => work.await,
            Fate::Panics => {
                let _ = AssertUnwindSafe(work).catch_unwind().await;
            }
            Fate::NeverPolled => drop(work),
            Fate::Dropped | Fate::DroppedElsewhere | Fate::Kept | Fate::MovedToATask => {
                if poll_once(&mut work).is_ready() {
                    return;
                }
                match fate {
                    Fate::Dropped => drop(work),
                    Fate::DroppedElsewhere => Where::OnAThread.run(move || drop(work)),
                    Fate::MovedToATask if Handle::try_current().is_ok() => {
                        let task = tokio::spawn(work);
                        lock(&self.tasks).push(task);
                    }
                    _ => lock(&self.kept).push(work),
                }
            }
        }
    }

    fn closure(self: &Arc<Self>, new: New, below: Option<usize>, steps: Vec<Step>, panics: bool) {
        let mut builder = new.span();
        let mut counted = taskspan::current_span().is_some();
        if let Some(which) = below {
            let Some((parent, _)) = pick(&self.handles, which) else {
                return;
            };
            builder = builder.child_of(&parent);
            // It starts in a task of its own, which goes on after the transaction if it has to.
            counted = true;
        }
        let _ = catch_unwind(AssertUnwindSafe(|| {
            builder.in_scope(|span| {
                if counted {
                    self.started(span);
                }
                self.run_now(steps);
                if panics {
                    resume_unwind(Box::new("on purpose"));
                }
            });
        }));
    }

    fn open(&self, new: New) {
        let span = new.span().start();
        let Some(root) = taskspan::current_transaction() else {
            return;
        };
        self.count(&span);
        self.hold(span, root.span_id().unwrap());
    }

    fn open_below(&self, new: New, parent: &Span, root: SpanId) {
        let span = new.span().child_of(parent).start();
        let at_home = taskspan::current_transaction().and_then(|span| span.span_id()) == Some(root);
        // What comes from elsewhere after the end is no part of anything any more.
        if span.is_recorded() || at_home || !lock(&self.ended).contains(&root) {
            self.count(&span);
        }
        self.hold(span, root);
    }

    fn hold(&self, span: OpenSpan, root: SpanId) {
        lock(&self.handles).push((Span::clone(&span), root));
        lock(&self.open).push(Held { span, root });
    }

    fn end(&self, held: Held, end: &End) {
        let Held { span, root } = held;
        let is_root = span.span_id() == Some(root) && lock(&self.known).contains(&root);
        let recorded = span.is_recorded();
        match end {
            End::Drop => drop(span),
            End::DropInAPanic => {
                let panics = move || {
                    let _held = span;
                    resume_unwind(Box::new("on purpose"));
                };
                let _ = catch_unwind(AssertUnwindSafe(panics));
            }
            End::Finish => span.finish(),
            End::FinishAt(when) => span.finish_at(when.time()),
        }
        if is_root && recorded {
            lock(&self.ended).insert(root);
        }
    }

    fn change(self: &Arc<Self>, span: &Span, change: Change) {
        match change {
            Change::Name(name) => span.set_name(name.cow()),
            Change::Op(op) => span.set_op(op.cow()),
            Change::Status(status) => span.set_status(status),
            Change::Tag(key, value) => span.set_tag(key.cow(), value.cow()),
            Change::Data(key, value) => span.set_data(key.cow(), Written(&value, self)),
        }
    }

    fn change_scope(self: &Arc<Self>, key: Text, text: Text, value: &Value) {
        let key = key.cow();
        let name: String = key.chars().take(9).collect();
        let name = format!("custom {name}");
        let text = text.cow();
        taskspan::configure_scope(|scope| {
            scope.set_tag(key.clone(), &text);
            scope.set_level(Level::Warning);
            let other = BTreeMap::from([("id".to_owned(), json!(1)), (key.to_string(), json!([]))]);
            scope.set_user(User {
                id: Some(text.into_owned()),
                other,
                ..User::default()
            });
        });
        taskspan::set_context(name, Written(value, self));
        taskspan::set_context("trace", json!({"span_id": "none"}));
    }

    async fn spawn(self: &Arc<Self>, steps: Vec<Step>, spawn: Spawn) {
        let world = self.clone();
        if let Spawn::Thread = spawn {
            let work = taskspan::in_current_scope(move || world.run_now(steps));
            thread::spawn(work).join().unwrap();
            return;
        }
        if Handle::try_current().is_err() {
            return;
        }
        let task = match spawn {
            Spawn::Blocking => {
                let (done, finished) = mpsc::channel();
                let task = taskspan::spawn_blocking(move || {
                    world.run_now(steps);
                    done.send(()).unwrap();
                });
                // Nothing else goes on meanwhile, so that what is counted is certain.
                finished.recv().unwrap();
                task
            }
            Spawn::Late => taskspan::spawn(async move {
                world.clone().run(steps.clone()).await;
                let _ = world.gate.acquire().await;
                world.run(steps).await;
            }),
            _ => taskspan::spawn(world.run(steps)),
        };
        match spawn {
            Spawn::Late => lock(&self.tasks).push(task),
            Spawn::Aborted => {
                task::yield_now().await;
                task.abort();
                let _ = task.await;
            }
            _ => task.await.unwrap(),
        }
    }

    /// A span of the current transaction has started and is the current one.
    fn started(&self, span: &Span) {
        self.count(span);
        if let Some(root) = taskspan::current_transaction() {
            lock(&self.handles).push((span.clone(), root.span_id().unwrap()));
        }
    }

    fn count(&self, span: &Span) {
        if self.sampled {
            self.spans.fetch_add(1, Ordering::Relaxed);
        }
        lock(&self.known).extend(span.span_id());
    }

    fn transaction_started(&self, root: &Span) {
        self.transactions.fetch_add(1, Ordering::Relaxed);
        let id = root.span_id().unwrap();
        lock(&self.known).insert(id);
        lock(&self.handles).push((root.clone(), id));
    }
}

/// Remembers that a transaction has ended, when this is dropped after it.
struct EndOfTransaction {
    world: Arc<World>,
    root: Arc<OnceLock<SpanId>>,
}

impl EndOfTransaction {
    fn new(world: &Arc<World>) -> Self {
        Self {
            world: world.clone(),
            root: Arc::default(),
        }
    }
}

impl Drop for EndOfTransaction {
    fn drop(&mut self) {
        lock(&self.world.ended).extend(self.root.get());
    }
}

/// A value that is being written.
struct Written<'a>(&'a Value, &'a Arc<World>);

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(value, world) = self;
        match value {
            Value::Text(text) => serializer.serialize_str(&text.clone().cow()),
            Value::Float(number) => serializer.serialize_f64(*number),
            Value::Small(number) => serializer.serialize_f32(*number),
            Value::Unsigned(number) => serializer.serialize_u128(*number),
            Value::Signed(number) => serializer.serialize_i128(*number),
            Value::Bytes(bytes) => serializer.serialize_bytes(bytes),
            Value::Numbers(map) => map.serialize(serializer),
            Value::Lists(map) => map.serialize(serializer),
            Value::Deep(0, _) => serializer.serialize_unit(),
            Value::Deep(depth, lists) => {
                let inner = Value::Deep(depth - 1, *lists);
                if *lists {
                    serializer.collect_seq([Written(&inner, world)])
                } else {
                    serializer.collect_map([("a", Written(&inner, world))])
                }
            }
            Value::Raw(json) => serde_json::from_str::<&serde_json::value::RawValue>(json)
                .map_err(S::Error::custom)?
                .serialize(serializer),
            Value::Fails(text) => Err(S::Error::custom(text.clone().cow())),
            Value::KeyAlone => {
                let mut map = serializer.serialize_map(None)?;
                map.serialize_key("alone")?;
                map.end()
            }
            Value::Nothing => serializer.serialize_none(),
            Value::Recording(inner) => {
                if taskspan::current_span().is_some() {
                    taskspan::span("value", "inside").in_scope(|span| {
                        world.started(span);
                        span.set_data("inner", Written(inner, world));
                        taskspan::set_tag("inside", "value");
                    });
                }
                Written(inner, world).serialize(serializer)
            }
        }
    }
}

impl New {
    fn span(self) -> SpanBuilder {
        let mut span = taskspan::span(self.op.cow(), self.name.cow());
        if let Some(origin) = self.origin {
            span = span.origin(origin);
        }
        if let Some(start) = self.start {
            span = span.start_time(start.time());
        }
        span
    }

    fn transaction(self, source: TransactionSource, sampled: bool) -> TransactionBuilder {
        let mut transaction = taskspan::transaction(self.op.cow(), self.name.cow());
        if let Some(origin) = self.origin {
            transaction = transaction.origin(origin);
        }
        if let Some(start) = self.start {
            transaction = transaction.start_time(start.time());
        }
        if !sampled {
            transaction = transaction.sampled(false);
        }
        transaction.source(source)
    }
}

impl Where {
    fn run<R: Send>(self, f: impl FnOnce() -> R + Send) -> R {
        match self {
            Self::Here => f(),
            Self::OnAThread => thread::scope(|scope| scope.spawn(f).join().unwrap()),
        }
    }
}

impl When {
    fn time(self) -> SystemTime {
        const SECONDS_IN_A_YEAR: u64 = 31_556_952;
        let farthest = |sign: i8| {
            let steps = (0..63).rev().map(|bit| Duration::from_secs(1 << bit));
            steps.fold(UNIX_EPOCH, |time, step| {
                let moved = match sign {
                    1 => time.checked_add(step),
                    _ => time.checked_sub(step),
                };
                moved.unwrap_or(time)
            })
        };
        match self {
            Self::Ago(seconds) => SystemTime::now() - Duration::from_secs(seconds),
            Self::In(seconds) => SystemTime::now() + Duration::from_secs(seconds),
            Self::Epoch => UNIX_EPOCH,
            Self::Before1970 => UNIX_EPOCH - Duration::from_millis(1),
            Self::Year40000 => UNIX_EPOCH + Duration::from_secs(38_030 * SECONDS_IN_A_YEAR),
            Self::Latest => farthest(1),
            Self::Earliest => farthest(-1),
        }
    }
}

impl Text {
    fn cow(self) -> Cow<'static, str> {
        match self {
            Self::Given(text) => text.into(),
            Self::Static(text) => text.into(),
            Self::Repeated(character, times) => String::from_iter(vec![character; times]).into(),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

fn pick<T: Clone>(all: &Mutex<Vec<T>>, which: usize) -> Option<T> {
    let all = lock(all);
    all.get(which % all.len().max(1)).cloned()
}

fn poll_once(work: &mut Work) -> Poll<()> {
    let mut context = Context::from_waker(Waker::noop());
    // A panic ends the future.
    let poll = || work.as_mut().poll(&mut context);
    catch_unwind(AssertUnwindSafe(poll)).unwrap_or(Poll::Ready(()))
}

fn yield_once() -> impl Future<Output = ()> {
    let mut yielded = false;
    poll_fn(move |cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
}

/// Any program.
pub(crate) fn program() -> impl Strategy<Value = Program> {
    let max_spans = prop_oneof![2 => Just(1_000), 1 => 0..12_usize];
    let sampled = prop::bool::weighted(0.95);
    let root =
        (new(), source(), vec(step(), 1..12), fate()).prop_map(|(new, source, steps, fate)| {
            match fate {
                Fate::NeverPolled => Step::Transaction(new, source, steps, Fate::Awaited),
                _ => Step::Transaction(new, source, steps, fate),
            }
        });
    (max_spans, sampled, root, vec(step(), 0..4)).prop_map(|(max_spans, sampled, root, after)| {
        Program {
            max_spans,
            sampled,
            root,
            after,
        }
    })
}

fn step() -> impl Strategy<Value = Step> {
    let leaf = prop_oneof![
        4 => (new(), option::of(0..9_usize), place())
            .prop_map(|(new, below, place)| Step::Open(new, below, place)),
        3 => (0..9_usize, end(), place()).prop_map(|(which, end, place)| Step::End(which, end, place)),
        6 => (target(), change(), place())
            .prop_map(|(target, change, place)| Step::Change(target, change, place)),
        1 => (new(), source()).prop_map(|(new, source)| Step::OpenTransaction(new, source)),
        1 => (text(), text(), value()).prop_map(|(key, text, value)| Step::Scope(key, text, value)),
        2 => (0..9_usize, any::<bool>(), place())
            .prop_map(|(which, polls, place)| Step::Kept(which, polls, place)),
        1 => Just(Step::Yield),
    ];
    leaf.prop_recursive(4, 40, 5, |step| {
        let steps = || vec(step.clone(), 0..5);
        prop_oneof![
            2 => (new(), option::weighted(0.3, 0..9_usize), steps(), prop::bool::weighted(0.1))
                .prop_map(|(new, below, steps, panics)| Step::Closure(new, below, steps, panics)),
            4 => (new(), steps(), steps(), fate())
                .prop_map(|(new, before, after, fate)| Step::Future(new, before, after, fate)),
            2 => (0..9_usize, steps(), place(), any::<bool>())
                .prop_map(|(which, steps, place, future)| Step::Below(which, steps, place, future)),
            2 => (steps(), spawn()).prop_map(|(steps, spawn)| Step::Spawn(steps, spawn)),
            1 => (new(), source(), steps(), fate())
                .prop_map(|(new, source, steps, fate)| Step::Transaction(new, source, steps, fate)),
        ]
    })
}

fn new() -> impl Strategy<Value = New> {
    let origin = prop_oneof![
        Just("auto.db.sqlx"),
        Just("auto.http-client"),
        Just("größe \n"),
        Just(""),
    ];
    (
        text(),
        text(),
        option::weighted(0.1, origin),
        option::weighted(0.2, when()),
    )
        .prop_map(|(op, name, origin, start)| New {
            op,
            name,
            origin,
            start,
        })
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        6 => Just(Fate::Awaited),
        2 => Just(Fate::Dropped),
        1 => Just(Fate::DroppedElsewhere),
        2 => Just(Fate::Kept),
        2 => Just(Fate::MovedToATask),
        1 => Just(Fate::Panics),
        1 => Just(Fate::NeverPolled),
    ]
}

fn place() -> impl Strategy<Value = Where> {
    prop_oneof![3 => Just(Where::Here), 1 => Just(Where::OnAThread)]
}

fn target() -> impl Strategy<Value = Target> {
    prop_oneof![
        2 => Just(Target::Current),
        1 => Just(Target::Root),
        3 => (0..9_usize).prop_map(Target::Handle),
    ]
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![
        2 => Just(End::Drop),
        1 => Just(End::DropInAPanic),
        2 => Just(End::Finish),
        3 => when().prop_map(End::FinishAt),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        text().prop_map(Change::Name),
        text().prop_map(Change::Op),
        prop::sample::select(&STATUSES[..]).prop_map(Change::Status),
        (text(), text()).prop_map(|(key, value)| Change::Tag(key, value)),
        (text(), value()).prop_map(|(key, value)| Change::Data(key, value)),
    ]
}

fn spawn() -> impl Strategy<Value = Spawn> {
    prop_oneof![
        2 => Just(Spawn::Awaited),
        4 => Just(Spawn::Late),
        1 => Just(Spawn::Aborted),
        1 => Just(Spawn::Blocking),
        1 => Just(Spawn::Thread),
    ]
}

fn source() -> impl Strategy<Value = TransactionSource> {
    prop_oneof![
        Just(TransactionSource::Custom),
        Just(TransactionSource::Url),
        Just(TransactionSource::Route),
        Just(TransactionSource::Task),
    ]
}

fn when() -> impl Strategy<Value = When> {
    prop_oneof![
        3 => (0..100_000_u64).prop_map(When::Ago),
        2 => (0..100_000_u64).prop_map(When::In),
        1 => Just(When::Epoch),
        1 => Just(When::Before1970),
        1 => Just(When::Year40000),
        1 => Just(When::Latest),
        1 => Just(When::Earliest),
    ]
}

fn text() -> impl Strategy<Value = Text> {
    prop_oneof![
        600 => prop::sample::select(&[
            "", "a", "tenant", "db.query", "GET /cart/{id}", "release", "user", "environment", "trace",
            "two\r\nlines", "\0", "\u{1b}[31m", "\"}\n{", "\\u0000", "🦀👩‍👩‍👧", "größe", " ", "\u{2028}\u{feff}",
        ][..]).prop_map(Text::Static),
        200 => any::<String>().prop_map(Text::Given),
        100 => vec(any::<char>(), 0..9).prop_map(|text| Text::Given(text.into_iter().collect())),
        60 => (prop::sample::select(&['a', '"', '\n', '\0', 'é', '🦀'][..]), 120..260_usize)
            .prop_map(|(character, times)| Text::Repeated(character, times)),
        1 => Just(Text::Repeated('🦀', 262_144)),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        3 => text().prop_map(Value::Text),
        2 => any::<f64>().prop_map(Value::Float),
        2 => prop::sample::select(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, f64::MAX][..])
            .prop_map(Value::Float),
        1 => prop::sample::select(&[f32::NAN, f32::INFINITY, f32::MAX][..]).prop_map(Value::Small),
        2 => any::<u128>().prop_map(Value::Unsigned),
        2 => any::<i128>().prop_map(Value::Signed),
        1 => vec(any::<u8>(), 0..9).prop_map(Value::Bytes),
        1 => prop::collection::btree_map(any::<i8>(), any::<f64>(), 0..4).prop_map(Value::Numbers),
        1 => prop::collection::btree_map(vec(any::<u8>(), 0..3), any::<bool>(), 0..4)
            .prop_map(Value::Lists),
        1 => (prop_oneof![0..20_usize, 90..400_usize], any::<bool>())
            .prop_map(|(depth, lists)| Value::Deep(depth, lists)),
        2 => prop::sample::select(&[
            "1e999", r#""\ud800""#, r#"{"a":1,"a":2}"#, "[ 1,\n2 ]", "123456789012345678901234567890",
        ][..]).prop_map(Value::Raw),
        1 => text().prop_map(Value::Fails),
        1 => Just(Value::KeyAlone),
        1 => Just(Value::Nothing),
    ];
    prop_oneof![
        9 => leaf.boxed(),
        1 => text().prop_map(|text| Value::Recording(Box::new(Value::Text(text)))),
    ]
}

const STATUSES: [SpanStatus; 17] = [
    SpanStatus::Ok,
    SpanStatus::Cancelled,
    SpanStatus::Unknown,
    SpanStatus::InvalidArgument,
    SpanStatus::DeadlineExceeded,
    SpanStatus::NotFound,
    SpanStatus::AlreadyExists,
    SpanStatus::PermissionDenied,
    SpanStatus::ResourceExhausted,
    SpanStatus::FailedPrecondition,
    SpanStatus::Aborted,
    SpanStatus::OutOfRange,
    SpanStatus::Unimplemented,
    SpanStatus::InternalError,
    SpanStatus::Unavailable,
    SpanStatus::DataLoss,
    SpanStatus::Unauthenticated,
];
