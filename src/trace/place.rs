//! Where a span is recorded.

use std::sync::Arc;

use super::trace::Trace;
use crate::record::SpanNumber;

/// Where a span is recorded.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) trace: Arc<Trace>,
    pub(crate) number: SpanNumber,
    /// If not, `number` is that of the nearest span above which is, or of the
    /// root where none is.
    pub(crate) recorded: bool,
    /// Whether it is the root, recorded or not, and not a span that stands for it.
    pub(crate) is_root: bool,
}
