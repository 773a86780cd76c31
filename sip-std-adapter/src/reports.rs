//! The error queue of a datagram socket: reports (ICMP) that a datagram could not be delivered, and where it was
//! meant to go. Only Linux and Android keep one; elsewhere a closed port is not noticed.

use core::net::SocketAddr;
use mio::net::UdpSocket;
use sip_core::transport::FlowError;
use socket2::Socket;
use std::io;

#[cfg(any(target_os = "linux", target_os = "android"))]
mod queue {
    use super::{FlowError, Socket, SocketAddr, UdpSocket, io};
    use core::net::{SocketAddrV4, SocketAddrV6};
    use nix::errno::Errno;
    use nix::libc;
    use nix::sys::socket::{
        ControlMessageOwned, MsgFlags, SockaddrLike, SockaddrStorage, recvmsg, setsockopt, sockopt,
    };
    use std::io::IoSliceMut;
    use std::os::fd::AsRawFd;

    /// Reports that say nothing about a peer, skipped in one call.
    const SKIPPED: u32 = 64;

    pub(crate) fn enable(socket: &Socket, address: SocketAddr) -> io::Result<()> {
        if address.is_ipv4() {
            setsockopt(socket, sockopt::Ipv4RecvErr, &true)?;
        } else {
            setsockopt(socket, sockopt::Ipv6RecvErr, &true)?;
        }
        Ok(())
    }

    pub(crate) fn next(socket: &UdpSocket) -> Option<(SocketAddr, FlowError)> {
        let mut control = nix::cmsg_space!(libc::sock_extended_err, libc::sockaddr_in6);
        for _ in 0..SKIPPED {
            // The payload is the datagram that was sent; only the address it was sent to matters.
            let mut payload = [0; 1];
            let mut payload = [IoSliceMut::new(&mut payload)];
            let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
            let received = recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut payload, Some(&mut control), flags);
            let message = match received {
                Ok(message) => message,
                Err(Errno::EINTR) => continue,
                Err(_) => return None,
            };
            let to = message.address.as_ref().and_then(socket_addr);
            let error = message.cmsgs().ok().and_then(|mut list| list.find_map(|control| reason(&control)));
            if let (Some(to), Some(error)) = (to, error) {
                return Some((to, error));
            }
        }
        None
    }

    fn reason(control: &ControlMessageOwned) -> Option<FlowError> {
        let (ControlMessageOwned::Ipv4RecvErr(report, _) | ControlMessageOwned::Ipv6RecvErr(report, _)) = control
        else {
            return None;
        };
        // What this host itself found out, the send has returned already.
        if !matches!(report.ee_origin, libc::SO_EE_ORIGIN_ICMP | libc::SO_EE_ORIGIN_ICMP6) {
            return None;
        }
        match Errno::from_raw(report.ee_errno.cast_signed()) {
            Errno::ECONNREFUSED => Some(FlowError::Refused),
            Errno::EHOSTUNREACH | Errno::ENETUNREACH | Errno::EHOSTDOWN | Errno::ENONET | Errno::EACCES => {
                Some(FlowError::Unreachable)
            }
            // The path takes less than was sent; the system has learned it, and the retransmission goes in fragments.
            Errno::EMSGSIZE => None,
            _ => Some(FlowError::Other),
        }
    }

    pub(crate) fn socket_addr(address: &SockaddrStorage) -> Option<SocketAddr> {
        match address.family()? {
            nix::sys::socket::AddressFamily::Inet => {
                address.as_sockaddr_in().map(|v4| SocketAddr::V4(SocketAddrV4::from(*v4)))
            }
            nix::sys::socket::AddressFamily::Inet6 => {
                address.as_sockaddr_in6().map(|v6| SocketAddr::V6(SocketAddrV6::from(*v6)))
            }
            _ => None,
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod queue {
    use super::{FlowError, Socket, SocketAddr, UdpSocket, io};

    pub(crate) fn enable(_socket: &Socket, _address: SocketAddr) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn next(_socket: &UdpSocket) -> Option<(SocketAddr, FlowError)> {
        None
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use queue::socket_addr;
pub(crate) use queue::{enable, next};
