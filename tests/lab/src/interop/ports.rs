//! Free ports of 127.0.0.1.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};

/// Ports below those that systems hand out by themselves, which somebody else may get at any time.
const FIRST: u32 = 10_000;
const COUNT: u32 = 20_000;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A port that is free for UDP and TCP, and that this process has not given out before.
///
/// # Panics
/// None is free.
#[must_use]
pub fn free_port() -> u16 {
    // Test programs that run at the same time start at different places.
    let start = std::process::id().wrapping_mul(199);
    for _ in 0..COUNT {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = (FIRST + start.wrapping_add(step) % COUNT) as u16;
        let address = (Ipv4Addr::LOCALHOST, port);
        if !is_bound(port) && UdpSocket::bind(address).is_ok() && TcpListener::bind(address).is_ok() {
            return port;
        }
    }
    panic!("no free port")
}

/// Whether some socket is bound to a UDP port or listens to it over TCP, seen from the kernel's tables: a socket that tried
/// it could be in the way of the one that is waited for.
pub(super) fn is_bound(port: u16) -> bool {
    /// The state of a socket that listens.
    const LISTEN: &str = "0A";
    let wanted = format!(":{port:04X}");
    let local = |line: &&str| line.split_ascii_whitespace().nth(1).is_some_and(|local| local.ends_with(&wanted));
    let listens = |line: &str| line.split_ascii_whitespace().nth(3) == Some(LISTEN);
    let table = |name: &str| fs::read_to_string(name).unwrap_or_default();
    table("/proc/net/udp").lines().any(|line| local(&line)) || table("/proc/net/tcp").lines().filter(local).any(listens)
}
