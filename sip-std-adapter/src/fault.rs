//! What the errors of the operating system mean.

use sip_core::transport::FlowError;
use std::io::{self, ErrorKind};

// The numbers of errors for which std has no stable name.

#[cfg(any(target_os = "linux", target_os = "android"))]
mod number {
    use nix::errno::Errno;

    pub(crate) const TOO_LONG: i32 = Errno::EMSGSIZE as i32;
    pub(crate) const NO_BUFFERS: i32 = Errno::ENOBUFS as i32;
    pub(crate) const IN_PROGRESS: i32 = Errno::EINPROGRESS as i32;
}

#[cfg(windows)]
mod number {
    pub(crate) const TOO_LONG: i32 = 10040;
    pub(crate) const NO_BUFFERS: i32 = 10055;
    pub(crate) const IN_PROGRESS: i32 = 10036;
}

#[cfg(not(any(target_os = "linux", target_os = "android", windows)))]
mod number {
    pub(crate) const TOO_LONG: i32 = 40;
    pub(crate) const NO_BUFFERS: i32 = 55;
    pub(crate) const IN_PROGRESS: i32 = 36;
}

pub(crate) use number::{NO_BUFFERS, TOO_LONG};

/// The error of a send or a connection, as a role understands it.
pub(crate) fn flow_error(error: &io::Error) -> FlowError {
    match error.kind() {
        ErrorKind::ConnectionRefused => FlowError::Refused,
        ErrorKind::HostUnreachable
        | ErrorKind::NetworkUnreachable
        | ErrorKind::NetworkDown
        | ErrorKind::AddrNotAvailable
        | ErrorKind::TimedOut => FlowError::Unreachable,
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe | ErrorKind::NotConnected => {
            FlowError::Closed
        }
        _ if error.raw_os_error() == Some(TOO_LONG) => FlowError::TooLarge,
        _ => FlowError::Other,
    }
}

/// Whether connecting goes on.
pub(crate) fn is_under_way(error: &io::Error) -> bool {
    error.raw_os_error() == Some(number::IN_PROGRESS) || error.kind() == ErrorKind::WouldBlock
}
