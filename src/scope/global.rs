//! The scope below all others.

use std::sync::{Mutex, PoisonError};

use super::scope::Scope;

/// Changes the global scope: what holds for everything in this process.
///
/// It lies below the scope of every task, whose values win. It exists before
/// any client does and is never forked.
///
/// ```
/// taskspan::configure_global_scope(|scope| scope.set_tag("region", "eu-north"));
/// ```
pub fn configure_global_scope<R>(change: impl FnOnce(&mut Scope) -> R) -> R {
    // The lock is not held while the caller's code runs: it may end spans,
    // or call this function once more, and so may other threads.
    let before = snapshot();
    let mut scope = before.clone();
    let result = change(&mut scope);
    let mut global = GLOBAL.lock().unwrap_or_else(PoisonError::into_inner);
    scope.merge(&before, &global);
    *global = scope;
    result
}

/// The global scope as it is now.
pub(crate) fn snapshot() -> Scope {
    GLOBAL
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone()
}

static GLOBAL: Mutex<Scope> = Mutex::new(Scope { data: None });
