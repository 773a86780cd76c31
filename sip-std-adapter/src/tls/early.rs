//! Early data (RFC 8446 §2.3): what a client says before its handshake is over, and what a server does with it.
//!
//! Whoever sees a first flight can play it again. So nothing leaves early but what may be done twice, OPTIONS and the methods that the
//! application names, and the same list says at the server what is done at once; all else waits until the handshake is over, which no
//! replay gets through (RFC 8446 §8, RFC 8470 §4). A client says again what a server did not take.

use sip_core::message::stream::{Framer, Framing};
use sip_core::message::{HeaderName, MAX_MESSAGE, Message, Method};
use std::sync::Arc;

/// The methods whose requests may be early.
#[derive(Clone, Debug)]
pub(crate) struct Early {
    methods: Arc<[Box<str>]>,
    /// At a server: other requests are refused, and do not wait.
    pub(crate) refuses: bool,
}

impl Early {
    /// OPTIONS and these.
    pub(crate) fn new(methods: &[&str]) -> Self {
        let methods = ["OPTIONS"].iter().chain(methods).map(|method| Box::from(*method)).collect();
        Self { methods, refuses: false }
    }

    /// Whether a request may be early: its method, whose case counts (RFC 3261 §7.1), is one of them. A response is no request.
    pub(crate) fn takes(&self, message: &[u8]) -> bool {
        let method = message.split(|octet| *octet == b' ').next().unwrap_or_default();
        self.methods.iter().any(|one| one.as_bytes() == method)
    }

    /// How many of these octets, which came early, are whole requests that may be done at once; what is behind the first other message
    /// waits with it.
    fn prefix(&self, octets: &[u8]) -> usize {
        let mut framer = Framer::new(MAX_MESSAGE);
        let mut end = 0;
        while let Some(rest @ [_, ..]) = octets.get(end..)
            && let Framing::Frame { len } = framer.next(rest)
            && self.takes(rest)
        {
            end += len;
        }
        end
    }
}

/// What a client has said early.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) early: Early,
    /// To be said again if it is not taken.
    pub(crate) octets: Vec<u8>,
}

/// What a server has heard early.
#[derive(Debug)]
pub(crate) struct Heard {
    early: Early,
    octets: Vec<u8>,
    /// How many of them may be read before the handshake is over.
    ready: usize,
    /// Answers to those that are refused, to be sent.
    refusals: Vec<u8>,
}

impl Heard {
    pub(crate) fn new(early: Early) -> Self {
        Self { early, octets: Vec::new(), ready: 0, refusals: Vec::new() }
    }

    /// More of it has come.
    pub(crate) fn extend(&mut self, octets: &[u8]) {
        self.octets.extend_from_slice(octets);
        loop {
            let waiting = self.octets.get(self.ready..).unwrap_or_default();
            self.ready += self.early.prefix(waiting);
            if !self.early.refuses || !self.refuse_next() {
                return;
            }
        }
    }

    /// Refuses the request that stands behind what may be read, if it is there as a whole and can be answered.
    fn refuse_next(&mut self) -> bool {
        let waiting = self.octets.get(self.ready..).unwrap_or_default();
        let Framing::Frame { len } = Framer::new(MAX_MESSAGE).next(waiting) else { return false };
        let Some(refusal) = waiting.get(..len).and_then(refusal) else { return false };
        self.octets.drain(self.ready..self.ready + len);
        self.refusals.extend(refusal);
        true
    }

    /// The answers that are to be sent.
    pub(crate) fn take_refusals(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.refusals)
    }

    /// Whether something is to be read, of a handshake that is over or not.
    pub(crate) fn has(&self, over: bool) -> bool {
        self.ready > 0 || over && !self.octets.is_empty()
    }

    /// Reads some of it.
    pub(crate) fn read(&mut self, room: &mut [u8], over: bool) -> usize {
        let most = if over { self.octets.len() } else { self.ready };
        let count = most.min(room.len());
        for (place, octet) in room.iter_mut().zip(self.octets.drain(..count)) {
            *place = octet;
        }
        self.ready = self.ready.saturating_sub(count);
        count
    }
}

/// The answer to a request that came too early: to be said again, a second later. HTTP has the status 425 for that (RFC 8470 §5.2), which in
/// SIP is that of a bad alert message (RFC 8876 §10.2); what SIP has for a request that comes too early is 500 with Retry-After (RFC 3261
/// §14.2). `None` for what has no answer: an ACK, a response, and what can't be read.
fn refusal(request: &[u8]) -> Option<Vec<u8>> {
    let message = Message::parse(request).ok()?;
    if !message.is_request() || message.method() == Method::Ack {
        return None;
    }
    let mut answer = b"SIP/2.0 500 Too Early\r\n".to_vec();
    let names = [HeaderName::Via, HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq];
    for name in names {
        for value in message.header_rows(name) {
            answer.extend([name.as_bytes(), b": ", value].concat());
            if name == HeaderName::To && message.to().tag().is_none() {
                let mut tag = [0; 8];
                getrandom::fill(&mut tag).ok()?;
                answer.extend(format!(";tag={:016x}", u64::from_ne_bytes(tag)).as_bytes());
            }
            answer.extend(b"\r\n");
        }
    }
    answer.extend(b"Retry-After: 1\r\nContent-Length: 0\r\n\r\n");
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(method: &str) -> Vec<u8> {
        format!("{method} sip:a@b SIP/2.0\r\nContent-Length: 2\r\n\r\nok").into_bytes()
    }

    #[test]
    fn what_may_be_done_twice_is_ready_up_to_the_first_that_may_not() {
        let early = Early::new(&["INFO"]);
        for (methods, ready) in [
            (&["OPTIONS", "INFO", "OPTIONS"][..], 3),
            (&["OPTIONS", "REGISTER", "OPTIONS"], 1),
            (&["INVITE", "OPTIONS"], 0),
            (&["options"], 0),
            (&["SIP/2.0"], 0),
        ] {
            let all: Vec<u8> = methods.iter().flat_map(|method| message(method)).collect();
            let expected: usize = methods.iter().take(ready).map(|method| message(method).len()).sum();
            for cut in 0..all.len() {
                let mut heard = Heard::new(early.clone());
                heard.extend(&all[..cut]);
                assert!(heard.ready <= expected.min(cut), "{methods:?} {cut}");
                heard.extend(&all[cut..]);
                let mut room = vec![0; all.len() + 1];
                assert_eq!(heard.read(&mut room, false), expected, "{methods:?} {cut}");
                assert_eq!((heard.has(false), heard.has(true)), (false, expected < all.len()));
                // Once the handshake is over the rest follows.
                assert_eq!(heard.read(&mut room[expected..], true), all.len() - expected);
                assert_eq!(room[..all.len()], all);
            }
        }
    }
}
