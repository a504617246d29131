//! The client: what a program creates once, and closes before it ends.

mod client;
mod error;
mod installed;

pub use self::client::Client;
pub use self::error::InitError;
pub use self::installed::init;
pub(crate) use self::installed::installed;
