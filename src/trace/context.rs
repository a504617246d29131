//! What is current in one place, to go on with in another.

use std::sync::Arc;

use super::Trace;
use super::record::SpanNumber;
use super::shared::NO_TASK;
use super::span::Place;
use super::task::TaskSpans;
use crate::client::Client;
use crate::scope::Scope;
use crate::scope::task::{self, TaskScope};

/// A copy of what the current task knows, and where in a trace it is.
#[derive(Clone, Default)]
pub(super) struct Context {
    pub(super) client: Option<Client>,
    pub(super) parent: Option<(Arc<Trace>, SpanNumber)>,
    pub(super) scope: Scope,
}

impl Context {
    /// What is current here, if anything is.
    pub(super) fn current() -> Option<Self> {
        task::with(|task| {
            Some(Self {
                client: task.client.clone(),
                parent: task.spans.as_mut().map(|spans| {
                    let place = spans.place(spans.current());
                    (place.trace, place.number)
                }),
                scope: task.scope.clone(),
            })
        })
    }

    /// What is known to whoever runs below a span from here.
    pub(super) fn below(place: &Place) -> Self {
        Self {
            client: None,
            parent: Some((Arc::clone(&place.trace), place.number)),
            scope: task::current_scope(),
        }
    }

    /// The same as a task that begins now.
    pub(super) fn open(self) -> Box<TaskScope> {
        let Self {
            client,
            parent,
            mut scope,
        } = self;
        let spans = parent.map(|(trace, number)| {
            // Who runs directly below a root without a task of its own speaks for it.
            let main = number == trace.root && number.task() == NO_TASK;
            if main {
                scope = trace.scope();
            }
            TaskSpans::below(trace, number, main)
        });
        TaskScope::new(client, spans, scope)
    }
}
