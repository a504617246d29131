//! How a client is set up.

mod contexts;
mod network;
mod options;
mod sampling;
mod set;
mod spotlight;

pub(crate) use self::contexts::default_contexts;
pub use self::options::{Options, OptionsError};
pub use self::spotlight::Spotlight;
