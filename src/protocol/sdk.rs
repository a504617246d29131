//! Who wrote an envelope.

use serde::Serialize;

/// The SDK that wrote an envelope.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Sdk {
    /// The name that servers know this SDK by.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The packages it consists of.
    pub packages: Vec<SdkPackage>,
}

/// A package that an SDK consists of.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct SdkPackage {
    /// The registry and the name there, with a colon between them.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
}

impl Sdk {
    /// The name of this SDK, as it stands in every place of the protocol.
    pub(crate) const NAME: &'static str = "sentry.rust.taskspan";
    /// The version of this SDK.
    pub(crate) const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    /// Name and version as the `User-Agent` and `sentry_client` have them.
    pub(crate) const CLIENT: &'static str =
        concat!("sentry.rust.taskspan/", env!("CARGO_PKG_VERSION"));
}

impl Default for Sdk {
    fn default() -> Self {
        let package = SdkPackage {
            name: "cargo:taskspan",
            version: Self::VERSION,
        };
        Self {
            name: Self::NAME,
            version: Self::VERSION,
            packages: vec![package],
        }
    }
}
