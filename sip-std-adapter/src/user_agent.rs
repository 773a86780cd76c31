//! What an adapter does for a user agent alone: its start at the address that the socket has.

use crate::adapter::Adapter;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use sip_core::ua::{Config, Memory, UserAgent};
use std::io::{self, ErrorKind};
use std::net::UdpSocket;

impl<M: Memory> Adapter<UserAgent<M>> {
    /// Starts the user agent with a seed of the operating system, under the address that it is bound to.
    ///
    /// A `sent_by` of `config` that is empty becomes the bound address; one with the wildcard address or port 0 gets the
    /// bound address or port in place of that. Where the socket is bound to the wildcard, too, it is the address from which
    /// datagrams to the world leave ([`local_ip`]). Anything else stays as it is: a host name, an address that a NAT has.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] with the [`ConfigError`](sip_core::error::ConfigError) of
    /// [`UserAgent::start`]; otherwise the system has no generator, or no way to the world where one is needed.
    pub fn start(&mut self, config: &Config<'_>) -> io::Result<()> {
        let sent_by = match address_to_complete(config.sent_by) {
            Some(given) => completed(given, self.local_addr())?,
            None => config.sent_by.to_owned(),
        };
        let config = config.with_sent_by(&sent_by);
        let seed = crate::seed()?;
        self.role_mut().start(&config, seed).map_err(|error| io::Error::new(ErrorKind::InvalidInput, error))
    }
}

/// A `sent_by` that lacks its address, its port or both.
fn address_to_complete(sent_by: &str) -> Option<SocketAddr> {
    if sent_by.is_empty() {
        return Some(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0));
    }
    let bare = sent_by.trim_start_matches('[').trim_end_matches(']');
    let given = sent_by.parse().ok().or_else(|| bare.parse().ok().map(|ip| SocketAddr::new(ip, 0)))?;
    (given.ip().is_unspecified() || given.port() == 0 && sent_by.parse::<SocketAddr>().is_ok()).then_some(given)
}

fn completed(given: SocketAddr, bound: SocketAddr) -> io::Result<String> {
    let ip = match (given.ip(), bound.ip()) {
        (given, _) if !given.is_unspecified() => given,
        (_, bound) if !bound.is_unspecified() => bound,
        // Addresses of documents (RFC 5737, RFC 3849): nobody is there, and the way there is the one to the world.
        (_, IpAddr::V4(_)) => local_ip(SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 5060)))?,
        (_, IpAddr::V6(_)) => local_ip(SocketAddr::from((Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1), 5060)))?,
    };
    let port = if given.port() == 0 { bound.port() } else { given.port() };
    Ok(SocketAddr::new(ip, port).to_string())
}

/// The address of this host from which datagrams to `peer` leave. Nothing is sent.
///
/// # Errors
/// There is no way to `peer`.
pub fn local_ip(peer: SocketAddr) -> io::Result<IpAddr> {
    let any: IpAddr = if peer.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(peer)?;
    Ok(socket.local_addr()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::HeapMemory;
    use sip_core::error::ConfigError;

    #[test]
    fn what_sent_by_lacks_comes_from_the_socket() {
        let bound = "192.0.2.9:5070".parse().unwrap();
        for (sent_by, expected) in [
            ("", Some("192.0.2.9:5070")),
            ("0.0.0.0", Some("192.0.2.9:5070")),
            ("0.0.0.0:0", Some("192.0.2.9:5070")),
            ("0.0.0.0:5080", Some("192.0.2.9:5080")),
            ("[::]", Some("192.0.2.9:5070")),
            ("198.51.100.1:0", Some("198.51.100.1:5070")),
            ("[2001:db8::1]:0", Some("[2001:db8::1]:5070")),
            ("198.51.100.1:5080", None),
            ("198.51.100.1", None),
            ("[2001:db8::1]", None),
            ("sip.example.com", None),
        ] {
            let found = address_to_complete(sent_by).map(|given| completed(given, bound).unwrap());
            assert_eq!(found.as_deref(), expected, "{sent_by}");
        }
    }

    #[test]
    fn a_peer_on_this_host_sees_the_loopback_address() {
        assert_eq!(local_ip("127.0.0.1:5060".parse().unwrap()).unwrap(), Ipv4Addr::LOCALHOST);
    }

    #[test]
    fn a_configuration_that_can_not_be_used_is_told_with_its_reason() {
        let bound = "127.0.0.1:0".parse().unwrap();
        let mut adapter = Adapter::bind(UserAgent::new(HeapMemory::with_capacity(8, 2, 2, 1)), bound).unwrap();
        let error = adapter.start(&Config::new("", "no uri")).unwrap_err();
        let inner = error.get_ref().and_then(|error| error.downcast_ref::<ConfigError>());
        assert!(matches!(inner, Some(ConfigError::Invalid(_))), "{error}");
        adapter.start(&Config::new("", "sip:bob@example.com")).unwrap();
        assert!(adapter.start(&Config::new("", "sip:bob@example.com")).is_err());
    }
}
