//! Copies of the scopes that hold for a part of the work.

use std::mem;

use super::slot::{self, TaskScope};
use crate::scope::{Scope, Scopes};

/// Which of a task's scopes a fork may change.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Layer {
    /// That of a part of the work.
    Current,
    /// That of all the work; the current one is forked with it.
    Isolation,
}

/// Scopes that take the place of the task's own while a part of its work runs.
pub(crate) struct Fork {
    layer: Layer,
    scopes: Scopes,
    /// What they are a part of where there is no task.
    own: Option<Box<TaskScope>>,
}

impl Fork {
    /// Copies the scopes that are current now and has one of them changed.
    pub(crate) fn new(layer: Layer, configure: impl FnOnce(&mut Scope)) -> Self {
        let mut scopes = slot::current_scopes();
        configure(match layer {
            Layer::Current => &mut scopes.current,
            Layer::Isolation => &mut scopes.isolation,
        });
        Self {
            layer,
            scopes,
            own: None,
        }
    }

    /// Makes the scopes those of the task until the returned guard is dropped.
    pub(crate) fn enter(&mut self) -> Entered<'_> {
        let in_task = self.swap();
        if !in_task {
            let scopes = mem::take(&mut self.scopes);
            let own = self.own.get_or_insert_default();
            own.scopes = scopes;
            slot::swap(&mut self.own);
        }
        Entered {
            fork: self,
            in_task,
        }
    }

    /// Exchanges the scopes for those of the task, if there is one.
    fn swap(&mut self) -> bool {
        slot::with(|task| {
            match self.layer {
                // What is set meanwhile for all of the task's work stays.
                Layer::Current => mem::swap(&mut task.scopes.current, &mut self.scopes.current),
                Layer::Isolation => mem::swap(&mut task.scopes, &mut self.scopes),
            }
            Some(())
        })
        .is_some()
    }
}

/// Puts back the scopes that were current when it was made.
pub(crate) struct Entered<'a> {
    fork: &'a mut Fork,
    in_task: bool,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        if self.in_task {
            self.fork.swap();
        } else {
            slot::leave(&mut self.fork.own);
            if let Some(own) = &mut self.fork.own {
                self.fork.scopes = mem::take(&mut own.scopes);
            }
        }
    }
}

/// Calls `work` in a scope of its own, which `configure` may change before.
///
/// What stands there wins over what is set with [`set_tag`](crate::set_tag) and the like, and holds
/// for transactions that start inside; the one around is not changed by it. For futures there is
/// [`Instrument::with_scope`](crate::Instrument::with_scope).
///
/// ```
/// # use taskspan::Options;
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # use taskspan::Instrument;
/// # let (client, sent) = taskspan::test::client(Options::default().traces_sample_rate(1.0));
/// # let run = async {
/// taskspan::with_scope(
///     |scope| scope.set_tag("attempt", 2),
///     || taskspan::transaction("task", "retry").in_scope(|_| { /* … */ }),
/// );
/// # };
/// # run.with_client(&client).await;
/// # assert_eq!(sent.transactions()[0].tags["attempt"], "2");
/// # }
/// ```
pub fn with_scope<R>(configure: impl FnOnce(&mut Scope), work: impl FnOnce() -> R) -> R {
    let mut fork = Fork::new(Layer::Current, configure);
    let _entered = fork.enter();
    work()
}

/// Calls `work` in an isolation scope of its own, which `configure` may change before.
///
/// It begins as a copy. What `work` sets with [`set_tag`](crate::set_tag) and the like stays
/// inside: use it for one of many things that are done side by side. Transactions have one each
/// by themselves. For futures there is
/// [`Instrument::with_isolation_scope`](crate::Instrument::with_isolation_scope).
pub fn with_isolation_scope<R>(configure: impl FnOnce(&mut Scope), work: impl FnOnce() -> R) -> R {
    let mut fork = Fork::new(Layer::Isolation, configure);
    let _entered = fork.enter();
    work()
}
