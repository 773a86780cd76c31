//! Certificates for the tests, made when they run.

use super::{Certificate, ClientTls, Clients, Roots, ServerTls};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use rustls::server::{ServerSessionMemoryCache, StoresServerSessions};
use std::sync::Arc;

/// An authority, and what it signs.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A name in a certificate.
#[derive(Clone, Copy)]
pub(crate) enum San<'a> {
    Uri(&'a str),
    Dns(&'a str),
    Ip(&'a str),
}

impl Authority {
    pub(crate) fn new() -> Self {
        Self::called("Test Authority")
    }

    pub(crate) fn called(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate with these names, and `change` made to it.
    pub(crate) fn sign(&self, names: &[San<'_>], change: impl FnOnce(&mut CertificateParams)) -> Certificate {
        let key = KeyPair::generate().unwrap();
        let mut params = params(names);
        change(&mut params);
        let signed = params.signed_by(&key, &self.issuer).unwrap();
        Certificate::from_pem(signed.pem().as_bytes(), key.serialize_pem().as_bytes()).unwrap()
    }

    pub(crate) fn roots(&self) -> Roots {
        Roots::from_pem(self.pem.as_bytes()).unwrap()
    }

    /// Who trusts this authority and shows nothing.
    pub(crate) fn client(&self) -> ClientTls {
        ClientTls::new(&self.roots(), None).unwrap()
    }

    /// Who shows a certificate with these names and asks for none.
    pub(crate) fn server(&self, names: &[San<'_>]) -> ServerTls {
        ServerTls::new(&self.sign(names, |_| {}), &Clients::Anybody).unwrap()
    }
}

/// Sessions that are given out again and again, as by servers that share them without a word to each other.
#[derive(Debug)]
struct Again(Arc<ServerSessionMemoryCache>);

impl StoresServerSessions for Again {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.0.put(key, value)
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.0.get(key)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.0.get(key)
    }

    fn can_cache(&self) -> bool {
        true
    }
}

/// The same server, whose tickets are good more than once.
pub(crate) fn replayable(server: &ServerTls) -> ServerTls {
    let mut server = server.clone();
    Arc::make_mut(&mut server.config).session_storage = Arc::new(Again(ServerSessionMemoryCache::new(64)));
    server
}

/// A certificate that its owner has signed.
pub(crate) fn self_signed(names: &[San<'_>]) -> Certificate {
    let key = KeyPair::generate().unwrap();
    let signed = params(names).self_signed(&key).unwrap();
    Certificate::from_pem(signed.pem().as_bytes(), key.serialize_pem().as_bytes()).unwrap()
}

fn params(names: &[San<'_>]) -> CertificateParams {
    let mut params = CertificateParams::default();
    // Nobody looks at it: it is the name that is asked for, where that matters.
    params.distinguished_name.push(rcgen::DnType::CommonName, "sip.example.com");
    params.subject_alt_names = names
        .iter()
        .map(|name| match name {
            San::Uri(text) => SanType::URI((*text).try_into().unwrap()),
            San::Dns(text) => SanType::DnsName((*text).try_into().unwrap()),
            San::Ip(text) => SanType::IpAddress(text.parse().unwrap()),
        })
        .collect();
    params
}
