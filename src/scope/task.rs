//! The task-local slot: what the task that is being polled knows and records.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt::Display;
use std::mem::{self, ManuallyDrop};
use std::sync::Arc;

use serde::Serialize;

use super::{Scope, Scopes};
use crate::client::{self, Client};
use crate::diagnostics::{self, Topic};
use crate::propagation::PropagationContext;
use crate::protocol::{Breadcrumb, Level, Request, User};
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
    #[cfg(feature = "tracing")]
    standing: Standing,
}

/// What a scope is to the one that was current before it.
#[cfg(feature = "tracing")]
#[derive(Default)]
enum Standing {
    /// Whoever entered it leaves it, and has the other one meanwhile.
    #[default]
    Apart,
    /// It was [laid over](lay_over) the other one.
    Over {
        owner: Owner,
        below: Option<Box<TaskScope>>,
    },
    /// The work of this crate itself, which is never recorded.
    Hidden,
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
            standing: Standing::default(),
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
        && matches!(task.standing, Standing::Over { .. })
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
        scope.standing = Standing::Over { owner, below };
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
    match &mut at.as_mut()?.standing {
        Standing::Over { owner: of, below } if *of == owner => {
            let below = below.take();
            let mut taken = mem::replace(at, below)?;
            taken.standing = Standing::default();
            Some(taken)
        }
        Standing::Over { below, .. } => take_out(below, owner),
        Standing::Apart | Standing::Hidden => None,
    }
}

/// Ends all that was laid over a scope.
#[cfg(feature = "tracing")]
#[cold]
fn uncover(scope: &mut Option<Box<TaskScope>>) {
    while let Some(task) = scope
        && let Standing::Over { below, .. } = &mut task.standing
    {
        *scope = below.take();
    }
}

/// Whether what runs here is the work of this crate itself.
#[cfg(feature = "tracing")]
pub(crate) fn is_hidden() -> bool {
    with(|task| Some(matches!(task.standing, Standing::Hidden))).unwrap_or(false)
}

/// What work is done in that is never recorded, whoever records what it calls.
#[cfg(feature = "tracing")]
pub(crate) fn hidden() -> Box<TaskScope> {
    let mut scope = Box::<TaskScope>::default();
    scope.standing = Standing::Hidden;
    scope
}

/// The client that what happens here is told to, unless it is a disabled one.
pub(crate) fn current_client() -> Option<Client> {
    with(|task| task.client().cloned())
        .or_else(client::installed)
        .filter(Client::is_enabled)
}

/// Changes the isolation scope of the current task: what holds for its transaction.
///
/// Tasks that were spawned before keep what they had, and tasks never see each
/// other's changes: each has a copy, taken when it was spawned. Outside of any
/// transaction there is nothing to change, and the closure is called with a
/// scope that is thrown away.
///
/// ```
/// # use taskspan::{Instrument, Options, User};
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # let (client, sent) = taskspan::test::client(Options::default().traces_sample_rate(1.0));
/// async {
///     taskspan::configure_scope(|scope| {
///         scope.set_tag("tenant", "acme");
///         scope.set_user(User { id: Some("7".into()), ..User::default() });
///     });
/// }
/// .in_transaction("task", "bill")
/// .with_client(&client)
/// .await;
/// # assert_eq!(sent.transactions()[0].tags["tenant"], "acme");
/// # }
/// ```
pub fn configure_scope<R>(change: impl FnOnce(&mut Scope) -> R) -> R {
    // The caller's code gets a copy, so that nothing is borrowed while it runs:
    // it may change the scope itself, or spawn tasks that copy it.
    let before = current_scopes().isolation;
    let mut changed = Changed {
        scope: before.clone(),
        before,
    };
    change(&mut changed.scope)
}

/// A changed copy on its way back to the current task, also when unwinding.
struct Changed {
    scope: Scope,
    before: Scope,
}

impl Drop for Changed {
    fn drop(&mut self) {
        let mut scope = mem::take(&mut self.scope);
        let before = &self.before;
        change_in_place(|current| {
            scope.merge(before, current);
            *current = scope;
        });
    }
}

/// Changes the scope of the current task in its place. No caller's code may run inside `change`.
fn change_in_place(change: impl FnOnce(&mut Scope)) {
    let changed = with(|task| {
        change(&mut task.scopes.isolation);
        Some(())
    });
    if changed.is_none() {
        diagnostics::once(Topic::NoScope);
    }
}

/// The scopes of the current task, empty ones where there are none.
pub(crate) fn current_scopes() -> Scopes {
    with(|task| Some(task.scopes.clone())).unwrap_or_default()
}

/// Sets a tag on the isolation scope of the current task. See [`Scope::set_tag`].
pub fn set_tag(key: impl Into<Cow<'static, str>>, value: impl Display) {
    // The value's own code may come back here.
    let (key, value) = (key.into(), value.to_string());
    change_in_place(|scope| scope.put_tag(key, value));
}

/// Sets or forgets the user on the isolation scope of the current task. See [`Scope::set_user`].
pub fn set_user(user: impl Into<Option<User>>) {
    let user = user.into();
    change_in_place(|scope| scope.set_user(user));
}

/// Sets a context on the isolation scope of the current task. See [`Scope::set_context`].
pub fn set_context(name: impl Into<Cow<'static, str>>, context: impl Serialize) {
    let (name, context) = (name.into(), super::context_of(context));
    change_in_place(|scope| scope.put_context(name, context));
}

/// Sets or forgets the request on the isolation scope of the current task. See [`Scope::set_request`].
pub fn set_request(request: impl Into<Option<Request>>) {
    let request = request.into();
    change_in_place(|scope| scope.set_request(request));
}

/// Sets or forgets the level on the isolation scope of the current task. See [`Scope::set_level`].
pub fn set_level(level: impl Into<Option<Level>>) {
    let level = level.into();
    change_in_place(|scope| scope.set_level(level));
}

/// Adds a breadcrumb to the isolation scope of the current task. See [`Scope::add_breadcrumb`].
///
/// The client's [`before_breadcrumb`](crate::Options::before_breadcrumb) sees it first, here and
/// now.
///
/// ```
/// # use taskspan::{Instrument, Options};
/// use taskspan::protocol::Breadcrumb;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # let (client, sent) = taskspan::test::client(Options::default().traces_sample_rate(1.0));
/// async {
///     taskspan::add_breadcrumb(Breadcrumb::new("cache", "12 entries are out of date"));
/// }
/// .in_transaction("task", "refresh")
/// # .with_client(&client)
/// .await;
/// # assert_eq!(sent.transactions()[0].breadcrumbs[0].category, "cache");
/// # }
/// ```
pub fn add_breadcrumb(breadcrumb: Breadcrumb) {
    let Some(client) = current_client() else {
        return;
    };
    let breadcrumb = client.before_breadcrumb(breadcrumb);
    #[cfg(feature = "tracing")]
    let breadcrumb = breadcrumb.and_then(leave_with_trace);
    if let Some(breadcrumb) = breadcrumb {
        change_in_place(|scope| scope.add_breadcrumb(breadcrumb));
    }
}

/// Leaves a breadcrumb with the trace where a scope lies over the current one. Such a scope is no
/// task, whose changes are its own, but a part of one that goes on elsewhere.
#[cfg(feature = "tracing")]
fn leave_with_trace(breadcrumb: Breadcrumb) -> Option<Breadcrumb> {
    let mut breadcrumb = Some(breadcrumb);
    with(|task| {
        if let Standing::Over { .. } = task.standing {
            task.spans.as_ref()?.leave_breadcrumb(&mut breadcrumb);
        }
        Some(())
    });
    breadcrumb
}
