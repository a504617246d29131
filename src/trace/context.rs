//! What is current in one place, to go on with in another.

use std::sync::Arc;

use super::Trace;
use super::record::SpanNumber;
use super::shared::NO_TASK;
use super::span::Place;
use super::task::TaskSpans;
use crate::client::{self, Client};
use crate::propagation::{IncomingTrace, PropagationContext};
use crate::scope::Scopes;
use crate::scope::task::{self, TaskScope};

/// A copy of what the current task knows, and where in a trace it is.
#[derive(Clone, Default)]
pub(super) struct Context {
    pub(super) client: Option<Client>,
    pub(super) parent: Option<(Arc<Trace>, SpanNumber)>,
    pub(super) propagation: Option<Arc<PropagationContext>>,
    pub(super) scopes: Scopes,
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
                propagation: task.propagation.clone(),
                scopes: task.scopes.clone(),
            })
        })
    }

    /// What is known to whoever runs below a span from here.
    pub(super) fn below(place: &Place) -> Self {
        Self {
            client: None,
            parent: Some((Arc::clone(&place.trace), place.number)),
            propagation: None,
            scopes: task::current_scopes(),
        }
    }

    /// The same under a client, outside of any trace.
    pub(super) fn of_client(client: &Client) -> Self {
        Self {
            client: Some(client.clone()),
            scopes: task::current_scopes(),
            ..Self::default()
        }
    }

    /// The same in the trace that came in, or in a new one.
    pub(super) fn in_trace(mut self, incoming: Option<&IncomingTrace>) -> Self {
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
    pub(super) fn take_client(&mut self) -> Option<Client> {
        let client = match &self.parent {
            Some((trace, _)) => Some(trace.client.clone()),
            None => self.client.take().or_else(client::installed),
        };
        client.filter(Client::is_enabled)
    }

    /// The same as a task that begins now.
    pub(super) fn open(self) -> Box<TaskScope> {
        let Self {
            client,
            parent,
            propagation,
            mut scopes,
        } = self;
        let spans = parent.map(|(trace, number)| {
            // Who runs directly below a root without a task of its own speaks for it.
            let main = number == trace.root && number.task() == NO_TASK;
            if main {
                scopes = trace.scopes();
            }
            TaskSpans::below(trace, number, main)
        });
        Box::new(TaskScope::new(client, spans, propagation, scopes))
    }
}
