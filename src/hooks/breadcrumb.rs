//! Changing breadcrumbs.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::diagnostics::{self, Topic};
use crate::own_work::during;
use crate::protocol::Breadcrumb;

/// A function that changes or drops breadcrumbs.
#[derive(Clone)]
pub(crate) struct BeforeBreadcrumb(Arc<dyn Fn(Breadcrumb) -> Option<Breadcrumb> + Send + Sync>);

impl BeforeBreadcrumb {
    pub(crate) fn new(
        change: impl Fn(Breadcrumb) -> Option<Breadcrumb> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(change))
    }

    /// What is left of a breadcrumb.
    pub(crate) fn change(&self, breadcrumb: Breadcrumb) -> Option<Breadcrumb> {
        let change = || during(|| (self.0)(breadcrumb));
        // Whatever the user's code has left half done is its own.
        catch_unwind(AssertUnwindSafe(change)).unwrap_or_else(|_| {
            diagnostics::once(&BEFORE_BREADCRUMB_PANICKED);
            None
        })
    }
}

impl fmt::Debug for BeforeBreadcrumb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BeforeBreadcrumb")
    }
}

static BEFORE_BREADCRUMB_PANICKED: Topic =
    Topic::new("`before_breadcrumb` panics: such breadcrumbs are dropped");
