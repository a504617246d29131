//! Whom to trust, and what to show to those who ask.

use std::path::Path;
use std::sync::Arc;
use std::{fmt, fs, io};

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

/// What the options say of TLS.
#[derive(Clone, Default)]
pub(crate) struct TlsConfig {
    /// Authorities that are trusted beside those of the platform.
    pub(crate) extra_roots: Vec<CertificateDer<'static>>,
    /// What the client shows to a server that asks who it is.
    pub(crate) client_key: Option<Arc<CertifiedKey>>,
}

/// What is wrong with a file of certificates or keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PemError {
    Unreadable(io::ErrorKind),
    Malformed,
    NoCertificate,
    BadCertificate,
    NoKey,
    BadKey,
    /// The key is that of another certificate.
    OtherKey,
}

/// Makes TLS connections. They share the platform's certificates.
pub(crate) struct Tls {
    provider: Arc<CryptoProvider>,
    verifier: Arc<dyn ServerCertVerifier>,
    client_key: Option<Arc<CertifiedKey>>,
}

impl TlsConfig {
    /// Reads a file of certificates, all of which are trusted.
    pub(crate) fn read_roots(path: &Path) -> Result<Vec<CertificateDer<'static>>, PemError> {
        let roots = read_certificates(path)?;
        for root in &roots {
            RootCertStore::empty()
                .add(root.clone())
                .map_err(|_| PemError::BadCertificate)?;
        }
        Ok(roots)
    }

    /// Reads a certificate, with those that vouch for it, and its key.
    ///
    /// An error comes with the file that it is about.
    pub(crate) fn read_client_key<'a>(
        certificate: &'a Path,
        key: &'a Path,
    ) -> Result<CertifiedKey, (&'a Path, PemError)> {
        let chain = read_certificates(certificate).map_err(|error| (certificate, error))?;
        let read_key = || {
            let pem = read(key)?;
            PrivateKeyDer::from_pem_slice(&pem).map_err(|error| match error {
                rustls::pki_types::pem::Error::NoItemsFound => PemError::NoKey,
                _ => PemError::Malformed,
            })
        };
        let key_der = read_key().map_err(|error| (key, error))?;
        CertifiedKey::from_der(chain, key_der, &ring::default_provider()).map_err(|error| {
            match error {
                rustls::Error::InconsistentKeys(_) => (key, PemError::OtherKey),
                rustls::Error::InvalidCertificate(_) => (certificate, PemError::BadCertificate),
                _ => (key, PemError::BadKey),
            }
        })
    }
}

impl fmt::Display for PemError {
    /// Writes what goes on from the name of the file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(kind) => write!(f, "cannot be read: {kind}"),
            Self::Malformed => f.write_str("is not written as PEM"),
            Self::NoCertificate => f.write_str("has no certificate in it"),
            Self::BadCertificate => f.write_str("has a certificate in it that cannot be used"),
            Self::NoKey => f.write_str("has no private key in it"),
            Self::BadKey => f.write_str("has a private key in it that cannot be used"),
            Self::OtherKey => f.write_str("has the private key of another certificate in it"),
        }
    }
}

impl Tls {
    /// Loads the platform's certificates, which takes milliseconds and blocks.
    pub(crate) fn new(config: &TlsConfig) -> Result<Self, rustls::Error> {
        let provider = Arc::new(ring::default_provider());
        Ok(Self {
            verifier: Arc::new(verifier(&config.extra_roots, &provider)?),
            client_key: config.client_key.clone(),
            provider,
        })
    }

    /// Speaks TLS with the server over the connections that `connector` makes.
    pub(crate) fn to_server<C>(&self, connector: C) -> Result<HttpsConnector<C>, rustls::Error> {
        let config = self.client_config(self.client_key.clone())?;
        Ok(HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(connector))
    }

    /// Speaks TLS with a proxy, which is never shown the client's certificate.
    pub(crate) fn to_proxy<C>(&self, connector: C) -> Result<HttpsConnector<C>, rustls::Error> {
        let config = self.client_config(None)?;
        Ok(HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_or_http()
            // Tunnels and forwarded requests are written as HTTP/1.1.
            .enable_http1()
            .wrap_connector(connector))
    }

    fn client_config(
        &self,
        client_key: Option<Arc<CertifiedKey>>,
    ) -> Result<ClientConfig, rustls::Error> {
        let config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()?
            // Called dangerous because a verifier may trust anybody; this one is the platform's.
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&self.verifier));
        Ok(match client_key {
            Some(key) => config.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(key))),
            None => config.with_no_client_auth(),
        })
    }
}

#[cfg(not(target_os = "android"))]
fn verifier(
    extra_roots: &[CertificateDer<'static>],
    provider: &Arc<CryptoProvider>,
) -> Result<Verifier, rustls::Error> {
    Verifier::new_with_extra_roots(extra_roots.iter().cloned(), Arc::clone(provider))
}

#[cfg(target_os = "android")]
fn verifier(
    extra_roots: &[CertificateDer<'static>],
    provider: &Arc<CryptoProvider>,
) -> Result<Verifier, rustls::Error> {
    if !extra_roots.is_empty() {
        let message = "the platform takes no further certificates";
        return Err(rustls::Error::General(message.to_owned()));
    }
    Verifier::new(Arc::clone(provider))
}

fn read(path: &Path) -> Result<Vec<u8>, PemError> {
    fs::read(path).map_err(|error| PemError::Unreadable(error.kind()))
}

/// Reads all certificates of a file, of which there is at least one.
fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&read(path)?)
        .collect::<Result<_, _>>()
        .map_err(|_| PemError::Malformed)?;
    if certificates.is_empty() {
        return Err(PemError::NoCertificate);
    }
    Ok(certificates)
}
