//! What strangers can hold, and for how long; and the second connection beside one that is stuck. Time is given.

use super::*;
use crate::echo::request;
use crate::patience::{FIRST, PART};
use crate::relief::RELIEF;
use crate::waiting::OLD;
use std::net::TcpListener;

const BYE: &[u8] = b"BYE sip:bob@example.com SIP/2.0\r\nTo: <sip:bob@example.com>;tag=1\r\n\r\n";

impl Rig {
    /// Takes what has come by all connections; how many messages that was.
    fn take(&mut self, now: Instant) -> usize {
        self.until(now, |rig| !rig.tcp.readable.is_empty());
        let mut messages = 0;
        loop {
            match self.receive(now) {
                Arrived::Nothing => return messages,
                Arrived::Message(..) => messages += 1,
                Arrived::Oversized(..) | Arrived::Other => {}
            }
        }
    }

    fn flow(&self) -> Flow {
        self.tcp.connections.values().next().unwrap().flow
    }
}

#[test]
fn a_message_that_comes_octet_by_octet_has_the_time_of_one_message() {
    let mut rig = Rig::new();
    let mut peer = rig.dial();
    rig.until(at(1), |rig| rig.tcp.count() == 1);
    peer.write_all(&request(1)).unwrap();
    assert_eq!(rig.take(at(5)), 1);
    let next = request(2);
    peer.write_all(&next[..1]).unwrap();
    assert_eq!(rig.take(at(10)), 0);
    // An octet now and then gives no more time.
    peer.write_all(&next[1..2]).unwrap();
    assert_eq!(rig.take(at(41)), 0);
    rig.expire(at(10) + PART - Duration::from_millis(1));
    assert_eq!(rig.tcp.count(), 1);
    // The whole message does, and what has come of the one behind it has its own.
    peer.write_all(&[&next[2..], b"X"].concat()).unwrap();
    assert_eq!(rig.take(at(41)), 1);
    rig.expire(at(41) + PART - Duration::from_millis(1));
    assert_eq!((rig.tcp.count(), rig.inputs.len()), (1, 0));
    rig.expire(at(41) + PART);
    assert!(matches!(rig.inputs.pop_front(), Some(Input::Failed(_, FlowError::Closed))));
    assert_eq!((rig.tcp.count(), rig.counted.connections_expired, rig.tcp.next_timeout()), (0, 1, None));
}

#[test]
fn a_stranger_who_says_nothing_is_not_kept_by_keep_alives() {
    let mut rig = Rig::new();
    let mut peer = rig.dial();
    rig.until(at(1), |rig| rig.tcp.count() == 1);
    peer.write_all(b"\r\n\r\n").unwrap();
    rig.take(at(20));
    assert_eq!((rig.counted.keep_alives, rig.tcp.next_timeout()), (1, Some(at(1) + FIRST)));
    rig.expire(at(1) + FIRST);
    assert_eq!((rig.tcp.count(), rig.counted.connections_expired), (0, 1));
}

#[test]
fn a_connection_that_carries_nothing_is_closed_unless_the_role_keeps_it() {
    let mut rig = Rig::new();
    rig.tcp.idle = Duration::from_secs(100);
    let mut peers = [rig.dial(), rig.dial()];
    rig.until(at(1), |rig| rig.tcp.count() == 2);
    for peer in &mut peers {
        peer.write_all(&request(1)).unwrap();
    }
    while rig.counted.messages_in < 2 {
        rig.take(at(2));
    }
    rig.kept = rig.flow();
    rig.expire(at(101));
    assert_eq!(rig.tcp.count(), 2);
    rig.expire(at(102));
    assert_eq!((rig.tcp.count(), rig.flow()), (1, rig.kept));
    // A keep-alive is a sign of life; without one the role is asked again.
    for peer in &mut peers {
        let _ = peer.write_all(b"\r\n\r\n");
    }
    rig.take(at(150));
    rig.kept = Flow::NONE;
    rig.expire(at(202));
    assert_eq!((rig.tcp.count(), rig.counted.connections_expired), (1, 1));
    rig.expire(at(250));
    assert_eq!((rig.tcp.count(), rig.counted.connections_expired), (0, 2));
}

#[test]
fn one_source_has_no_more_than_its_share() {
    let mut rig = Rig::new();
    rig.tcp.limit(8);
    rig.tcp.most_of_source = 0;
    let mut peers = [rig.dial(), rig.dial(), rig.dial()];
    rig.until(at(1), |rig| rig.counted.sources_limited == 1);
    assert_eq!((rig.tcp.count(), rig.counted.connections_accepted), (2, 2));
    assert_eq!(peers[2].read(&mut [0; 1]).unwrap(), 0);
    // Who goes makes room for others of the same place.
    drop(peers);
    while rig.tcp.count() > 0 {
        rig.until(at(2), |rig| !rig.tcp.readable.is_empty());
        while !matches!(rig.receive(at(2)), Arrived::Nothing) {}
    }
    assert!(rig.tcp.sources.is_empty());
    let _again = rig.dial();
    rig.until(at(3), |rig| rig.counted.connections_accepted == 3);
}

#[test]
fn hosts_that_do_not_answer_take_a_share_of_the_connections_and_one_of_them_less() {
    // A queue that is full answers nobody.
    let silent = |ip: [u8; 4]| {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((ip, 0)).into()).unwrap();
        socket.listen(0).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        (socket, address)
    };
    let mut rig = Rig::new();
    rig.tcp.limit(80);
    let (_kept, one): (Vec<_>, Vec<_>) = (0..20).map(|_| silent([127, 0, 0, 2])).unzip();
    let waiting = one.iter().filter(|to| matches!(rig.connect(at(1), **to), Dialled::Waiting)).count();
    assert_eq!(waiting, 16);
    let (_kept, others): (Vec<_>, Vec<_>) = (3..20).map(|last| silent([127, 0, 0, last])).unzip();
    let waiting = others.iter().filter(|to| matches!(rig.connect(at(1), **to), Dialled::Waiting)).count();
    assert_eq!((waiting, rig.tcp.count()), (4, 20));
    // Those that open count no longer.
    rig.until(at(2), |rig| rig.counted.connections_opened == 20);
    assert!(matches!(rig.connect(at(2), others[10]), Dialled::Waiting));
}

/// Fills a connection to `peer`; gives our end and theirs.
fn stuck(rig: &mut Rig, peer: &TcpListener) -> (Flow, std::net::TcpStream) {
    assert!(matches!(rig.connect(at(1), peer.local_addr().unwrap()), Dialled::Waiting));
    rig.until(at(1), |rig| rig.counted.connections_opened == 1);
    let Some(Input::Connected(TICKET, flow)) = rig.inputs.pop_front() else { panic!("not connected") };
    let (stream, _) = peer.accept().unwrap();
    while let Sent::Done = rig.send(at(2), flow, &[b'x'; 60_000]) {}
    (flow, stream)
}

#[test]
fn what_is_urgent_goes_by_a_second_connection_when_the_first_is_stuck() {
    let (mut rig, peer) = (Rig::new(), TcpListener::bind("127.0.0.1:0").unwrap());
    let (flow, _first) = stuck(&mut rig, &peer);
    let bye = SendId::new(0, 2, 0);
    let send = |rig: &mut Rig, now, id| rig.tcp.send(now, (id, flow, BYE), &mut rig.inputs, &mut rig.counted);
    // What is not urgent gets none.
    rig.expire(at(4));
    assert_eq!(rig.counted.reliefs, 0);
    assert_eq!(send(&mut rig, at(5), bye), Sent::Held);
    rig.expire(at(5));
    assert_eq!((rig.counted.reliefs, rig.tcp.count()), (1, 2));
    rig.until(at(6), |rig| rig.counted.connections_opened == 2);
    assert!(matches!(rig.inputs.pop_front(), Some(Input::Writable(room)) if room == flow));
    assert_eq!(rig.tcp.next_waiting(flow), Some(bye));
    assert_eq!(send(&mut rig, at(6), bye), Sent::Done);
    // The rest stays where it is, and what is urgent later goes at once.
    assert_eq!(rig.tcp.next_waiting(flow), None);
    assert_eq!(send(&mut rig, at(7), SendId::new(0, 3, 0)), Sent::Done);
    assert_eq!(rig.send(at(7), flow, &request(1)), Sent::Held);
    let (mut second, _) = peer.accept().unwrap();
    let mut read = vec![0; 2 * BYE.len()];
    second.read_exact(&mut read).unwrap();
    assert_eq!(read, BYE.repeat(2));
    assert_eq!(rig.connect(at(7), peer.local_addr().unwrap()).flow().map(|flow| flow.remote), Some(flow.remote));
    // The first is given up in its time; what waits for it is told, and is not lost with it.
    rig.expire(at(2) + STALL);
    assert!(matches!(rig.inputs.pop_front(), Some(Input::Failed(gone, FlowError::Closed)) if gone == flow));
    assert_eq!(rig.inputs.iter().filter(|input| matches!(input, Input::Resume(SEND))).count(), 2);
    assert_eq!((rig.tcp.count(), rig.counted.reliefs), (1, 1));
}

#[test]
fn a_peer_that_takes_no_second_connection_is_asked_once() {
    let (mut rig, peer) = (Rig::new(), TcpListener::bind("127.0.0.1:0").unwrap());
    let (flow, _first) = stuck(&mut rig, &peer);
    drop(peer);
    for second in 5..20 {
        let id = SendId::new(0, 10 + u32::try_from(second).unwrap(), 0);
        let sent = rig.tcp.send(at(second), (id, flow, BYE), &mut rig.inputs, &mut rig.counted);
        assert_eq!(sent, Sent::Held);
        rig.expire(at(second) + RELIEF);
        rig.until(at(second) + RELIEF, |rig| rig.tcp.opening.is_empty());
    }
    assert_eq!((rig.counted.reliefs, rig.tcp.count(), rig.counted.connects_failed), (1, 1, 1));
}

#[test]
fn what_has_gone_by_the_second_connection_has_not_waited_when_it_is_repeated() {
    let (mut rig, peer) = (Rig::new(), TcpListener::bind("127.0.0.1:0").unwrap());
    let (flow, _first) = stuck(&mut rig, &peer);
    let [bye, other] = [2, 3].map(|number| SendId::new(0, number, 0));
    let send = |rig: &mut Rig, now, id| rig.tcp.send(now, (id, flow, BYE), &mut rig.inputs, &mut rig.counted);
    assert_eq!(send(&mut rig, at(5), bye), Sent::Held);
    rig.expire(at(5));
    rig.until(at(6), |rig| rig.counted.connections_opened == 2);
    assert_eq!(rig.tcp.next_waiting(flow), Some(bye));
    assert_eq!(send(&mut rig, at(6), bye), Sent::Done);
    let second = *rig.tcp.connections.keys().find(|number| **number != flow.connection).unwrap();
    rig.tcp.end(second, FlowError::Closed, &mut rig.inputs, &mut rig.counted);
    assert_eq!((send(&mut rig, at(7), other), send(&mut rig, at(8), bye)), (Sent::Held, Sent::Held));
    let waiting = &mut rig.tcp.connections.get_mut(&flow.connection).unwrap().waiting;
    assert_eq!([waiting.next(), waiting.next(), waiting.next()], [Some(other), Some(bye), Some(SEND)]);
}

#[test]
fn sends_that_are_over_take_no_room_for_ever() {
    let (mut rig, peer) = (Rig::new(), TcpListener::bind("127.0.0.1:0").unwrap());
    let (flow, _first) = stuck(&mut rig, &peer);
    let mut count = 0;
    let mut send = |rig: &mut Rig, now| {
        count += 1;
        rig.tcp.send(now, (SendId::new(0, 10 + count, 0), flow, BYE), &mut rig.inputs, &mut rig.counted)
    };
    let held = core::iter::from_fn(|| (send(&mut rig, at(3)) == Sent::Held).then_some(())).count();
    assert_eq!(send(&mut rig, at(3) + OLD - Duration::from_millis(1)), Sent::Held);
    // One of another class was there for longer and has made room; now all of the first have.
    assert!(matches!(rig.inputs.pop_front(), Some(Input::Resume(SEND))));
    assert_eq!((held, rig.inputs.len()), (255, 0));
    assert_eq!(send(&mut rig, at(3) + OLD), Sent::Held);
    assert_eq!(rig.inputs.len(), held);
    assert!(rig.inputs.iter().all(|input| matches!(input, Input::Resume(_))));
}

impl Dialled {
    fn flow(&self) -> Option<Flow> {
        if let Self::Open(flow) = self { Some(*flow) } else { None }
    }
}

#[cfg(feature = "rustls")]
#[test]
fn a_peer_under_tls_that_takes_what_waits_while_it_sends_is_not_given_up() {
    use crate::tls::testing::{Authority, San};
    let (mut rig, mut peer, authority) = (Rig::new(), Rig::new(), Authority::new());
    rig.tcp.streams.servers.insert(1, authority.server(&[San::Dns("sip.example.com")]));
    peer.tcp.streams.client = Some(authority.client());
    let to = rig.tcp.listen((1, Transport::Tls), "127.0.0.1:0".parse().unwrap(), rig.poll.registry()).unwrap();
    assert!(matches!(peer.connect_by(Transport::Tls, at(1), to), Dialled::Waiting));
    let is_open = |rig: &Rig| rig.tcp.connections.values().any(|one| !one.is_opening());
    for _ in 0..500 {
        if is_open(&rig) && is_open(&peer) {
            break;
        }
        rig.notice(at(1));
        peer.notice(at(1));
    }
    let flow = rig.flow();
    while let Sent::Done = rig.send(at(2), flow, &[b'x'; 60_000]) {}
    assert_eq!(rig.tcp.connections[&flow.connection].deadline, Some(at(2) + STALL));
    // The peer reads and sends; what it has sent is read before the system says that there is room.
    for _ in 0..500 {
        let stream = &mut peer.tcp.connections.values_mut().next().unwrap().stream;
        while !matches!(stream.read(&mut [0; 65_536]), Err(error) if error.kind() == io::ErrorKind::WouldBlock) {}
        stream.send(&request(1)).unwrap();
        std::thread::sleep(core::time::Duration::from_millis(1));
        rig.tcp.queue(flow.connection);
        while !matches!(rig.receive(at(3)), Arrived::Nothing) {}
        if !rig.tcp.connections[&flow.connection].is_blocked() {
            break;
        }
    }
    let connection = &rig.tcp.connections[&flow.connection];
    assert_eq!((connection.is_blocked(), connection.deadline), (false, None));
    assert!(matches!(rig.inputs.pop_front(), Some(Input::Writable(room)) if room == flow));
    assert_eq!(rig.tcp.next_waiting(flow), Some(SEND));
    rig.expire(at(2) + STALL);
    assert_eq!(rig.tcp.count(), 1);
}

#[test]
#[cfg(feature = "ws")]
fn a_websocket_has_the_same_time_for_its_handshake_and_for_each_message() {
    let mut rig = Rig::new();
    let at_websockets =
        rig.tcp.listen((1, Transport::Ws), "127.0.0.1:0".parse().unwrap(), rig.poll.registry()).unwrap();
    rig.tcp.streams.ws_servers.insert(1, crate::ws::WsServer::plain());
    let handshake = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: sip\r\n\r\n";
    let mut slow = std::net::TcpStream::connect(at_websockets).unwrap();
    let (begin, rest) = handshake.split_at(40);
    slow.write_all(begin).unwrap();
    rig.until(at(1), |rig| rig.tcp.count() == 1);
    assert_eq!(rig.take(at(8)), 0);
    rig.expire(at(1) + PATIENCE - Duration::from_millis(1));
    assert_eq!(rig.tcp.count(), 1);
    rig.expire(at(1) + PATIENCE);
    // The role never knew of it.
    assert_eq!((rig.tcp.count(), rig.counted.handshakes_failed, rig.inputs.len()), (0, 1, 0));

    let mut peer = std::net::TcpStream::connect(at_websockets).unwrap();
    peer.write_all(&[begin, rest].concat()).unwrap();
    rig.until(at(20), |rig| rig.tcp.connections.values().any(|one| one.state == State::Open));
    let length = u8::try_from(request(1).len()).unwrap();
    let frame = [&[0x81, 0xfe, 0, length, 0, 0, 0, 0][..], &request(1)].concat();
    // A Ping between gives a message that has begun no more time, and the whole message does.
    for (now, octets) in [(21, &frame[..1]), (22, &frame[1..9]), (23, &frame[9..30])] {
        peer.write_all(octets).unwrap();
        assert_eq!(rig.take(at(now)), 0);
    }
    peer.write_all(&[&frame[30..], &[0x01, 0x81, 0, 0, 0, 0, b'I', 0x89, 0x80, 0, 0, 0, 0]].concat()).unwrap();
    assert_eq!(rig.take(at(50)), 1);
    peer.write_all(&[0x89, 0x80, 0, 0, 0, 0]).unwrap();
    assert_eq!(rig.take(at(60)), 0);
    rig.expire(at(50) + PART - Duration::from_millis(1));
    assert_eq!((rig.tcp.count(), rig.inputs.len()), (1, 0));
    rig.expire(at(50) + PART);
    assert!(matches!(rig.inputs.pop_front(), Some(Input::Failed(_, FlowError::Closed))));
}
