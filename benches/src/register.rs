//! A server that a phone registers with again and again, octets in to octets out.

use core::hint::black_box;
use core::net::{Ipv4Addr, SocketAddr};
use sip_core::digest::{Algorithm, Answer, Secret, Terms, ha1_md5, ha1_sha256, write_authorization};
use sip_core::guard::{Secrets, User};
use sip_core::message::{Message, Method, Writer};
use sip_core::registrar::{self, Change};
use sip_core::role::{Action, Received, Role};
use sip_core::server::{Config, Event, Server};
use sip_core::time::{Duration, Instant};
use sip_core::transport::{Address, Flow};
use sip_std_adapter::memory::{GuardMemory, HeapServer, ProxyMemory, RegistrarMemory};

/// Longer than any transaction over datagrams lasts.
const LIFETIME: Duration = Duration::from_secs(40);

/// Requests that are written before the first is sent: what a phone computes is not to be counted.
const REQUESTS: u32 = 1200;

const REALM: &[u8] = b"example.com";

/// A server with one user.
pub type Hub = HeapServer<[User<'static>; 1]>;

/// Loads the bindings of others: that of bob under other names of three characters.
pub(crate) fn load_others<R: registrar::Memory>(
    server: &mut Server<ProxyMemory, R, GuardMemory, [User<'static>; 1]>,
    now: Instant,
    others: usize,
) {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut record = vec![0; 1000];
    let mut w = Writer::new(&mut record);
    let bob = server.bindings().aors().next().expect("bob's binding");
    server.bindings().write_record(now, bob, &mut w);
    let length = w.finish().expect("room for a record");
    record.truncate(length);
    let name = record.windows(7).position(|part| part == b"sip:bob").expect("bob's name") + 4;
    for number in 0..others {
        for (place, octet) in record[name..name + 3].iter_mut().enumerate() {
            *octet = LETTERS[number / 62_usize.pow(place as u32) % 62];
        }
        if &record[name..name + 3] != b"bob" {
            assert_eq!(server.load(now, &record), Ok(1));
        }
    }
}

/// A server, and a phone that refreshes its binding with SHA-256.
pub struct Refresh {
    server: Hub,
    now: Instant,
    phone: Flow,
    requests: Vec<Vec<u8>>,
    sent: Vec<u8>,
    next: usize,
}

impl Refresh {
    /// A server of four bindings.
    ///
    /// # Panics
    /// As [`among`](Self::among).
    #[must_use]
    pub fn new() -> Self {
        Self::among(3)
    }

    /// A server with one user, whom it has challenged once, among `others` whose bindings were stored.
    ///
    /// # Panics
    /// When it does not challenge, or finds no room.
    #[must_use]
    pub fn among(others: usize) -> Self {
        let secrets = Secrets {
            password: None,
            md5: Some(ha1_md5(b"bob", REALM, b"zanzibar")),
            sha256: Some(ha1_sha256(b"bob", REALM, b"zanzibar")),
        };
        let memory = RegistrarMemory::with_capacity(others + 4);
        let users = [User { name: b"bob", secrets }];
        let mut server =
            Hub::new(ProxyMemory::with_capacity(16, 4, 4), memory, GuardMemory::with_capacity(8, 8), users);
        let mut config = Config::new(&["203.0.113.5:5060"], &["example.com"], b"a secret of this server");
        // The one nonce is used for all requests, and they lie days apart.
        config.guard.life = Duration::from_secs(10_000_000);
        let now = Instant::from_millis(1000);
        server.start(now, &config, [7; 16]).expect("a configuration that can be used");
        let phone = Flow::udp(Address::from(SocketAddr::from((Ipv4Addr::new(198, 51, 100, 17), 5062))));
        let mut refresh = Self { server, now, phone, requests: Vec::new(), sent: Vec::new(), next: 0 };
        let received = refresh.receive(&request(0, None));
        assert!(matches!(received, Received::Event(Event::Refused { status: 401, .. })), "{received:?}");
        let challenged = refresh.sent.clone();
        refresh.requests = (1..=REQUESTS).map(|number| request(number, Some(&challenged))).collect();
        refresh.run();
        load_others(&mut refresh.server, refresh.now, others);
        refresh
    }

    fn receive(&mut self, bytes: &[u8]) -> Received<Event> {
        let message = Message::parse(black_box(bytes)).expect("a message");
        let received = self.server.receive(self.now, self.phone, &message);
        self.drain();
        received
    }

    fn drain(&mut self) {
        while let Some(action) = self.server.poll_action(self.now) {
            if let Action::Send { bytes, .. } = action {
                self.sent.clear();
                self.sent.extend_from_slice(bytes);
            }
        }
    }

    /// One refresh, its answer, and the end of its transaction. Returns the length of the answer.
    ///
    /// # Panics
    /// When the binding is not refreshed, or after more than 1,200 refreshes.
    pub fn run(&mut self) -> usize {
        let request = core::mem::take(&mut self.requests[self.next]);
        let change = if self.next == 0 { Change::Registered } else { Change::Refreshed };
        self.next += 1;
        let received = self.receive(&request);
        assert!(matches!(received, Received::Event(Event::Binding(event)) if event.change == change), "{received:?}");
        let length = self.sent.len();
        self.now += LIFETIME;
        self.server.handle_timeout(self.now);
        self.drain();
        length
    }

    /// The last answer.
    #[must_use]
    pub fn answer(&self) -> &[u8] {
        &self.sent
    }
}

impl Default for Refresh {
    fn default() -> Self {
        Self::new()
    }
}

/// A REGISTER as a desk phone writes it, with the answer to a challenge.
pub(crate) fn request(number: u32, challenged: Option<&[u8]>) -> Vec<u8> {
    let mut room = vec![0; 2000];
    let mut w = Writer::new(&mut room);
    w.raw(b"REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.17:5062;branch=z9hG4bK");
    w.raw(format!("{number:016x}").as_bytes());
    w.raw(b";rport\r\nMax-Forwards: 70\r\nFrom: \"Bob\" <sip:bob@example.com>;tag=4b0a2c7d\r\nTo: <sip:bob@example.com>\r\n");
    w.raw(b"Call-ID: 7c1d0f3e5a9b4d20\r\n");
    w.cseq(number + 1, Method::Register);
    w.raw(b"Contact: <sip:bob@198.51.100.17:5062>;expires=86400\r\nUser-Agent: desk phone\r\n");
    w.raw(b"Allow: INVITE, ACK, CANCEL, BYE, OPTIONS\r\nSupported: path\r\n");
    if let Some(challenged) = challenged {
        let response = Message::parse(challenged).expect("a response");
        let challenge = response.challenges().find(|one| one.algorithm == Algorithm::Sha256).expect("a challenge");
        let answer = Answer {
            username: b"bob",
            secret: Secret::Password(b"zanzibar"),
            method: Method::Register,
            uri: b"sip:example.com",
            nc: number,
            cnonce: b"0a4f113b9c8d7e6f",
            body: b"",
        };
        assert!(write_authorization(&mut w, &Terms::from(&challenge), &answer));
    }
    w.finish_without_body();
    let length = w.finish().expect("room for a request");
    room.truncate(length);
    room
}

#[cfg(test)]
mod tests {
    use super::*;
    use sip_core::memory::{Links, Octets};
    use sip_core::registrar::{Binding, Memory};

    /// Octets in use with the binding of the phone and those of so many others: entries with their links, and texts with what keeps them.
    fn held(others: usize) -> usize {
        let mut memory = Box::new(registrar::Arrays::<128, 65_536>::new());
        let users = [User { name: b"bob", secrets: Secrets { password: None, md5: None, sha256: None } }];
        let mut server =
            Server::new(ProxyMemory::with_capacity(16, 4, 4), memory.as_mut(), GuardMemory::with_capacity(8, 8), users);
        let config = Config::new(&["203.0.113.5:5060"], &["example.com"], b"a secret of this server");
        let now = Instant::from_millis(1000);
        server.start(now, &config.with_challenge_registrations(false), [7; 16]).expect("a configuration");
        let bytes = request(0, None);
        let phone = Flow::udp(Address::from(SocketAddr::from((Ipv4Addr::new(198, 51, 100, 17), 5062))));
        let _ = server.receive(now, phone, &Message::parse(&bytes).expect("a REGISTER"));
        load_others(&mut server, now, others);
        assert_eq!(server.bindings().len(), others + 1);
        drop(server);
        let (table, octets) = memory.view();
        table.len() * size_of::<(Links, Binding)>() + octets.used()
    }

    #[test]
    fn a_binding_takes_no_more_memory_than_its_goal() {
        // The texts of the configuration are in both.
        let binding = (held(100) - held(0)) / 100;
        println!("octets of a binding: {binding}, of which {} are its entry", size_of::<(Links, Binding)>());
        assert!(binding <= 300, "{binding}");
    }

    #[test]
    fn a_binding_is_refreshed_again_and_again() {
        let mut refresh = Refresh::among(100);
        for _ in 0..100 {
            assert!(refresh.run() > 100);
            let answer = Message::parse(refresh.answer()).unwrap();
            assert_eq!(answer.status(), Some(200));
            assert_eq!(answer.contacts().count(), 1);
        }
    }
}
