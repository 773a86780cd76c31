//! A server in the middle of a call to one of many who are registered, octets in to octets out.
//!
//! The caller and the phone are on two sides of the server, so that it stands in Record-Route twice.

use crate::proxy::{BOB, DOMAIN, Middle, Relay, flow};
use crate::register::{Hub, load_others};
use sip_core::guard::{Secrets, User};
use sip_core::message::Message;
use sip_core::role::{Action, Role};
use sip_core::server::{Config, Event, Relay as Passing};
use sip_core::time::Instant;
use sip_core::transport::Flow;
use sip_std_adapter::memory::{GuardMemory, HeapServer, ProxyMemory, RegistrarMemory};

/// How bob's phone registers: it stays for as long as a bench may run.
const REGISTER: &[u8] = b"REGISTER sip:hq.example.net SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.90:5060;branch=z9hG4bK1;rport\r\n\
Max-Forwards: 70\r\nFrom: <sip:bob@hq.example.net>;tag=1\r\nTo: <sip:bob@hq.example.net>\r\nCall-ID: 7c1d0f3e5a9b4d20\r\n\
CSeq: 1 REGISTER\r\nContact: <sip:bob@203.0.113.90:5060>;expires=4000000000\r\nContent-Length: 0\r\n\r\n";

impl Middle for Hub {
    fn answer(&mut self, _: Instant, _: Event, _: &Message<'_>) {}

    fn is_at_rest(&self) -> bool {
        let held = self.proxy().occupancy();
        (held.transactions, held.contexts, held.branches) == (0, 0, 0)
    }
}

impl Relay<Hub> {
    /// A server through which calls with this INVITE go to bob's phone, whose binding is one of many, with room for so many
    /// contexts and twice as many transactions and more.
    ///
    /// # Panics
    /// When the INVITE does not parse or does not go through.
    #[must_use]
    pub fn among(invite: &[u8], bindings: usize, contexts: usize) -> Self {
        let users = [User { name: b"bob", secrets: Secrets { password: None, md5: None, sha256: None } }];
        let proxy = ProxyMemory::with_capacity(4 * contexts, contexts, contexts);
        let mut server = HeapServer::new(
            proxy,
            RegistrarMemory::with_capacity(bindings + 4),
            GuardMemory::with_capacity(8, 8),
            users,
        );
        let now = Instant::from_millis(1000);
        let mut config = Config::new(&["192.0.2.5:5060", "192.0.2.5:5070"], &[DOMAIN], b"a secret of this server")
            .with_challenge_registrations(false)
            .with_challenge_requests(false)
            .with_relay(Passing::Everybody);
        config.policy.max_expires = u32::MAX;
        server.start(now, &config, [7; 16]).expect("a configuration that can be used");
        let register = Message::parse(REGISTER).expect("a message");
        let phone = Flow { listener: 1, ..flow([203, 0, 113, 90], 5060) };
        let _ = server.receive(now, phone, &register);
        while let Some(action) = server.poll_action(now) {
            if let Action::Send { bytes, .. } = action {
                assert!(bytes.starts_with(b"SIP/2.0 200"), "a binding that is refused");
            }
        }
        load_others(&mut server, now, bindings - 1);
        Self::through(server, invite, BOB, 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[test]
    fn calls_to_one_of_many_go_through_again_and_again() {
        let mut relay = Relay::among(samples::INVITE, 1000, 8);
        for _ in 0..100 {
            assert!(relay.run() > 100);
        }
        assert!(relay.is_at_rest());
    }
}
