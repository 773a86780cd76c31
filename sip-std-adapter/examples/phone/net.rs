//! Which address of this host a peer sees.

use crate::report::Failure;
use crate::text::printable;
use sip_core::message::Uri;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::OnceLock;

/// The name server of this process, as the user named it: like the system's configuration, it holds for all that is done here.
static DNS: OnceLock<SocketAddr> = OnceLock::new();

/// Has this name server asked for every name.
pub(crate) fn use_dns(server: Option<SocketAddr>) {
    if let Some(server) = server {
        let _ = DNS.set(server);
    }
}

/// The name server that the user named.
pub(crate) fn dns() -> Option<SocketAddr> {
    DNS.get().copied()
}

/// Where the host of a URI is; a name is looked up. With a name server of the user's this is where that is: a host on the way.
pub(crate) fn address_of(uri: &str) -> Result<SocketAddr, Failure> {
    let parsed = Uri::parse(uri.as_bytes()).map_err(|_| Failure::Usage(format!("not a URI: {uri}")))?;
    let port = parsed.port().unwrap_or(5060);
    if let Some(ip) = parsed.host().ip() {
        return Ok(SocketAddr::new(ip, port));
    }
    if let Some(server) = dns() {
        return Ok(SocketAddr::new(server.ip(), port));
    }
    let name = printable(parsed.host().as_bytes());
    let found = (name.as_str(), port).to_socket_addrs().ok().and_then(|mut found| found.next());
    let hint = if uri.contains('@') { "" } else { ", which was taken for a host: a user is written sip:bob@HOST" };
    found.ok_or_else(|| Failure::Network(format!("no address found for {name}{hint}")))
}

/// The address of this host from which datagrams to `peer` leave.
pub(crate) fn local_ip(peer: SocketAddr) -> Result<IpAddr, Failure> {
    sip_std_adapter::local_ip(peer).map_err(|error| Failure::Network(format!("no way to {peer}: {error}")))
}

/// The address from which datagrams to the world leave, or the loopback address when there is no such way. The
/// address that it asks about is reserved for documents (RFC 5737, RFC 3849).
pub(crate) fn default_ip(v4: bool) -> IpAddr {
    if v4 {
        local_ip(SocketAddr::from(([192, 0, 2, 1], 5060))).unwrap_or(Ipv4Addr::LOCALHOST.into())
    } else {
        local_ip(SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], 5060))).unwrap_or(Ipv6Addr::LOCALHOST.into())
    }
}

/// The user part of a URI.
pub(crate) fn user_of(uri: &str) -> Option<&str> {
    let user = Uri::parse(uri.as_bytes()).ok()?.user()?;
    core::str::from_utf8(user).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_on_this_host_sees_the_loopback_address() {
        let peer = address_of("sip:bob@127.0.0.1").unwrap();
        assert_eq!(peer, SocketAddr::from(([127, 0, 0, 1], 5060)));
        assert_eq!(local_ip(peer).unwrap(), Ipv4Addr::LOCALHOST);
    }

    #[test]
    fn a_name_that_is_not_there_is_a_failure_of_the_network() {
        assert!(matches!(address_of("sip:bob@host.invalid"), Err(Failure::Network(_))));
    }

    #[test]
    fn the_user_part_is_what_stands_before_the_host() {
        assert_eq!(user_of("sip:bob@example.com"), Some("bob"));
        assert_eq!(user_of("sip:example.com"), None);
    }
}
