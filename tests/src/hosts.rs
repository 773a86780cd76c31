//! The table of names that stands for DNS.

use core::net::IpAddr;
use sip_core::transport::{Address, Target, Transport};

/// The targets of a name: an address literal is its own.
pub(crate) fn resolve(
    hosts: &[(String, Target)],
    host: &[u8],
    port: Option<u16>,
    transport: Transport,
    secure: bool,
) -> Vec<Target> {
    let asked = match (transport, secure) {
        (_, true) => Transport::Tls,
        (Transport::None, false) => Transport::Udp,
        (named, false) => named,
    };
    let target = |known: Target| {
        let transport = if known.transport == Transport::None { asked } else { known.transport };
        let port = match (port, known.address.port()) {
            (None, 0) => transport.default_port(),
            (Some(port), _) | (None, port) => port,
        };
        Target { address: known.address.with_port(port), transport }
    };
    let name = String::from_utf8_lossy(host);
    if let Ok(ip) = name.parse::<IpAddr>() {
        return vec![target(Target { address: Address::new(ip, 0), transport: Transport::None })];
    }
    let known = hosts.iter().filter(|(known, _)| known.eq_ignore_ascii_case(&name));
    let fits = |found: &Target| !(secure || transport != Transport::None) || found.transport == asked;
    known.map(|&(_, known)| target(known)).filter(fits).collect()
}
