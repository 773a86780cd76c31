//! Lingering sockets: what a connection that ends here has said last still has to get to its peer.
//!
//! A socket that is closed with octets of the peer unread is reset, and what was sent last may be lost with it (RFC 1122 §4.2.2.13): an
//! alert of TLS, the Close of a WebSocket, the status with which a handshake over HTTP was refused. So such a socket says that nothing
//! more comes, and stays until its peer has closed, too. What still comes over it is read and dropped. It stays for [`LINGER`] at most,
//! and so few stay at the same time that a flood of such ends holds nothing that others need.

use crate::patience::LINGER;
use crate::stream::Stream;
use sip_core::time::Instant;
use std::collections::VecDeque;
use std::io::{ErrorKind, Read};
use std::net::Shutdown;

/// Sockets at most; of more, the one that has stayed longest is closed.
const MOST: usize = 32;
/// Octets that are read of one at a time.
const READ: usize = 4096;
/// Reads of one at most, all in all: who goes on sending has had the time to look.
const READS: u32 = 64;

/// The sockets that are shut down for writing and not closed yet.
#[derive(Default)]
pub(crate) struct Lingering {
    leaving: VecDeque<Leaving>,
}

struct Leaving {
    /// The number of the connection that it was.
    number: u32,
    stream: Stream,
    reads: u32,
    /// Until when it stays; not known yet where nobody has looked at the time since.
    until: Option<Instant>,
}

impl Leaving {
    /// Reads what has come; gives whether the peer may have more to say.
    fn listens(&mut self) -> bool {
        let mut room = [0; READ];
        while self.reads > 0 {
            self.reads -= 1;
            match self.stream.socket().read(&mut room) {
                Ok(0) => return false,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        false
    }
}

impl Lingering {
    /// Lets a connection's peer hear what was said to it last.
    pub(crate) fn add(&mut self, number: u32, mut stream: Stream) {
        if matches!(stream, Stream::Plain(_)) || stream.socket().shutdown(Shutdown::Write).is_err() {
            return;
        }
        let mut leaving = Leaving { number, stream, reads: READS, until: None };
        if !leaving.listens() {
            return;
        }
        if self.leaving.len() >= MOST {
            self.leaving.pop_front();
        }
        self.leaving.push_back(leaving);
    }

    /// The system has something to tell of the connection of this number.
    pub(crate) fn notice(&mut self, number: u32) {
        self.leaving.retain_mut(|one| one.number != number || one.listens());
    }

    /// Closes those whose time is up.
    pub(crate) fn expire(&mut self, now: Instant) {
        for one in &mut self.leaving {
            one.until.get_or_insert(now + LINGER);
        }
        while self.leaving.front().and_then(|one| one.until).is_some_and(|until| until <= now) {
            self.leaving.pop_front();
        }
    }

    /// When [`expire`](Self::expire) has something to do.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        let newest = self.leaving.back()?;
        // A moment that is over has the time looked at.
        newest.until.and(self.leaving.front()?.until).or(Some(Instant::ZERO))
    }

    /// How many there are.
    #[cfg(all(test, feature = "ws"))]
    pub(crate) fn count(&self) -> usize {
        self.leaving.len()
    }
}
