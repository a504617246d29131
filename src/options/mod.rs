//! How a client is set up.

mod checks;
mod contexts;
mod error;
mod network;
mod options;
mod sampling;
mod set;
mod settings;
mod spotlight;
mod variables;

pub use self::error::OptionsError;
pub use self::options::Options;
pub(crate) use self::settings::Settings;
pub use self::spotlight::Spotlight;
