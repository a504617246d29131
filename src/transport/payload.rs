//! What can be delivered.

use crate::filter::Build;

/// Something finished that waits to be delivered.
pub(crate) trait Payload: Send + 'static {
    /// How many spans it holds, the root included.
    fn spans(&self) -> u32;
    /// About how many bytes it holds in memory.
    fn size(&self) -> usize;
    /// Whether it may take long to build, however small it is.
    fn takes_long(&self) -> bool {
        false
    }
    /// Builds what goes on the wire. Runs on the worker, never on the request path.
    fn build(self: Box<Self>) -> Build;
}
