//! One HTTP client, which knows nothing of telemetry.

mod client;
mod compression;
mod config;
mod connect;
mod proxy;
mod tls;

pub(crate) use self::client::{Failure, HttpClient, POOL_IDLE_TIMEOUT, Reply};
pub use self::compression::Compression;
pub(crate) use self::compression::Compressor;
pub(crate) use self::config::HttpConfig;
pub(crate) use self::proxy::{Proxy, is_exempt};
pub(crate) use self::tls::{PemError, TlsConfig};
