//! The addresses of this host.

use core::net::IpAddr;

/// The addresses of this host's interfaces that are up, each once: what reaches an adapter bound to the wildcard (`0.0.0.0`, `[::]`) is
/// addressed to one of them. Link-local IPv6 addresses are left out, for an address of the core has no zone.
///
/// Empty on systems other than Linux and Android, and where the system doesn't say.
#[must_use]
pub fn local_ips() -> Vec<IpAddr> {
    let mut ips = system();
    ips.retain(|ip| !ip.is_unspecified() && !matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local()));
    ips.sort_unstable();
    ips.dedup();
    ips
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn system() -> Vec<IpAddr> {
    use nix::ifaddrs::getifaddrs;
    use nix::net::if_::InterfaceFlags;
    let Ok(interfaces) = getifaddrs() else { return Vec::new() };
    let up = interfaces.filter(|interface| interface.flags.contains(InterfaceFlags::IFF_UP));
    up.filter_map(|interface| Some(crate::reports::socket_addr(interface.address.as_ref()?)?.ip())).collect()
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn system() -> Vec<IpAddr> {
    Vec::new()
}

#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
mod tests {
    use super::*;
    use core::net::Ipv4Addr;
    use std::net::UdpSocket;

    #[test]
    fn each_is_an_address_that_can_be_bound() {
        let ips = local_ips();
        assert!(ips.contains(&Ipv4Addr::LOCALHOST.into()), "{ips:?}");
        // One of IPv6 may be tentative yet.
        for ip in ips.into_iter().filter(IpAddr::is_ipv4) {
            UdpSocket::bind((ip, 0)).unwrap();
        }
    }
}
