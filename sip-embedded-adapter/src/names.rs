//! Addresses of a host name by the DNS of the stack ([`Dns`]).

use core::net::IpAddr;
use embedded_nal::{AddrType, Dns, nb};

/// The longest name, in octets (RFC 1035 §2.3.4).
const LONGEST: usize = 255;
/// What is asked for, in this order (RFC 3263 §4.2). The trait gives one address for each.
const ASKED: [AddrType; 2] = [AddrType::IPv4, AddrType::IPv6];

/// A host name that [`Turn::Resolve`](crate::Turn::Resolve) asks about, and what the stack has said of it: its first A and its
/// first AAAA record. NAPTR and SRV are more than the trait can ask for.
///
/// It keeps the name, so that the caller's buffer is free for the next message meanwhile. How long it is asked about is the
/// caller's choice: without an answer the request fails by its own timer, after 32 s.
///
/// ```
/// use sip_embedded_adapter::HostLookup;
/// # let mut stack = std_embedded_nal::Stack;
///
/// let mut lookup = HostLookup::new("localhost");
/// // Once a turn of the loop, then `adapter.resolved(now, query, lookup.addresses())`.
/// while !lookup.poll(&mut stack) {}
/// assert!(lookup.addresses().iter().all(core::net::IpAddr::is_loopback));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostLookup {
    host: [u8; LONGEST],
    length: usize,
    /// How many of [`ASKED`] have been answered.
    answered: usize,
    addresses: [IpAddr; ASKED.len()],
    found: usize,
}

impl HostLookup {
    /// Nothing has been asked yet. A name that is longer than names are has no address.
    #[must_use]
    pub fn new(host: &str) -> Self {
        let mut kept = [0; LONGEST];
        let length = if host.len() <= LONGEST { host.len() } else { 0 };
        for (octet, of_host) in kept.iter_mut().zip(host.bytes()) {
            *octet = of_host;
        }
        let unspecified = IpAddr::V4(core::net::Ipv4Addr::UNSPECIFIED);
        Self { host: kept, length, answered: 0, addresses: [unspecified; ASKED.len()], found: 0 }
    }

    /// Asks the stack for what is not known yet; whether all is. A stack that is not done is to be asked again.
    ///
    /// An error of the stack means that there is no such address: the trait does not say more.
    pub fn poll(&mut self, dns: &mut impl Dns) -> bool {
        let host = self.host.get(..self.length).and_then(|host| core::str::from_utf8(host).ok()).unwrap_or_default();
        if host.is_empty() {
            return true;
        }
        while let Some(asked) = ASKED.get(self.answered) {
            match dns.get_host_by_name(host, asked.clone()) {
                Err(nb::Error::WouldBlock) => return false,
                Ok(address) => {
                    // Some stacks answer with the other family when they have nothing else.
                    let known = self.addresses.iter().take(self.found).any(|known| *known == address);
                    if let Some(free) = self.addresses.get_mut(self.found).filter(|_| !known) {
                        *free = address;
                        self.found = self.found.saturating_add(1);
                    }
                }
                Err(nb::Error::Other(_)) => {}
            }
            self.answered = self.answered.saturating_add(1);
        }
        true
    }

    /// The addresses so far, in the order in which they are to be tried.
    #[must_use]
    pub fn addresses(&self) -> &[IpAddr] {
        self.addresses.get(..self.found).unwrap_or_default()
    }
}
