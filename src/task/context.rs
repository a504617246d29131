//! What is current in one place, to go on with in another.

use std::sync::Arc;

use super::slot::{self, TaskScope};
use crate::client::{self, Client};
use crate::propagation::{IncomingTrace, PropagationContext};
use crate::record::{NO_TASK, SpanNumber};
use crate::scope::Scopes;
use crate::trace::{SpanLocation, TaskSpans, Trace};

/// A copy of what the current task knows, and where in a trace it is.
#[derive(Clone, Default)]
pub(crate) struct Context {
    pub(crate) client: Option<Client>,
    pub(crate) parent: Option<(Arc<Trace>, SpanNumber)>,
    pub(crate) propagation: Option<Arc<PropagationContext>>,
    pub(crate) scopes: Scopes,
}

impl Context {
    /// What is current here, if anything is.
    pub(crate) fn current() -> Option<Self> {
        slot::with(|task| {
            Some(Self {
                client: task.client.clone(),
                parent: task.spans.as_mut().map(|spans| {
                    let location = spans.location(spans.current());
                    (location.trace, location.number)
                }),
                propagation: task.propagation.clone(),
                scopes: task.scopes.clone(),
            })
        })
    }

    /// What is current here or, if nothing is, what was current elsewhere before.
    ///
    /// Most often both are the same, and then nothing is copied again.
    #[inline]
    pub(crate) fn current_or(before: &mut Option<Self>) -> Option<Self> {
        let same = slot::with(|task| Some(before.as_ref().is_some_and(|it| it.is_of(task))));
        match same {
            Some(false) => Self::current(),
            Some(true) | None => before.take(),
        }
    }

    /// Whether it is what a task knows at this moment.
    fn is_of(&self, task: &TaskScope) -> bool {
        let parent = task.spans.as_ref().map(|it| (it.trace(), it.current()));
        let same_parent = match (&self.parent, parent) {
            (None, None) => true,
            (Some((trace, number)), Some((of_task, current))) => {
                Arc::ptr_eq(trace, of_task) && *number == current
            }
            _ => false,
        };
        let same_propagation = match (&self.propagation, &task.propagation) {
            (None, None) => true,
            (Some(own), Some(of_task)) => Arc::ptr_eq(own, of_task),
            _ => false,
        };
        let same_client = match (&self.client, &task.client) {
            (None, None) => true,
            (Some(own), Some(of_task)) => own.is_same(of_task),
            _ => false,
        };
        same_parent && same_propagation && same_client && self.scopes.is_same(&task.scopes)
    }

    /// What is known to whoever runs below a span from here.
    pub(crate) fn below(location: &SpanLocation) -> Self {
        Self {
            client: None,
            parent: Some((Arc::clone(&location.trace), location.number)),
            propagation: None,
            scopes: slot::current_scopes(),
        }
    }

    /// The same under a client, outside of any trace.
    pub(crate) fn of_client(client: &Client) -> Self {
        Self {
            client: Some(client.clone()),
            scopes: slot::current_scopes(),
            ..Self::default()
        }
    }

    /// The same in the trace that came in, or in a new one.
    pub(crate) fn in_trace(mut self, incoming: Option<&IncomingTrace>) -> Self {
        let client = self.take_client();
        let propagation = client.as_ref().map(|client| {
            let policy = client.propagation();
            let continued = incoming.and_then(|it| PropagationContext::continuing(it, policy));
            Arc::new(continued.unwrap_or_else(PropagationContext::new))
        });
        Self {
            client,
            parent: None,
            propagation,
            scopes: self.scopes,
        }
    }

    /// Takes out the client that transactions here belong to, unless it is a disabled one.
    pub(crate) fn take_client(&mut self) -> Option<Client> {
        let client = match &self.parent {
            Some((trace, _)) => Some(trace.client.clone()),
            None => self.client.take().or_else(client::installed),
        };
        client.filter(Client::is_enabled)
    }

    /// The same as a task that begins now.
    pub(crate) fn open(self) -> Box<TaskScope> {
        let Self {
            client,
            parent,
            propagation,
            mut scopes,
        } = self;
        let spans = parent.map(|(trace, number)| {
            // Who runs directly below a root without a task of its own speaks for it.
            let main = number == trace.info.root && number.task() == NO_TASK;
            if main {
                scopes = trace.scopes();
            }
            TaskSpans::below(trace, number, main)
        });
        Box::new(TaskScope::new(client, spans, propagation, scopes))
    }
}
