//! Setting what is known where the code runs.

use std::borrow::Cow;
use std::fmt::Display;
use std::mem;

use serde::Serialize;

use super::slot::{current_client, current_scopes, with};
use crate::diagnostics::{self, Topic};
use crate::own_work;
use crate::protocol::{Breadcrumb, Level, Request, User, valid};
use crate::scope::Scope;

/// Changes the isolation scope of the current task: what holds for its transaction.
///
/// Tasks that were spawned before keep what they had, and tasks never see each
/// other's changes: each has a copy, taken when it was spawned. Outside of any
/// transaction there is nothing to change, and the closure is called with a
/// scope that is thrown away.
///
/// ```
/// # use taskspan::{Instrument, Options};
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # let (client, sent) = taskspan::test::client(Options::default().traces_sample_rate(1.0));
/// async {
///     taskspan::configure_scope(|scope| {
///         scope.set_tag("tenant", "acme");
///         scope.set_user("7");
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
        diagnostics::once(&NO_SCOPE);
    }
}

/// Sets a tag on the isolation scope of the current task. See [`Scope::set_tag`].
pub fn set_tag(key: impl Into<Cow<'static, str>>, value: impl Display) {
    // The value's own code may come back here.
    let (key, value) = (key.into(), value.to_string());
    change_in_place(|scope| scope.put_tag(key, value));
}

/// Sets the user on the isolation scope of the current task. See [`Scope::set_user`].
///
/// ```
/// # use taskspan::{Instrument, Options};
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # let (client, sent) = taskspan::test::client(Options::default().traces_sample_rate(1.0));
/// async { taskspan::set_user("7") }
///     .in_transaction("task", "bill")
///     .with_client(&client)
///     .await;
/// assert_eq!(sent.transactions()[0].user.as_ref().unwrap().id.as_deref(), Some("7"));
/// # }
/// ```
pub fn set_user(user: impl Into<User>) {
    let user = user.into();
    change_in_place(|scope| scope.set_user(user));
}

/// Sets a context on the isolation scope of the current task. See [`Scope::set_context`].
pub fn set_context(name: impl Into<Cow<'static, str>>, context: impl Serialize) {
    let (name, context) = (name.into(), valid::context_of(context));
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
    // Otherwise `before_breadcrumb` could call itself without end.
    if own_work::is_current() {
        return;
    }
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
        if task.overlay.is_some() {
            task.spans.as_ref()?.leave_breadcrumb(&mut breadcrumb);
        }
        Some(())
    });
    breadcrumb
}

static NO_SCOPE: Topic =
    Topic::new("scope data was set outside of any transaction and has no effect");
