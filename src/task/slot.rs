//! The task-local slot: what the task that is being polled knows and records.

use std::cell::Cell;
use std::mem::{self, ManuallyDrop};
use std::sync::Arc;

use crate::client::{self, Client};
use crate::propagation::PropagationContext;
use crate::scope::Scopes;
use crate::trace::TaskSpans;

/// What one task knows and records. It moves into the slot for each poll and out again.
#[derive(Default)]
pub(crate) struct TaskScope {
    /// The client bound here, where there is no trace to name one.
    pub(crate) client: Option<Client>,
    /// The task's part of a trace.
    pub(crate) spans: Option<TaskSpans>,
    /// The trace that goes on where there are no spans of one.
    pub(crate) propagation: Option<Arc<PropagationContext>>,
    /// What the code of this task has set.
    pub(crate) scopes: Scopes,
    /// `None` unless it lies over the scope that was current before it.
    #[cfg(feature = "tracing")]
    pub(crate) overlay: Option<Overlay>,
}

/// What a scope that was [laid over](lay_over) another one covers.
#[cfg(feature = "tracing")]
pub(crate) struct Overlay {
    owner: Owner,
    below: Option<Box<TaskScope>>,
}

/// Who has laid a scope over another one.
#[cfg(feature = "tracing")]
pub(crate) type Owner = (u64, u64);

impl TaskScope {
    pub(crate) fn new(
        client: Option<Client>,
        spans: Option<TaskSpans>,
        propagation: Option<Arc<PropagationContext>>,
        scopes: Scopes,
    ) -> Self {
        Self {
            client,
            spans,
            propagation,
            scopes,
            #[cfg(feature = "tracing")]
            overlay: None,
        }
    }

    /// The client that what happens here is told to.
    fn client(&self) -> Option<&Client> {
        let of_trace = self.spans.as_ref().map(TaskSpans::client);
        of_trace.or(self.client.as_ref())
    }
}

thread_local! {
    // Every scope is taken out again, so there is never anything to drop when
    // the thread ends; saying so spares a check at each access.
    static SLOT: Cell<ManuallyDrop<Option<Box<TaskScope>>>> =
        const { Cell::new(ManuallyDrop::new(None)) };
}

/// Calls `f` with what the current task knows, if there is anything.
///
/// No caller's code may run inside `f`: the slot is empty meanwhile.
#[inline]
pub(crate) fn with<R>(f: impl FnOnce(&mut TaskScope) -> Option<R>) -> Option<R> {
    SLOT.with(|slot| {
        let mut task = ManuallyDrop::into_inner(slot.take())?;
        let result = f(&mut task);
        slot.set(ManuallyDrop::new(Some(task)));
        result
    })
}

/// Makes `scope` the current one until the returned guard is dropped.
///
/// Scopes are entered and left in the order of a stack, also when unwinding.
#[inline]
pub(crate) fn enter(scope: &mut Option<Box<TaskScope>>) -> Entered<'_> {
    swap(scope);
    Entered { scope }
}

/// Puts back what was current when it was made.
pub(crate) struct Entered<'a> {
    scope: &'a mut Option<Box<TaskScope>>,
}

impl Drop for Entered<'_> {
    #[inline]
    fn drop(&mut self) {
        leave(self.scope);
    }
}

/// Exchanges what is current for what is in `scope`. See [`enter`] for where that can be paired.
#[inline]
pub(crate) fn swap(scope: &mut Option<Box<TaskScope>>) {
    let entering = ManuallyDrop::new(scope.take());
    *scope = ManuallyDrop::into_inner(SLOT.replace(entering));
}

/// Exchanges what was entered by [`swap`] for what was current before.
///
/// What was laid over it and forgotten ends here.
#[inline]
pub(crate) fn leave(scope: &mut Option<Box<TaskScope>>) {
    swap(scope);
    #[cfg(feature = "tracing")]
    if let Some(task) = scope
        && task.overlay.is_some()
    {
        uncover(scope);
    }
}

/// Makes a scope the current one, to be [taken off](take_off) by its owner at some time.
///
/// It is for those who do not enter and leave in the order of a stack. It stays where it is laid:
/// wherever the scope below goes, and no longer than whoever entered that one stays in it.
#[cfg(feature = "tracing")]
pub(crate) fn lay_over(mut scope: Box<TaskScope>, owner: Owner) {
    SLOT.with(|slot| {
        let below = ManuallyDrop::into_inner(slot.take());
        scope.overlay = Some(Overlay { owner, below });
        slot.set(ManuallyDrop::new(Some(scope)));
    });
}

/// Takes off the uppermost scope of an owner, if it still is where it was laid.
#[cfg(feature = "tracing")]
pub(crate) fn take_off(owner: Owner) -> Option<Box<TaskScope>> {
    SLOT.with(|slot| {
        let mut top = ManuallyDrop::into_inner(slot.take());
        let taken = take_out(&mut top, owner);
        slot.set(ManuallyDrop::new(top));
        taken
    })
}

#[cfg(feature = "tracing")]
fn take_out(at: &mut Option<Box<TaskScope>>, owner: Owner) -> Option<Box<TaskScope>> {
    let overlay = at.as_mut()?.overlay.as_mut()?;
    if overlay.owner != owner {
        return take_out(&mut overlay.below, owner);
    }
    let below = overlay.below.take();
    let mut taken = mem::replace(at, below)?;
    taken.overlay = None;
    Some(taken)
}

/// Ends all that was laid over a scope.
#[cfg(feature = "tracing")]
#[cold]
fn uncover(scope: &mut Option<Box<TaskScope>>) {
    while let Some(task) = scope
        && let Some(overlay) = &mut task.overlay
    {
        *scope = overlay.below.take();
    }
}

/// The client that what happens here is told to, unless it is a disabled one.
pub(crate) fn current_client() -> Option<Client> {
    with(|task| task.client().cloned())
        .or_else(client::installed)
        .filter(Client::is_enabled)
}

/// The scopes of the current task, empty ones where there are none.
pub(crate) fn current_scopes() -> Scopes {
    with(|task| Some(task.scopes.clone())).unwrap_or_default()
}

impl Drop for TaskScope {
    fn drop(&mut self) {
        let Some(spans) = &mut self.spans else { return };
        #[cfg(feature = "tracing")]
        spans.tell_open_keys();
        if spans.is_recorded() {
            spans.hand_over(mem::take(&mut self.scopes));
        } else {
            spans.end_unrecorded();
        }
    }
}
