//! TLS between the peers and the user agent: a certificate made for the test, and rustls' own stream at the peers' end. The bench
//! `transports` has it, too.
#![allow(dead_code, reason = "not all of it is of use where both ends are one process, or two")]

use super::Peer;
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use sip_core::ua::UserAgent;
use sip_std_adapter::Adapter;
use sip_std_adapter::memory::HeapMemory;
use sip_std_adapter::tls::{Certificate, Clients, ServerTls};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

const NAME: &str = "sip.example.com";

/// What both ends know.
pub(super) struct Site {
    server: ServerTls,
    client: Client,
    /// The certificate.
    pub(super) pem: String,
}

/// Who opens connections.
#[derive(Clone)]
pub(super) struct Client(Arc<ClientConfig>);

impl Site {
    pub(super) fn new() -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new([NAME.to_owned()]).unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        let own = Certificate::from_pem(pem.as_bytes(), key.serialize_pem().as_bytes()).unwrap();
        Self { server: ServerTls::new(&own, &Clients::Anybody).unwrap(), client: Client::new(&pem), pem }
    }

    pub(super) fn listen(&self, adapter: &mut Adapter<UserAgent<HeapMemory>>) -> SocketAddr {
        let number = adapter.listen_tls(SocketAddr::from(([127, 0, 0, 1], 0)), &self.server).unwrap();
        adapter.local_addrs().nth(usize::from(number)).unwrap()
    }

    pub(super) const fn client(&self) -> &Client {
        &self.client
    }
}

impl Client {
    /// Trusts this certificate.
    pub(super) fn new(pem: &str) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
        #[cfg(feature = "tls-ring")]
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        #[cfg(not(feature = "tls-ring"))]
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        // Each connection begins as that of a stranger.
        config.resumption = Resumption::disabled();
        Self(Arc::new(config))
    }

    /// Shakes hands over a socket that is connected.
    pub(super) fn open(&self, stream: TcpStream) -> Peer {
        let tls = ClientConnection::new(Arc::clone(&self.0), ServerName::try_from(NAME).unwrap()).unwrap();
        let mut stream = StreamOwned::new(tls, stream);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).unwrap();
        }
        Box::new(stream)
    }
}
