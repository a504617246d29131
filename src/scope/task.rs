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
}

impl TaskScope {
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
        swap(self.scope);
    }
}

/// Exchanges what is current for what is in `scope`. See [`enter`] for where that can be paired.
#[inline]
pub(crate) fn swap(scope: &mut Option<Box<TaskScope>>) {
    let entering = ManuallyDrop::new(scope.take());
    *scope = ManuallyDrop::into_inner(SLOT.replace(entering));
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
    if let Some(breadcrumb) = client.before_breadcrumb(breadcrumb) {
        change_in_place(|scope| scope.add_breadcrumb(breadcrumb));
    }
}
