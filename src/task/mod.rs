//! What the task that is being polled knows and records.

mod configure;
mod context;
mod dropped_as;
mod fork;
mod location;
pub(crate) mod slot;

pub use self::configure::{
    add_breadcrumb, configure_scope, set_context, set_level, set_request, set_tag, set_user,
};
pub(crate) use self::context::Context;
pub(crate) use self::dropped_as::{DropAs, drop_status, set_dropped_as};
pub(crate) use self::fork::{Fork, Layer};
pub use self::fork::{with_isolation_scope, with_scope};
pub(crate) use self::location::{Restore, in_task_of};
#[cfg(feature = "tracing")]
pub(crate) use self::slot::Owner;
pub(crate) use self::slot::TaskScope;
