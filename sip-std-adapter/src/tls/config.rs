//! What TLS is configured with: whom to trust, what to show, what to ask for.

use super::verify::SipVerifier;
use core::fmt;
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::io::{self, ErrorKind};
use std::sync::Arc;

/// Who is trusted to vouch for others: certificates of authorities.
#[derive(Clone, Debug)]
pub struct Roots(Arc<RootCertStore>);

impl Roots {
    /// Those that the operating system trusts.
    ///
    /// # Errors
    /// It has none that can be read.
    pub fn of_system() -> io::Result<Self> {
        let loaded = rustls_native_certs::load_native_certs();
        let mut store = RootCertStore::empty();
        let _ = store.add_parsable_certificates(loaded.certs);
        if store.is_empty() {
            let why = loaded.errors.first().map_or_else(String::new, |error| format!(": {error}"));
            return Err(invalid(format!("the system has no certificates to trust{why}")));
        }
        Ok(Self(Arc::new(store)))
    }

    /// Those of a file in the PEM form, and no others.
    ///
    /// # Errors
    /// There is no certificate in it, or one that can't be read.
    pub fn from_pem(pem: &[u8]) -> io::Result<Self> {
        let mut store = RootCertStore::empty();
        for certificate in certificates(pem)? {
            store.add(certificate).map_err(|error| invalid(error.to_string()))?;
        }
        Ok(Self(Arc::new(store)))
    }
}

/// A certificate of one's own, those between it and a root, and its private key.
#[derive(Debug)]
pub struct Certificate {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Certificate {
    /// Reads both in the PEM form: the certificate first and those that vouch for it behind it; the key as PKCS #8, PKCS #1 or SEC 1.
    /// Both may lie in one file.
    ///
    /// # Errors
    /// One of them is not there, or can't be read.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> io::Result<Self> {
        let chain = certificates(chain)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| invalid(format!("private key: {error}")))?;
        Ok(Self { chain, key })
    }
}

impl Clone for Certificate {
    fn clone(&self) -> Self {
        Self { chain: self.chain.clone(), key: self.key.clone_key() }
    }
}

/// How connections are opened by TLS: 1.2 at least, to who proves the name that was asked for (RFC 5922).
#[derive(Clone)]
pub struct ClientTls(pub(crate) Arc<ClientConfig>);

impl ClientTls {
    /// Trusts `roots`, and shows a certificate of its own where it has one and the peer asks for it.
    ///
    /// # Errors
    /// The certificate can't be used with its key.
    pub fn new(roots: &Roots, own: Option<&Certificate>) -> io::Result<Self> {
        let provider = provider();
        let verifier = Arc::new(SipVerifier::new(Arc::clone(&roots.0), Arc::clone(&provider)));
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| invalid(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match own.cloned() {
            Some(Certificate { chain, key }) => {
                builder.with_client_auth_cert(chain, key).map_err(|error| invalid(error.to_string()))?
            }
            None => builder.with_no_client_auth(),
        };
        config.resumption = Resumption::in_memory_sessions(SESSIONS);
        Ok(Self(Arc::new(config)))
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientTls")
    }
}

/// How connections are accepted by TLS: 1.2 at least.
#[derive(Clone)]
pub struct ServerTls(pub(crate) Arc<ServerConfig>);

/// What is asked of who opens a connection.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Clients {
    /// Nothing: they prove who they are by other means.
    #[default]
    Anybody,
    /// A certificate that these roots vouch for, from who has one.
    May(Roots),
    /// Such a certificate, or no connection.
    Must(Roots),
}

impl ServerTls {
    /// Shows `own` to who connects, and asks `clients` for what is said there.
    ///
    /// # Errors
    /// The certificate can't be used with its key, or there is no root to ask clients by.
    pub fn new(own: &Certificate, clients: &Clients) -> io::Result<Self> {
        let provider = provider();
        let verifier =
            |roots: &Roots| WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots.0), Arc::clone(&provider));
        let verifier = match clients {
            Clients::Anybody => Ok(WebPkiClientVerifier::no_client_auth()),
            Clients::May(roots) => verifier(roots).allow_unauthenticated().build(),
            Clients::Must(roots) => verifier(roots).build(),
        };
        let Certificate { chain, key } = own.clone();
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| invalid(error.to_string()))?
            .with_client_cert_verifier(verifier.map_err(|error| invalid(error.to_string()))?)
            .with_single_cert(chain, key)
            .map_err(|error| invalid(error.to_string()))?;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Self(Arc::new(config)))
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerTls")
    }
}

/// Sessions that a client remembers to resume.
const SESSIONS: usize = 64;

fn certificates(pem: &[u8]) -> io::Result<Vec<CertificateDer<'static>>> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match read {
        Ok(found) if found.is_empty() => Err(invalid("no certificate in the PEM form".to_owned())),
        Ok(found) => Ok(found),
        Err(error) => Err(invalid(format!("certificate: {error}"))),
    }
}

fn invalid(text: String) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, text)
}

/// The cryptography: the one of the default feature where both are there.
fn provider() -> Arc<CryptoProvider> {
    #[cfg(feature = "tls")]
    return Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    #[cfg(not(feature = "tls"))]
    return Arc::new(rustls::crypto::ring::default_provider());
}
