//! Where a span is recorded.

use std::fmt;
use std::sync::Arc;

use super::trace::Trace;
use crate::record::SpanNumber;

/// Where a span is recorded.
#[derive(Clone)]
pub(crate) struct SpanLocation {
    pub(crate) trace: Arc<Trace>,
    pub(crate) number: SpanNumber,
    /// If not, `number` is that of the nearest span above which is, or of the
    /// root where none is.
    pub(crate) recorded: bool,
    /// Whether it is the root, recorded or not, and not a span that stands for it.
    pub(crate) is_root: bool,
}

impl fmt::Debug for SpanLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpanLocation")
            .field("number", &self.number)
            .field("recorded", &self.recorded)
            .finish_non_exhaustive()
    }
}
