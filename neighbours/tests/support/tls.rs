//! Certificates, and servers that speak TLS in front of others.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "shared by tests that use parts of it"
)]

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    date_time_ymd,
};
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// An authority that signs certificates.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key.
pub(crate) struct Identity {
    pub(crate) certificate: rcgen::Certificate,
    pub(crate) key: KeyPair,
}

/// A server that takes TLS away and passes the rest on, byte by byte.
pub(crate) struct Front {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    config: Mutex<Arc<ServerConfig>>,
    connections: Mutex<Vec<Handshake>>,
    failures: AtomicUsize,
}

/// A connection that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Handshake {
    pub(crate) alpn: Option<String>,
    pub(crate) has_client_certificate: bool,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self {
            issuer: CertifiedIssuer::self_signed(params, key).unwrap(),
        }
    }

    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate for a server of this name or address.
    pub(crate) fn server(&self, name: &str) -> Identity {
        self.sign(&CertificateParams::new([name.to_owned()]).unwrap())
    }

    /// A certificate whose time is over.
    pub(crate) fn expired(&self, name: &str) -> Identity {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
        self.sign(&params)
    }

    pub(crate) fn client(&self) -> Identity {
        let mut params = CertificateParams::new(["client".to_owned()]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(&params)
    }

    fn sign(&self, params: &CertificateParams) -> Identity {
        let key = KeyPair::generate().unwrap();
        Identity {
            certificate: params.signed_by(&key, &self.issuer).unwrap(),
            key,
        }
    }
}

impl Identity {
    /// What a server is set up with that shows this certificate.
    pub(crate) fn config(&self, alpn: &[&str]) -> ServerConfig {
        self.config_asking(alpn, None)
    }

    /// The same, for a server that wants to see a certificate of an authority.
    pub(crate) fn config_asking(&self, alpn: &[&str], clients: Option<&Authority>) -> ServerConfig {
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.issuer.der().clone()).unwrap();
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let key = PrivateKeyDer::from_pem_slice(self.key.serialize_pem().as_bytes()).unwrap();
        let mut config = builder
            .with_single_cert(vec![self.certificate.der().clone()], key)
            .unwrap();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        config
    }
}

impl Front {
    pub(crate) async fn start(config: ServerConfig, behind: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            config: Mutex::new(Arc::new(config)),
            connections: Mutex::default(),
            failures: AtomicUsize::new(0),
        });
        let task = tokio::spawn(accept(listener, Arc::clone(&shared), behind));
        Self {
            address,
            shared,
            task,
        }
    }

    /// From now on connections are made like this.
    pub(crate) fn set_config(&self, config: ServerConfig) {
        *self.shared.config.lock().unwrap() = Arc::new(config);
    }

    pub(crate) fn dsn(&self) -> String {
        format!("https://k@{}/1", self.address)
    }

    /// The connections that were made.
    pub(crate) fn connections(&self) -> Vec<Handshake> {
        self.shared.connections.lock().unwrap().clone()
    }

    /// How many connections could not be made.
    pub(crate) fn failures(&self) -> usize {
        self.shared.failures.load(Ordering::Relaxed)
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A file in a folder of the tests.
pub(crate) fn file(name: &str, content: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(std::process::id().to_string());
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    fs::write(&path, content).unwrap();
    path
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, behind: SocketAddr) {
    loop {
        let (tcp, _) = listener.accept().await.unwrap();
        tcp.set_nodelay(true).unwrap();
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let config = Arc::clone(&shared.config.lock().unwrap());
            // A client that trusts nobody here goes away.
            let Ok(mut tls) = TlsAcceptor::from(config).accept(tcp).await else {
                shared.failures.fetch_add(1, Ordering::Relaxed);
                return;
            };
            let (_, session) = tls.get_ref();
            let alpn = session.alpn_protocol();
            shared.connections.lock().unwrap().push(Handshake {
                alpn: alpn.map(|name| String::from_utf8_lossy(name).into_owned()),
                has_client_certificate: session.peer_certificates().is_some(),
            });
            if let Ok(mut tcp) = TcpStream::connect(behind).await {
                tcp.set_nodelay(true).unwrap();
                let _ = copy_bidirectional(&mut tls, &mut tcp).await;
            }
        });
    }
}
