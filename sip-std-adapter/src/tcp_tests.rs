//! Connections whose time the test gives, over 127.0.0.1.

use super::*;
use crate::accept::{ASKED, SILENCE};
use crate::echo::request;
use crate::patience::{LINGER, STALL};
use mio::{Events, Poll};
use sip_core::transport::Address;
use std::io::{Read, Write};

/// Connections, what they tell the role, and what is counted.
struct Rig {
    tcp: Tcp,
    poll: Poll,
    inputs: VecDeque<Input>,
    counted: Statistics,
    /// The connection that the role keeps.
    kept: Flow,
}

const TICKET: Ticket = Ticket::new(7);
const SEND: SendId = SendId::new(0, 1, 0);

fn at(seconds: u64) -> Instant {
    Instant::from_millis(seconds * 1000)
}

impl Rig {
    fn new() -> Self {
        let poll = Poll::new().unwrap();
        let mut tcp = Tcp { most_of_source: usize::MAX, ..Tcp::default() };
        tcp.listen((0, Transport::Tcp), "127.0.0.1:0".parse().unwrap(), poll.registry()).unwrap();
        Self { tcp, poll, inputs: VecDeque::new(), counted: Statistics::default(), kept: Flow::NONE }
    }

    fn address(&self) -> SocketAddr {
        self.tcp.listeners[0].local
    }

    fn dial(&self) -> std::net::TcpStream {
        let stream = std::net::TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(core::time::Duration::from_secs(5))).unwrap();
        stream
    }

    /// Takes what the system has noticed until `done`.
    fn until(&mut self, now: Instant, done: impl Fn(&Self) -> bool) {
        for _ in 0..500 {
            if done(self) {
                return;
            }
            self.notice(now);
        }
        panic!("it did not come: {:?}", self.counted);
    }

    /// Takes what the system notices within a moment.
    fn notice(&mut self, now: Instant) {
        let mut events = Events::with_capacity(64);
        self.poll.poll(&mut events, Some(core::time::Duration::from_millis(10))).unwrap();
        for event in &events {
            self.tcp.notice(event, now, &mut self.inputs, &mut self.counted);
        }
        self.expire(now);
    }

    fn expire(&mut self, now: Instant) {
        let kept = self.kept;
        let (registry, inputs, counted) = (self.poll.registry(), &mut self.inputs, &mut self.counted);
        self.tcp.accept_all(now, registry, &|flow| flow == kept, inputs, counted);
        self.tcp.expire(now, registry, |flow| flow == kept, inputs, counted);
    }

    fn receive(&mut self, now: Instant) -> Arrived {
        self.tcp.receive(now, &mut [0; 2000], &mut self.inputs, &mut self.counted)
    }

    fn send(&mut self, now: Instant, flow: Flow, octets: &[u8]) -> Sent {
        self.tcp.send(now, (SEND, flow, octets), &mut self.inputs, &mut self.counted)
    }

    fn connect(&mut self, now: Instant, to: SocketAddr) -> Dialled {
        self.connect_by(Transport::Tcp, now, to)
    }

    fn connect_by(&mut self, transport: Transport, now: Instant, to: SocketAddr) -> Dialled {
        let (kept, inputs, counted) = (self.kept, &mut self.inputs, &mut self.counted);
        let flow = Flow { remote: Address::from(to), transport, ..Flow::NONE };
        let wanted = Wanted { ticket: TICKET, flow, name: if transport.is_secure() { "sip.example.com" } else { "" } };
        self.tcp.connect(now, self.poll.registry(), wanted, |flow| flow == kept, inputs, counted)
    }
}

#[test]
fn who_does_not_answer_in_time_can_not_be_connected_to() {
    let (mut rig, other) = (Rig::new(), Rig::new());
    assert!(matches!(rig.connect(at(1), other.address()), Dialled::Waiting));
    assert_eq!(rig.tcp.next_timeout(), Some(at(1) + PATIENCE));
    // That the system has connected it meanwhile has not been noticed.
    rig.expire(at(8));
    assert!(rig.inputs.is_empty());
    rig.expire(at(1) + PATIENCE);
    assert!(matches!(rig.inputs.pop_front(), Some(Input::NotConnected(TICKET, FlowError::Unreachable))));
    assert_eq!((rig.tcp.count(), rig.tcp.next_timeout()), (0, None));
}

#[test]
fn a_peer_that_takes_nothing_for_long_is_given_up() {
    let mut rig = Rig::new();
    let mut peer = rig.dial();
    rig.until(at(1), |rig| rig.tcp.count() == 1);
    let flow = rig.tcp.connections.values().next().unwrap().flow;
    let octets = [b'x'; 60_000];
    while let Sent::Done = rig.send(at(2), flow, &octets) {}
    assert_eq!(rig.tcp.connections.values().next().unwrap().deadline, Some(at(2) + STALL));
    // Progress gives more time.
    peer.set_nonblocking(true).unwrap();
    while peer.read(&mut [0; 65_536]).is_ok_and(|read| read > 0) {}
    rig.until(at(20), |rig| rig.tcp.connections[&flow.connection].deadline != Some(at(2) + STALL));
    if let Some(Input::Writable(room)) = rig.inputs.pop_front() {
        assert_eq!(room, flow);
        assert_eq!(rig.tcp.next_waiting(flow), Some(SEND));
        while let Sent::Done = rig.send(at(20), flow, &octets) {}
    }
    assert_eq!(rig.tcp.connections[&flow.connection].deadline, Some(at(20) + STALL));
    rig.expire(at(20) + STALL);
    assert!(matches!(rig.inputs.pop_front(), Some(Input::Failed(lost, FlowError::Closed)) if lost == flow));
    assert_eq!((rig.tcp.count(), rig.counted.connections_closed), (0, 1));
}

#[test]
fn one_too_many_is_refused_until_one_has_been_silent_for_long() {
    let mut rig = Rig::new();
    rig.tcp.limit(2);
    let (mut first, mut second) = (rig.dial(), rig.dial());
    rig.until(at(1), |rig| rig.tcp.count() == 2);
    first.write_all(&request(1)).unwrap();
    second.write_all(&request(1)).unwrap();
    while rig.counted.messages_in < 2 {
        rig.until(at(1), |rig| !rig.tcp.readable.is_empty());
        while !matches!(rig.receive(at(1)), Arrived::Nothing) {}
    }
    let mut third = rig.dial();
    rig.until(at(10), |rig| rig.counted.connections_refused == 1);
    assert_eq!(third.read(&mut [0; 1]).unwrap(), 0);
    assert!(matches!(rig.connect(at(10), "127.0.0.1:9".parse().unwrap()), Dialled::Failed(FlowError::Other)));
    // Octets that are no message do not count as life.
    first.write_all(b"OPTIONS ").unwrap();
    rig.until(at(20), |rig| !rig.tcp.readable.is_empty());
    while !matches!(rig.receive(at(20)), Arrived::Nothing) {}
    let _fourth = rig.dial();
    rig.until(at(1) + SILENCE, |rig| rig.counted.connections_accepted == 3);
    assert_eq!((rig.tcp.count(), rig.counted.connections_refused), (2, 1));
    assert!(matches!(rig.inputs.pop_front(), Some(Input::Failed(_, FlowError::Closed))));
}

#[test]
fn a_hundred_connections_at_once_are_all_accepted() {
    let mut rig = Rig::new();
    let peers: Vec<_> = (0..100).map(|_| rig.dial()).collect();
    rig.until(at(1), |rig| rig.tcp.count() == 100);
    drop(peers);
    let mut ended = 0;
    while ended < 100 {
        rig.until(at(2), |rig| !rig.tcp.readable.is_empty());
        while !matches!(rig.receive(at(2)), Arrived::Nothing) {}
        ended = rig.inputs.len();
    }
    assert_eq!((rig.tcp.count(), rig.tcp.peers.len(), rig.tcp.next_timeout()), (0, 0, None));
}

#[test]
fn a_connection_that_the_role_keeps_makes_no_room_for_strangers() {
    let mut rig = Rig::new();
    rig.tcp.limit(2);
    let _phone = rig.dial();
    rig.until(at(1), |rig| rig.tcp.count() == 1);
    rig.kept = rig.tcp.connections.values().next().unwrap().flow;
    let _stranger = rig.dial();
    rig.until(at(2), |rig| rig.tcp.count() == 2);
    // The phone was silent for longer, and is asked about once: the stranger gives way.
    let _second = rig.dial();
    rig.until(at(2) + SILENCE, |rig| rig.counted.connections_accepted == 3);
    let kept = |rig: &Rig| rig.tcp.connections.values().any(|one| one.flow == rig.kept);
    assert!(kept(&rig) && rig.tcp.count() == 2);
    // Nobody gives way where all others are of use.
    let _third = rig.dial();
    rig.until(at(3) + SILENCE, |rig| rig.counted.connections_refused == 1);
    // No longer registered, it is a connection like any other.
    rig.kept = Flow::NONE;
    assert!(!matches!(
        rig.connect(at(2) + SILENCE + SILENCE, "127.0.0.1:9".parse().unwrap()),
        Dialled::Failed(FlowError::Other)
    ));
    assert_eq!((rig.tcp.count(), rig.counted.connections_closed), (2, 2));
}

#[test]
fn who_knocks_has_the_role_asked_about_so_many_and_the_next_about_others() {
    let mut rig = Rig::new();
    rig.tcp.limit(2 * ASKED + 1);
    let mut peers: Vec<_> = (0..2 * ASKED).map(|_| rig.dial()).collect();
    rig.until(at(1), |rig| rig.tcp.count() == 2 * ASKED);
    // The stranger was silent for the shortest time.
    peers.push(rig.dial());
    rig.until(at(2), |rig| rig.tcp.count() > 2 * ASKED);
    let stranger = rig.tcp.connections.values().find(|one| one.used == at(2)).unwrap().flow;
    let now = at(2) + SILENCE;
    for (room, asked) in [(false, ASKED), (false, ASKED), (true, 1)] {
        let seen = core::cell::Cell::new(0);
        let keeps = |flow: Flow| {
            seen.set(seen.get() + 1);
            flow != stranger
        };
        assert_eq!(rig.tcp.make_room(now, keeps, &mut rig.inputs, &mut rig.counted), room);
        assert_eq!(seen.get(), asked);
    }
    assert!(!rig.tcp.connections.contains_key(&stranger.connection));
    drop(peers);
}

#[cfg(feature = "rustls")]
#[test]
fn a_handshake_that_stands_still_is_given_up_after_eight_seconds() {
    use crate::tls::testing::{Authority, San};
    let (mut rig, authority) = (Rig::new(), Authority::new());
    let number = 1;
    rig.tcp.streams.client = Some(authority.client());
    rig.tcp.streams.servers.insert(number, authority.server(&[San::Dns("sip.example.com")]));
    let any = "127.0.0.1:0".parse().unwrap();
    let to = rig.tcp.listen((number, Transport::Tls), any, rig.poll.registry()).unwrap();
    let silent = std::net::TcpListener::bind(any).unwrap();

    // One of each side, and neither peer says anything.
    let stranger = std::net::TcpStream::connect(to).unwrap();
    rig.until(at(1), |rig| rig.counted.connections_accepted == 1);
    assert!(matches!(rig.connect_by(Transport::Tls, at(1), silent.local_addr().unwrap()), Dialled::Waiting));
    let _peer = silent.accept().unwrap();
    rig.until(at(1), |rig| rig.tcp.connections.values().all(|one| one.stream.is_shaking_hands()));
    assert_eq!(rig.tcp.next_timeout(), Some(at(1) + PATIENCE));
    rig.expire(at(1) + PATIENCE);
    assert_eq!((rig.tcp.count(), rig.tcp.peers.len()), (0, 0));
    // Its socket lingers, so that the alert gets to the peer.
    rig.expire(at(1) + PATIENCE);
    assert_eq!(rig.tcp.next_timeout(), Some(at(1) + PATIENCE + LINGER));
    rig.expire(at(1) + PATIENCE + LINGER);
    assert_eq!(rig.tcp.next_timeout(), None);
    assert_eq!((rig.counted.handshakes_failed, rig.counted.connects_failed, rig.inputs.len()), (1, 1, 1));
    assert!(matches!(rig.inputs[0], Input::NotConnected(TICKET, FlowError::Unreachable)));
    assert_eq!(rig.tcp.streams.refusals.len(), 2);
    drop(stranger);
}

#[path = "patience_tests.rs"]
mod patience_tests;
