//! What was set: tags, user, contexts, request, level and breadcrumbs.
//!
//! A [`Scope`] is a copy of that knowledge; [`global`] holds the one that lies below all of them.
//! The scopes of the task that is being polled are in `task`.
//!
//! | Scope | Holds for | Changed by |
//! |---|---|---|
//! | global | the process | [`configure_global_scope`] |
//! | isolation | a transaction, a request, a task | `configure_scope` and `set_tag` with the like |
//! | current | a part of that | `with_scope` alone |
//!
//! Later ones win.

mod breadcrumbs;
pub(crate) mod global;
mod map;
mod merge;
mod scope;

pub(crate) use self::breadcrumbs::MAX_BREADCRUMBS;
pub use self::global::configure_global_scope;
pub use self::scope::Scope;
pub(crate) use self::scope::Scopes;
