//! A socket bound to the wildcard: at which of the host's addresses a peer has asked, so that what it gets leaves from there.
//!
//! The system says so with each datagram (`IP_PKTINFO`, RFC 3542 §6.1 for IPv6), on Linux and Android. It is kept by peer, for thousands
//! of them: under a flood of invented sources the system chooses the address again, as it does where nobody has asked.

use core::net::{IpAddr, SocketAddr};
use std::collections::HashMap;

/// Peers remembered for certain; twice as many at most.
const PEERS: usize = 4096;

/// The address at which each peer has asked last.
#[derive(Default)]
pub(crate) struct Asked {
    young: HashMap<SocketAddr, IpAddr>,
    old: HashMap<SocketAddr, IpAddr>,
}

impl Asked {
    /// `peer` has asked at `address`.
    pub(crate) fn note(&mut self, peer: SocketAddr, address: IpAddr) {
        if self.young.get(&peer) == Some(&address) {
            return;
        }
        if self.young.len() >= PEERS && !self.young.contains_key(&peer) {
            self.old = core::mem::take(&mut self.young);
        }
        self.young.insert(peer, address);
    }

    /// Where `peer` has asked.
    pub(crate) fn address(&self, peer: SocketAddr) -> Option<IpAddr> {
        self.young.get(&peer).or_else(|| self.old.get(&peer)).copied()
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod system {
    use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
    use mio::net::UdpSocket;
    use nix::libc;
    use nix::sys::socket::{
        ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg, setsockopt, sockopt,
    };
    use socket2::Socket;
    use std::io::{self, IoSlice, IoSliceMut};
    use std::os::fd::AsRawFd;

    /// Has the system say at which address each datagram arrived; whether it does.
    pub(crate) fn enable(socket: &Socket, bound: SocketAddr) -> io::Result<bool> {
        if !bound.ip().is_unspecified() {
            return Ok(false);
        }
        if bound.is_ipv4() {
            setsockopt(socket, sockopt::Ipv4PacketInfo, &true)?;
        } else {
            setsockopt(socket, sockopt::Ipv6RecvPacketInfo, &true)?;
        }
        Ok(true)
    }

    /// As `recv_from`, with the address at which it arrived.
    pub(crate) fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr, Option<IpAddr>)> {
        let mut control = nix::cmsg_space!(libc::in6_pktinfo);
        let mut buffers = [IoSliceMut::new(buffer)];
        let message =
            recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut buffers, Some(&mut control), MsgFlags::empty())?;
        let from = message.address.as_ref().and_then(crate::reports::socket_addr);
        let from = from.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
        let at = message.cmsgs().ok().and_then(|mut list| {
            list.find_map(|one| match one {
                ControlMessageOwned::Ipv4PacketInfo(info) => {
                    Some(IpAddr::V4(Ipv4Addr::from(info.ipi_spec_dst.s_addr.to_ne_bytes())))
                }
                ControlMessageOwned::Ipv6PacketInfo(info) => Some(IpAddr::V6(Ipv6Addr::from(info.ipi6_addr.s6_addr))),
                _ => None,
            })
        });
        Ok((message.bytes, from, at))
    }

    /// As `send_to`, from one of the host's addresses.
    pub(crate) fn send(socket: &UdpSocket, bytes: &[u8], to: SocketAddr, from: IpAddr) -> io::Result<usize> {
        let (buffers, to) = ([IoSlice::new(bytes)], SockaddrStorage::from(to));
        let sent = match from {
            IpAddr::V4(from) => {
                let info = libc::in_pktinfo {
                    ipi_ifindex: 0,
                    ipi_spec_dst: libc::in_addr { s_addr: u32::from_ne_bytes(from.octets()) },
                    ipi_addr: libc::in_addr { s_addr: 0 },
                };
                let control = [ControlMessage::Ipv4PacketInfo(&info)];
                sendmsg(socket.as_raw_fd(), &buffers, &control, MsgFlags::empty(), Some(&to))
            }
            IpAddr::V6(from) => {
                let info = libc::in6_pktinfo { ipi6_addr: libc::in6_addr { s6_addr: from.octets() }, ipi6_ifindex: 0 };
                let control = [ControlMessage::Ipv6PacketInfo(&info)];
                sendmsg(socket.as_raw_fd(), &buffers, &control, MsgFlags::empty(), Some(&to))
            }
        };
        Ok(sent?)
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod system {
    use core::net::{IpAddr, SocketAddr};
    use mio::net::UdpSocket;
    use socket2::Socket;
    use std::io;

    pub(crate) fn enable(_socket: &Socket, _bound: SocketAddr) -> io::Result<bool> {
        Ok(false)
    }

    pub(crate) fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr, Option<IpAddr>)> {
        socket.recv_from(buffer).map(|(length, from)| (length, from, None))
    }

    pub(crate) fn send(socket: &UdpSocket, bytes: &[u8], to: SocketAddr, _from: IpAddr) -> io::Result<usize> {
        socket.send_to(bytes, to)
    }
}

pub(crate) use system::{enable, receive, send};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_address_counts_and_old_peers_are_forgotten_in_the_end() {
        let mut asked = Asked::default();
        let peer = |number: usize| SocketAddr::from(([10, 0, (number >> 8) as u8, number as u8], 5060));
        let (one, two) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        asked.note(peer(0), one);
        asked.note(peer(0), two);
        assert_eq!((asked.address(peer(0)), asked.address(peer(1))), (Some(two), None));
        for number in 1..=PEERS {
            asked.note(peer(number), one);
        }
        assert_eq!((asked.address(peer(0)), asked.address(peer(PEERS))), (Some(two), Some(one)));
        for number in PEERS + 1..=2 * PEERS {
            asked.note(peer(number), one);
        }
        assert_eq!((asked.address(peer(0)), asked.address(peer(PEERS))), (None, Some(one)));
        assert!(asked.young.len() + asked.old.len() <= 2 * PEERS);
    }
}
