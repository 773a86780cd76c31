//! Whom a certificate names, as SIP reads it (RFC 5922 §7).
//!
//! Subject alternative names only: a `sip` URI without a user part is a domain's identity; where there is no `sip` URI at all, a DNS
//! name is. No wildcard stands for anything (§7.2), and the common name is never looked at. A host that is called by its address is
//! known by an IP address in the certificate, or a `sip` URI with it.

use core::net::IpAddr;
use rustls::pki_types::CertificateDer;
use sip_core::message::{Scheme, Uri};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Identities of one certificate that are looked at.
const MOST: usize = 256;

/// What a certificate says of its owner.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Identities {
    /// Domains, as the certificate has them.
    pub(crate) domains: Vec<String>,
    pub(crate) addresses: Vec<IpAddr>,
    /// Who signed it.
    pub(crate) issuer: String,
    /// The owner signed it.
    pub(crate) self_issued: bool,
}

impl Identities {
    /// Reads a certificate; `None` when it is none.
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
        let names = parsed.subject_alternative_name().ok()?.map(|names| &names.value.general_names[..]);
        let names = names.unwrap_or_default().iter().take(MOST);
        let mut found = Self {
            issuer: parsed.issuer().to_string(),
            self_issued: parsed.issuer() == parsed.subject(),
            ..Self::default()
        };
        let (mut dns, mut has_sip) = (Vec::new(), false);
        for name in names {
            match name {
                GeneralName::URI(text) => match sip_host(text) {
                    SipUri::Domain(host) => {
                        has_sip = true;
                        found.domains.push(host);
                    }
                    SipUri::User => has_sip = true,
                    SipUri::No => {}
                },
                GeneralName::DNSName(name) => dns.push((*name).to_owned()),
                GeneralName::IPAddress(octets) => found.addresses.extend(address(octets)),
                _ => {}
            }
        }
        if !has_sip {
            found.domains.append(&mut dns);
        }
        Some(found)
    }

    /// Whether the certificate is that of `name`, a domain or an address.
    pub(crate) fn prove(&self, name: &str) -> bool {
        if let Some(address) = literal(name) {
            return self.addresses.contains(&address) || self.domains.iter().any(|one| literal(one) == Some(address));
        }
        // Compared as octets, so that a NUL is one of them and ends nothing.
        self.domains.iter().any(|one| one.eq_ignore_ascii_case(name))
    }

    /// All of them, in words.
    pub(crate) fn texts(&self) -> Vec<String> {
        let addresses = self.addresses.iter().map(IpAddr::to_string);
        self.domains.iter().cloned().chain(addresses).collect()
    }
}

enum SipUri {
    Domain(String),
    /// Of a user, who is no domain.
    User,
    No,
}

fn sip_host(text: &str) -> SipUri {
    match Uri::parse(text.as_bytes()) {
        Ok(uri) if matches!(uri.scheme(), Scheme::Sip) => {
            let host = str::from_utf8(uri.host().as_bytes()).unwrap_or_default();
            if uri.user().is_some() { SipUri::User } else { SipUri::Domain(host.to_owned()) }
        }
        // What begins as one and can't be read still says that the names meant for SIP are URIs.
        Err(_) if text.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("sip:")) => SipUri::User,
        _ => SipUri::No,
    }
}

/// The address that a name spells, in brackets or not.
pub(crate) fn literal(name: &str) -> Option<IpAddr> {
    let bare = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
    bare.parse().ok()
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(octets).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from)).ok()
}
