//! What a connection makes of a WebSocket's messages, each of which is one of SIP.

use super::session::Incoming;
use crate::connection::{Arrival, Connection, End, PONG, State};
use crate::stream::Stream;
use sip_core::time::Instant;
use sip_core::transport::{FlowError, Payload};

impl Connection {
    /// Puts the next message into `buffer`; reads a little when there is none.
    pub(crate) fn receive_whole(&mut self, now: Instant, buffer: &mut [u8]) -> Arrival {
        let Stream::Ws(session) = &mut self.stream else { return Arrival::Nothing };
        let incoming = session.receive();
        let begun = session.has_part().then_some(now);
        if self.state == State::Lingering {
            return match incoming {
                Incoming::Message(_) | Incoming::KeepAlive | Incoming::Part => Arrival::Part,
                Incoming::Nothing => Arrival::Nothing,
                _ => Arrival::End(End::Lost(FlowError::Closed)),
            };
        }
        match incoming {
            Incoming::Message(bytes) if Payload::of(&bytes) == Payload::KeepAlive => {
                self.part = begun;
                self.ping(now, bytes.len())
            }
            Incoming::Message(bytes) => {
                let length = bytes.len().min(buffer.len());
                let (part, room) = (bytes.get(..length), buffer.get_mut(..length));
                room.unwrap_or_default().copy_from_slice(part.unwrap_or_default());
                if length < bytes.len() {
                    self.state = State::Lingering;
                    return Arrival::Oversized(length);
                }
                (self.used, self.spoke, self.part) = (now, true, begun);
                Arrival::Message(length)
            }
            Incoming::KeepAlive => {
                (self.pinged, self.part) = (now, begun.map(|now| self.part.unwrap_or(now)));
                Arrival::KeepAlive
            }
            Incoming::Part | Incoming::Nothing => {
                self.part = begun.map(|now| self.part.unwrap_or(now));
                if matches!(incoming, Incoming::Part) { Arrival::Part } else { Arrival::Nothing }
            }
            Incoming::Lost(error) => Arrival::End(End::Lost(error)),
            Incoming::Broken => Arrival::End(End::Broken),
            Incoming::TooLarge => Arrival::End(End::TooLarge),
        }
    }

    /// Answers a keep-alive of `CRLF CRLF`, as on a stream (RFC 7118 §6, RFC 5626 §4.4.1).
    fn ping(&mut self, now: Instant, length: usize) -> Arrival {
        self.pinged = now;
        // A peer that only sends pings and reads no pong must not fill the memory.
        if length >= 2 * PONG.len()
            && !self.is_blocked()
            && let Err(error) = self.stream.send(PONG)
        {
            return Arrival::End(End::Lost(error));
        }
        Arrival::KeepAlive
    }
}
