//! Options of sockets: how the network treats what they send, and with whom they share a port.

use mio::net::TcpStream;
use socket2::{SockRef, Socket};
use std::io;

/// Lets several sockets of this user have one address and port, if `shared`; the system gives each peer to one of them.
///
/// # Errors
/// The system can't, or not in this way: it is done on Linux and Android only.
pub(crate) fn share(socket: &Socket, shared: bool) -> io::Result<()> {
    if !shared {
        return Ok(());
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    return Ok(nix::sys::socket::setsockopt(socket, nix::sys::socket::sockopt::ReusePort, &true)?);
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        let _ = socket;
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Marks what a socket sends with a code point (RFC 2474 §3), six bits.
///
/// # Errors
/// The system can't; over IPv6 it is done on Linux and Android only.
pub(crate) fn mark(socket: &Socket, is_ipv4: bool, dscp: u8) -> io::Result<()> {
    let class = u32::from(dscp & 63) << 2;
    if is_ipv4 {
        return socket.set_tos_v4(class);
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    return Ok(nix::sys::socket::setsockopt(socket, nix::sys::socket::sockopt::Ipv6TClass, &class.cast_signed())?);
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    Err(io::ErrorKind::Unsupported.into())
}

/// The same for a connection. It carries messages without the mark, too.
pub(crate) fn mark_stream(socket: &TcpStream, dscp: Option<u8>) {
    if let (Some(dscp), Ok(local)) = (dscp, socket.local_addr()) {
        let _ = mark(&SockRef::from(socket), local.is_ipv4(), dscp);
    }
}
