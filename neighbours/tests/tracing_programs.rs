//! Programs that use spans of `tracing` in every order, also in wrong ones, and many tasks at once.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::pin::Pin;
use std::rc::Rc;

use futures_util::future::join_all;
use proptest::collection::vec;
use proptest::prelude::*;
use taskspan::protocol::Transaction;
use taskspan::test::Sent;
use taskspan::{Client, Instrument as _, Options, SpanId, TraceId};
use tokio::task::yield_now;
use tracing::span::EnteredSpan;
use tracing::{Instrument, Span, info_span};
use tracing_subscriber::prelude::*;

fn client() -> (Client, Sent) {
    taskspan::test::client(Options::disabled().traces_sample_rate(1.0))
}

/// What a task does next. Numbers choose among what there is.
#[derive(Clone, Debug)]
enum Step {
    /// A new span, for all tasks.
    New,
    NewBelow(usize),
    /// Enters one, and holds the guard, maybe across awaits.
    Enter(usize),
    /// Drops one of the guards of this task.
    Leave(usize),
    /// Drops a handle.
    Close(usize),
    Yield,
    InScope(usize, Vec<Self>),
    Instrumented(usize, Vec<Self>),
    NativeScope(Vec<Self>),
    NativeSpan(Vec<Self>),
    NativeTransaction(Vec<Self>),
    Spawned(Vec<Self>),
    OnThread(usize),
    Event,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => Just(Step::New),
        1 => any::<usize>().prop_map(Step::NewBelow),
        3 => any::<usize>().prop_map(Step::Enter),
        3 => any::<usize>().prop_map(Step::Leave),
        2 => any::<usize>().prop_map(Step::Close),
        3 => Just(Step::Yield),
        1 => any::<usize>().prop_map(Step::OnThread),
        1 => Just(Step::Event),
    ];
    let step = step.prop_recursive(3, 40, 6, |step| {
        let steps = vec(step, 0..6);
        prop_oneof![
            (any::<usize>(), steps.clone()).prop_map(|(n, steps)| Step::InScope(n, steps)),
            (any::<usize>(), steps.clone()).prop_map(|(n, steps)| Step::Instrumented(n, steps)),
            steps.clone().prop_map(Step::NativeScope),
            steps.clone().prop_map(Step::NativeSpan),
            steps.clone().prop_map(Step::NativeTransaction),
            steps.prop_map(Step::Spawned),
        ]
    });
    vec(step, 0..12)
}

/// What all tasks of a program share.
#[derive(Default)]
struct Program {
    spans: RefCell<Vec<Span>>,
    /// The spans that were recorded, by their names, and the traces that they belong to.
    recorded: RefCell<HashMap<String, TraceId>>,
    noted: RefCell<HashSet<SpanId>>,
    names: RefCell<usize>,
}

impl Program {
    fn choose(&self, number: usize) -> Option<Span> {
        let spans = self.spans.borrow();
        let index = number.checked_rem(spans.len())?;
        Some(spans[index].clone())
    }

    fn name(&self) -> String {
        *self.names.borrow_mut() += 1;
        format!("span {}", self.names.borrow())
    }

    /// Notes what the current span is, which has this name.
    fn note(&self, name: String) {
        // Where a trace has ended nothing is added, and the one above is current.
        if let Some(span) = taskspan::current_span().filter(taskspan::Span::is_recorded)
            && self.noted.borrow_mut().insert(span.span_id().unwrap())
        {
            let trace = span.trace_id().unwrap();
            self.recorded.borrow_mut().insert(name, trace);
        }
    }

    fn start(&self, parent: Option<&Span>) {
        let (name, around) = (self.name(), taskspan::current_span());
        let span = match parent {
            Some(parent) => info_span!(parent: parent, "span", otel.name = name),
            None => info_span!("span", otel.name = name),
        };
        span.in_scope(|| {
            if let (None, Some(around)) = (parent, &around) {
                let trace = taskspan::current_span().unwrap().trace_id();
                assert_eq!(trace, around.trace_id(), "it is in the trace around");
            }
            self.note(name);
        });
        assert_eq!(
            place(taskspan::current_span()),
            place(around),
            "as it was before"
        );
        self.spans.borrow_mut().push(span);
    }

    fn run<'a>(&'a self, guards: &'a RefCell<Vec<EnteredSpan>>, steps: Vec<Step>) -> Running<'a> {
        Box::pin(async move {
            for step in steps {
                match step {
                    Step::Yield => yield_now().await,
                    Step::Instrumented(number, steps) => {
                        let Some(span) = self.choose(number) else {
                            continue;
                        };
                        self.run(guards, steps).instrument(span).await;
                    }
                    Step::NativeSpan(steps) => {
                        let name = self.name();
                        let work = async {
                            self.note(name.clone());
                            self.run(guards, steps).await;
                        };
                        work.in_span("native", name.clone()).await;
                    }
                    Step::NativeTransaction(steps) => {
                        let name = self.name();
                        let work = async {
                            self.note(name.clone());
                            self.run(guards, steps).await;
                        };
                        work.in_transaction("native", name.clone()).await;
                    }
                    Step::Spawned(steps) => {
                        let others = RefCell::default();
                        self.run(&others, steps).in_current_scope().await;
                    }
                    step => self.run_now(guards, step),
                }
            }
        })
    }

    fn run_now(&self, guards: &RefCell<Vec<EnteredSpan>>, step: Step) {
        match step {
            Step::New => self.start(None),
            Step::NewBelow(number) => self.start(self.choose(number).as_ref()),
            Step::Enter(number) => {
                let entered = self.choose(number).map(Span::entered);
                guards.borrow_mut().extend(entered);
            }
            Step::Leave(number) => {
                let count = guards.borrow().len();
                if let Some(index) = number.checked_rem(count) {
                    let guard = guards.borrow_mut().remove(index);
                    drop(guard);
                }
            }
            Step::Close(number) => {
                let count = self.spans.borrow().len();
                if let Some(index) = number.checked_rem(count) {
                    let span = self.spans.borrow_mut().swap_remove(index);
                    drop(span);
                }
            }
            Step::InScope(number, steps) => {
                if let Some(span) = self.choose(number) {
                    span.in_scope(|| {
                        steps
                            .into_iter()
                            .for_each(|step| self.run_now(guards, step));
                    });
                }
            }
            Step::NativeScope(steps) => {
                let name = self.name();
                taskspan::span("native", name.clone()).in_scope(|_| {
                    self.note(name);
                    steps
                        .into_iter()
                        .for_each(|step| self.run_now(guards, step));
                });
            }
            Step::OnThread(number) => {
                let span = self.choose(number).unwrap_or_else(Span::none);
                let subscriber = tracing::dispatcher::get_default(Clone::clone);
                let work = || {
                    tracing::dispatcher::with_default(&subscriber, || {
                        span.in_scope(|| info_span!("on a thread").in_scope(|| ()));
                        assert!(taskspan::current_span().is_none());
                    });
                };
                std::thread::scope(|scope| scope.spawn(work).join().unwrap());
            }
            Step::Event => tracing::error!("it broke"),
            // They are futures.
            _ => {}
        }
    }
}

type Running<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

fn place(span: Option<taskspan::Span>) -> Option<(TraceId, SpanId)> {
    let span = span?;
    Some((span.trace_id()?, span.span_id()?))
}

/// Ids are unique, parents are there, and everything that was recorded is there once.
fn check(transactions: &[Transaction], recorded: &HashMap<String, TraceId>) {
    let mut ids = HashSet::new();
    // The parent may be in the transaction of a task that outlived its own.
    let mut parents = Vec::new();
    let mut names: HashMap<&str, TraceId> = HashMap::new();
    for transaction in transactions {
        let root = &transaction.contexts.trace;
        assert!(ids.insert((root.trace_id, root.span_id)));
        parents.extend(root.parent_span_id.map(|parent| (root.trace_id, parent)));
        let spans = transaction.spans.iter();
        let spans = spans.map(|span| (&*span.description, span.span_id, span.trace_id));
        for (name, id, trace) in spans.clone() {
            assert_eq!(trace, root.trace_id);
            assert!(ids.insert((trace, id)), "{name} is there twice");
        }
        for span in &transaction.spans {
            assert_ne!(span.parent_span_id, span.span_id);
            parents.push((span.trace_id, span.parent_span_id));
        }
        // What stands for a task that outlived its transaction has the name of that.
        let own = (&*transaction.name, root.span_id, root.trace_id);
        let all = spans.chain([own].into_iter().filter(|_| root.op != "task"));
        for (name, _, trace) in all.filter(|(name, ..)| name.starts_with("span ")) {
            assert_eq!(names.insert(name, trace), None, "{name} was sent twice");
        }
    }
    for parent in parents {
        assert!(ids.contains(&parent), "{parent:?} is not there");
    }
    for (name, trace) in recorded {
        assert_eq!(names.get(&**name), Some(trace), "{name} was recorded");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(600) })]

    #[test]
    fn no_program_loses_or_mixes_spans(
        tasks in vec((any::<bool>(), steps()), 1..4),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let subscriber = tracing_subscriber::registry().with(taskspan::tracing::layer());
        let _default = tracing::subscriber::set_default(subscriber);
        let (client, sent) = client();
        let program = Rc::new(Program::default());
        let run = |(in_transaction, steps): (bool, Vec<Step>)| {
            let (program, client) = (Rc::clone(&program), client.clone());
            async move {
                let guards = RefCell::default();
                let work = async {
                    program.run(&guards, steps).await;
                };
                match in_transaction {
                    true => work.in_transaction("native", "program").with_client(&client).await,
                    false => work.with_client(&client).await,
                }
                // One at a time: a vector drops them with its own order in mind.
                while let Some(guard) = guards.borrow_mut().pop() {
                    drop(guard);
                }
            }
        };
        runtime.block_on(join_all(tasks.into_iter().map(run)));
        program.spans.borrow_mut().clear();
        prop_assert!(taskspan::current_span().is_none());
        check(&sent.take(), &program.recorded.borrow());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_tasks_never_mix() {
    async fn work(number: usize) {
        for step in 0..3 {
            yield_now().await;
            info_span!("step", number, step).in_scope(|| {
                taskspan::span("native", format!("{number} {step}")).in_scope(|_| ());
            });
        }
        let spawned = async move {
            yield_now().await;
            info_span!("inside", number).in_scope(|| ());
        };
        let spawned = spawned.instrument(info_span!("spawned", number));
        tokio::spawn(spawned).await.unwrap();
    }
    let (client, sent) = client();
    // For the whole process: a span below one of another task keeps that open until the registry
    // has told the subscriber of its end, which is the one of the thread.
    tracing_subscriber::registry()
        .with(taskspan::tracing::layer())
        .init();
    let tasks = (0..1_000).map(|number| {
        let client = client.clone();
        tokio::spawn(async move {
            let name = format!("root {number}");
            let root = async {
                work(number)
                    .instrument(info_span!("root", otel.name = name, number))
                    .await;
            };
            root.with_client(&client).await;
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let transactions = sent.take();
    assert_eq!(transactions.len(), 1_000);
    check(&transactions, &HashMap::new());
    for transaction in &transactions {
        let number = transaction
            .contexts
            .trace
            .data
            .get("number")
            .cloned()
            .unwrap();
        assert_eq!(transaction.name, format!("root {number}"));
        assert_eq!(transaction.spans.len(), 8);
        for span in &transaction.spans {
            match span.data.get("number").cloned() {
                Some(of) => assert_eq!(of, number),
                None => assert!(span.description.starts_with(&format!("{number} "))),
            }
        }
    }
}
