//! What TLS is configured with: whom to trust, what to show, what to ask for.

use super::early::Early;
use super::verify::SipVerifier;
use core::fmt;
use rustls::client::{Resumption, Tls12Resumption};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, ServerSessionMemoryCache, StoresServerSessions, WebPkiClientVerifier};
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
pub struct ClientTls {
    pub(crate) config: Arc<ClientConfig>,
    pub(crate) early: Option<Early>,
}

impl ClientTls {
    /// Trusts `roots`, and shows a certificate of its own where it has one and the peer asks for it.
    ///
    /// Sessions are resumed: a peer that is connected to again by the name that it has proved need not prove it again, for a day at
    /// most as this stack's servers have it. Each ticket serves once, and under TLS 1.2, where it would serve again, there is none.
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
        config.resumption = Resumption::in_memory_sessions(SESSIONS).tls12_resumption(Tls12Resumption::Disabled);
        Ok(Self { config: Arc::new(config), early: None })
    }

    /// Has OPTIONS, and requests of these methods, leave before a resumed handshake is over (RFC 8446 §2.3), where the peer takes that.
    ///
    /// **Whoever sees them can have them done again**, at any time and more than once: name no method that changes anything. All
    /// other requests wait for the handshake. What the peer does not take is said again once the handshake is over.
    #[must_use]
    pub fn with_early_data(mut self, methods: &[&str]) -> Self {
        Arc::make_mut(&mut self.config).enable_early_data = true;
        self.early = Some(Early::new(methods));
        self
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientTls")
    }
}

/// How connections are accepted by TLS: 1.2 at least.
#[derive(Clone)]
pub struct ServerTls {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) early: Option<Early>,
}

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
    /// Who connects again can resume a session, within a day and with what was proved then: [so many](Self::with_sessions) are kept.
    /// Each serves once, and none for who is given what another `new` has made.
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
        config.send_tls13_tickets = 1;
        Ok(Self { config: Arc::new(config), early: None }.with_sessions(SERVED))
    }

    /// Keeps so many sessions for who resumes them; zero for none. 1,024 unless this says otherwise; each takes about 200 octets, and
    /// what a client's certificate takes. The oldest goes first.
    #[must_use]
    pub fn with_sessions(mut self, most: usize) -> Self {
        let config = Arc::make_mut(&mut self.config);
        config.session_storage = match most {
            0 => Arc::new(NoServerSessionStorage {}),
            most => Arc::new(Once(ServerSessionMemoryCache::new(most))),
        };
        self
    }

    /// Takes up to `most` octets of early data from who resumes a session (RFC 8446 §2.3). OPTIONS, and requests of these methods, are
    /// done at once: **who plays them again has them done again**, so name no method that changes anything. Whatever else comes early,
    /// and all behind it, waits until the handshake is over, which no replay gets through.
    #[must_use]
    pub fn with_early_data(mut self, most: u32, methods: &[&str]) -> Self {
        let config = Arc::make_mut(&mut self.config);
        config.max_early_data_size = most;
        // So that their answers need not wait for the rest of the handshake.
        config.send_half_rtt_data = true;
        self.early = Some(Early::new(methods));
        self
    }
}

impl ServerTls {
    /// Has requests that came early, and may not be done at once, answered with 500 and Retry-After, in place of waiting for the
    /// handshake: who says them again by then is heard. What [`with_early_data`](Self::with_early_data) takes is as before.
    ///
    /// HTTP's 425 (RFC 8470 §5.2) has another meaning in SIP (RFC 8876), so it is not that.
    #[must_use]
    pub fn refusing_early(mut self) -> Self {
        if let Some(early) = &mut self.early {
            early.refuses = true;
        }
        self
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerTls")
    }
}

/// Sessions that a client remembers to resume: eight for each of eight servers.
const SESSIONS: usize = 64;
/// Sessions that a server keeps for its clients to resume.
const SERVED: usize = 1024;

/// Sessions of which each is given out once: under TLS 1.2, too, where what keeps them would give them again.
#[derive(Debug)]
struct Once(Arc<ServerSessionMemoryCache>);

impl StoresServerSessions for Once {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.0.put(key, value)
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.0.take(key)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.0.take(key)
    }

    fn can_cache(&self) -> bool {
        true
    }
}

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

/// The cryptography: aws-lc-rs where both are there.
fn provider() -> Arc<CryptoProvider> {
    #[cfg(feature = "tls")]
    return Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    #[cfg(not(feature = "tls"))]
    return Arc::new(rustls::crypto::ring::default_provider());
}
