//! Connections: two adapters, or one and plain sockets, over 127.0.0.1. What takes long is shown in `tcp_tests.rs`, whose
//! time is given.

use super::tests::{LOCAL, TICKET, adapter, next, settle};
use super::*;
use crate::connection::Connection;
use crate::echo::{Echo, Said, request};
use crate::memory::HeapMemory;
use sip_core::message::{HeaderName, Writer, response_head};
use sip_core::transport::{Address, FlowError, Transport};
use sip_core::ua::{Config, Event, UserAgent};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

fn dial(adapter: &Adapter<Echo>) -> TcpStream {
    let stream = TcpStream::connect(adapter.local_addr()).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream
}

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind(LOCAL).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Has `adapter` connect to `to`; gives the flow.
fn connect(adapter: &mut Adapter<Echo>, to: SocketAddr) -> Flow {
    adapter.role_mut().connect(7, to, Transport::Tcp);
    let Said::Connected(TICKET, flow) = next(adapter) else { panic!("no connection") };
    assert_eq!((flow.remote, flow.transport), (Address::from(to), Transport::Tcp));
    flow
}

/// Reads the answers to so many requests.
fn answers(stream: &mut TcpStream, count: u32) -> Vec<String> {
    let mut octets = vec![0; request(count).len() * 2 * count as usize];
    let (mut filled, mut found) = (0, Vec::new());
    while found.len() < count as usize {
        let read = stream.read(&mut octets[filled..]).unwrap();
        assert_ne!(read, 0, "closed after {found:?}");
        filled += read;
        let text = String::from_utf8_lossy(&octets[..filled]).into_owned();
        found = text.split_inclusive("\r\n\r\n").filter(|part| part.ends_with("\r\n\r\n")).map(str::to_owned).collect();
    }
    found
}

#[test]
fn a_request_is_answered_on_its_connection_which_serves_both_ways() {
    let (mut one, mut two) = (adapter(), adapter());
    let flow = connect(&mut one, two.local_addr());
    one.role_mut().send_on(flow, &request(1));
    settle(&mut one);
    assert_eq!(next(&mut two), Said::Request(1));
    settle(&mut two);
    assert_eq!(next(&mut one), Said::Response(1));
    // Who asks again gets the one that is there, from either end.
    assert_eq!(connect(&mut one, flow.remote.socket_addr().unwrap()), flow);
    let ours = one.network.tcp.as_ref().unwrap().local(flow).unwrap();
    let back = connect(&mut two, ours);
    two.role_mut().send_on(back, &request(2));
    settle(&mut two);
    assert_eq!(next(&mut one), Said::Request(2));
    let (counted, other) = (one.statistics(), two.statistics());
    assert_eq!((counted.connections_opened, other.connections_opened, other.connections_accepted), (1, 0, 1));
    assert_eq!((counted.messages_out, counted.messages_in, counted.datagrams_out), (1, 2, 0));
}

#[test]
fn it_works_over_ipv6() {
    let bind = || Adapter::bind(Echo::default(), "[::1]:0".parse().unwrap());
    // A host without IPv6 has nothing to test.
    let (Ok(mut one), Ok(mut two)) = (bind(), bind()) else { return };
    let flow = connect(&mut one, two.local_addr());
    one.role_mut().send_on(flow, &request(1));
    settle(&mut one);
    assert_eq!(next(&mut two), Said::Request(1));
}

#[test]
fn several_who_wait_for_one_connection_all_get_it() {
    let (mut adapter, (_listener, to)) = (adapter(), listener());
    for ticket in 1..=3 {
        adapter.role_mut().connect(ticket, to, Transport::Tcp);
    }
    let mut flows = Vec::new();
    for ticket in 1..=3 {
        let Said::Connected(found, flow) = next(&mut adapter) else { panic!() };
        assert_eq!(found.number(), ticket);
        flows.push(flow);
    }
    assert!(flows.iter().all(|flow| *flow == flows[0]));
    assert_eq!(adapter.connections(), 1);
}

#[test]
fn who_does_not_listen_refuses() {
    let mut adapter = adapter();
    let (gone, to) = listener();
    drop(gone);
    adapter.role_mut().connect(7, to, Transport::Tcp);
    assert_eq!(next(&mut adapter), Said::NoConnection(TICKET, FlowError::Refused));
    let other_family = "[::1]:5060".parse().unwrap();
    adapter.role_mut().connect(7, other_family, Transport::Tcp);
    assert_eq!(next(&mut adapter), Said::NoConnection(TICKET, FlowError::Unreachable));
    assert_eq!((adapter.statistics().connects_failed, adapter.connections()), (2, 0));
}

#[test]
fn a_stream_cut_at_every_octet_gives_the_same_messages() {
    let mut adapter = adapter();
    let mut stream = dial(&adapter);
    for number in 1..=3 {
        for octet in request(number) {
            stream.write_all(&[octet]).unwrap();
            let _ = adapter.poll(&mut [0; 2000]).unwrap();
        }
    }
    let found = answers_of(&mut adapter, &mut stream, 3);
    assert!(found.iter().all(|answer| answer.starts_with("SIP/2.0 200 OK\r\n")), "{found:?}");
}

/// Drives the adapter while the answers are read.
fn answers_of(adapter: &mut Adapter<Echo>, stream: &mut TcpStream, count: u32) -> Vec<String> {
    for _ in 0..50 {
        let _ = adapter.poll(&mut [0; 2000]).unwrap();
        adapter.wait(Some(adapter.now() + sip_core::time::Duration::from_millis(1))).unwrap();
    }
    answers(stream, count)
}

#[test]
fn several_messages_in_one_segment_are_taken_one_by_one() {
    let mut adapter = adapter();
    let mut stream = dial(&adapter);
    let all: Vec<u8> = (1..=10).flat_map(request).collect();
    stream.write_all(&all).unwrap();
    for number in 1..=10 {
        assert_eq!(next(&mut adapter), Said::Request(number));
    }
    settle(&mut adapter);
    assert_eq!(answers(&mut stream, 10).len(), 10);
}

#[test]
fn a_keep_alive_is_answered_and_line_ends_are_skipped() {
    let mut adapter = adapter();
    let mut stream = dial(&adapter);
    stream.write_all(b"\r\n\r\n").unwrap();
    while adapter.statistics().keep_alives == 0 {
        let _ = adapter.poll(&mut [0; 2000]).unwrap();
    }
    let mut pong = [0; 2];
    stream.read_exact(&mut pong).unwrap();
    assert_eq!(pong, *b"\r\n");
    stream.write_all(b"\r\n").unwrap();
    stream.write_all(&request(1)).unwrap();
    assert_eq!(next(&mut adapter), Said::Request(1));
}

#[test]
fn what_no_message_can_follow_ends_the_connection() {
    let head = "OPTIONS sip:bob@example.com SIP/2.0\r\n";
    let rows =
        ["\rX: y\r\n", "Content Length: 1\r\n", "Content-Length: 1\r\nContent-Length: 2\r\n", "Content-Length: x\r\n"];
    for row in rows {
        let mut adapter = adapter();
        let mut stream = dial(&adapter);
        stream.write_all(format!("{head}{row}X: end\r\n\r\n").as_bytes()).unwrap();
        assert!(matches!(next(&mut adapter), Said::Lost(_, FlowError::Closed)), "{row}");
        assert_eq!(stream.read(&mut [0; 10]).unwrap_or(0), 0, "{row}");
        assert_eq!((adapter.statistics().broken, adapter.connections()), (1, 0));
    }
}

#[test]
fn a_message_that_the_buffer_cannot_hold_ends_the_connection() {
    for (row, buffer) in [("Content-Length: 65536\r\n", 65_536), ("Content-Length: 0\r\n", 60)] {
        let mut adapter = adapter();
        let mut stream = dial(&adapter);
        stream.write_all(format!("OPTIONS sip:bob@example.com SIP/2.0\r\n{row}X: end\r\n\r\n").as_bytes()).unwrap();
        let mut buffer = vec![0; buffer];
        let end = adapter.now() + sip_core::time::Duration::from_secs(5);
        let lost = loop {
            match adapter.poll(&mut buffer).unwrap() {
                Turn::Event(event) => break event,
                _ => assert!(adapter.now() < end),
            }
        };
        assert!(matches!(lost, Said::Lost(_, FlowError::Closed)), "{row}");
        assert_eq!((adapter.statistics().oversized, adapter.connections()), (1, 1));
        // It stays for a moment, and not for one who has gone.
        stream.write_all(b"what follows is dropped").unwrap();
        drop(stream);
        while adapter.connections() > 0 {
            assert!(matches!(adapter.poll(&mut buffer).unwrap(), Turn::Again | Turn::Idle(_)));
            assert!(adapter.now() < end);
        }
        assert_eq!((adapter.statistics().connections_closed, adapter.statistics().malformed), (1, 0));
    }
}

#[test]
fn a_message_over_the_limit_is_answered_before_its_connection_closes() {
    let mut phone = UserAgent::new(HeapMemory::with_capacity(8, 2, 1, 1));
    let config = Config::new("127.0.0.1:5060", "sip:bob@example.com");
    phone.start(&config.with_transport(Transport::Tcp).with_learn_address(false), [1; 16]).unwrap();
    let mut adapter = Adapter::bind(phone, LOCAL.parse().unwrap()).unwrap();
    let mut stream = TcpStream::connect(adapter.local_addr()).unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let tapped = Arc::clone(&seen);
    adapter.set_tap(move |direction, _, _, octets, _| tapped.lock().unwrap().push((direction, octets.len())));
    let head = "OPTIONS sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:5070;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n\
        To: <sip:bob@example.com>\r\nCall-ID: large\r\nCSeq: 1 OPTIONS\r\nContent-Length: 70000\r\n\r\n";
    // Much of the body is there already: what is not read must not cost the answer.
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&[b'x'; 30_000]).unwrap();
    let (mut buffer, end) = (vec![0; 65_536], adapter.now() + sip_core::time::Duration::from_secs(10));
    while adapter.statistics().connections_closed == 0 {
        assert!(adapter.now() < end);
        if let Turn::Idle(until) = adapter.poll(&mut buffer).unwrap() {
            adapter.wait(Some(until.unwrap_or(end).min(end))).unwrap();
        }
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(
        answer.starts_with("SIP/2.0 513 Message Too Large\r\nVia: SIP/2.0/TCP 127.0.0.1:5070;branch=z9hG4bK1"),
        "{answer}"
    );
    assert!(answer.contains("\r\nCall-ID: large\r\nCSeq: 1 OPTIONS\r\n"), "{answer}");
    assert_eq!((adapter.statistics().oversized, adapter.statistics().messages_out), (1, 1));
    assert_eq!(*seen.lock().unwrap(), [(Direction::In, head.len()), (Direction::Out, answer.len())]);
}

#[test]
fn a_peer_that_goes_away_in_the_middle_of_a_message_is_lost() {
    for how in [Shutdown::Write, Shutdown::Both] {
        let mut adapter = adapter();
        let mut stream = dial(&adapter);
        let message = request(1);
        stream.write_all(&message).unwrap();
        stream.write_all(&message[..message.len() / 2]).unwrap();
        assert_eq!(next(&mut adapter), Said::Request(1));
        stream.shutdown(how).unwrap();
        let lost = next(&mut adapter);
        assert!(matches!(lost, Said::Lost(_, FlowError::Closed)), "{lost:?}");
        assert_eq!(adapter.connections(), 0);
    }
}

#[test]
fn a_peer_that_takes_nothing_holds_up_nobody_else_and_gets_everything_in_the_end() {
    let (mut adapter, (slow, to)) = (adapter(), listener());
    let flow = connect(&mut adapter, to);
    let (mut slow, _) = slow.accept().unwrap();
    let mut sent = 0;
    while adapter.statistics().sends_deferred == 0 {
        sent += 1;
        adapter.role_mut().send_on(flow, &large(sent));
        settle(&mut adapter);
    }
    for _ in 0..5 {
        sent += 1;
        adapter.role_mut().send_on(flow, &large(sent));
    }
    // Another peer is served meanwhile.
    let mut other = dial(&adapter);
    other.write_all(&request(1)).unwrap();
    assert_eq!(next(&mut adapter), Said::Request(1));
    settle(&mut adapter);
    assert_eq!(answers(&mut other, 1).len(), 1);
    let reader = std::thread::spawn(move || {
        let mut all = Vec::new();
        slow.read_to_end(&mut all).unwrap();
        all
    });
    let end = adapter.now() + sip_core::time::Duration::from_secs(10);
    while adapter.statistics().messages_out < u64::from(sent) + 1 {
        let until = adapter.now() + sip_core::time::Duration::from_millis(20);
        settle(&mut adapter);
        adapter.wait(Some(until)).unwrap();
        assert!(adapter.now() < end);
    }
    // What the system has not taken yet goes out before the end.
    while adapter.network.tcp.as_ref().is_some_and(|tcp| tcp.connections.values().any(Connection::is_blocked)) {
        settle(&mut adapter);
        adapter.wait(Some(adapter.now() + sip_core::time::Duration::from_millis(20))).unwrap();
        assert!(adapter.now() < end);
    }
    adapter.role_mut().close(flow);
    settle(&mut adapter);
    let expected: Vec<u8> = (1..=sent).flat_map(large).collect();
    assert!(reader.join().unwrap() == expected);
}

/// A request with a body of 32 KiB.
fn large(number: u32) -> Vec<u8> {
    let text = String::from_utf8(request(number)).unwrap();
    let mut octets = text.replace("Content-Length: 0", "Content-Length: 32768").into_bytes();
    octets.resize(octets.len() + 32_768, b'x');
    octets
}

#[test]
fn what_the_role_closes_is_closed_and_carries_nothing_more() {
    let (mut adapter, (listener, to)) = (adapter(), listener());
    let flow = connect(&mut adapter, to);
    let (mut peer, _) = listener.accept().unwrap();
    adapter.role_mut().close(flow);
    settle(&mut adapter);
    assert_eq!(peer.read(&mut [0; 10]).unwrap(), 0);
    adapter.role_mut().send_on(flow, &request(1));
    assert_eq!(next(&mut adapter), Said::Lost(flow, FlowError::Closed));
    // A new connection is another flow.
    assert_ne!(connect(&mut adapter, to), flow);
}

#[test]
fn datagrams_and_connections_take_turns() {
    let mut adapter = adapter();
    let mut stream = dial(&adapter);
    let datagrams = std::net::UdpSocket::bind(LOCAL).unwrap();
    let all: Vec<u8> = (1..=20).flat_map(request).collect();
    stream.write_all(&all).unwrap();
    for number in 101..=120 {
        datagrams.send_to(&request(number), adapter.local_addr()).unwrap();
    }
    let mut seen = Vec::new();
    for _ in 0..40 {
        let Said::Request(number) = next(&mut adapter) else { panic!() };
        seen.push(number);
    }
    // Neither kind waits for all of the other, and each keeps its order.
    let place = |number: u32| seen.iter().position(|found| *found == number).unwrap();
    assert!(place(1) < place(120) && place(101) < place(20), "{seen:?}");
    assert!((1..20).all(|number| place(number) < place(number + 1)));
    assert!((101..120).all(|number| place(number) < place(number + 1)));
}

#[test]
fn the_tap_sees_messages_with_the_ends_of_their_connection() {
    let (mut adapter, seen) = (adapter(), Arc::new(Mutex::new(Vec::new())));
    let log = Arc::clone(&seen);
    adapter.set_tap(move |way, local, flow, bytes, _| log.lock().unwrap().push((way, local, flow, bytes.to_vec())));
    let mut stream = dial(&adapter);
    let ends = (stream.peer_addr().unwrap(), Address::from(stream.local_addr().unwrap()));
    stream.write_all(&request(1)).unwrap();
    assert_eq!(next(&mut adapter), Said::Request(1));
    settle(&mut adapter);
    let seen = seen.lock().unwrap();
    assert_eq!(seen.iter().map(|(way, ..)| *way).collect::<Vec<_>>(), [Direction::In, Direction::Out]);
    assert!(seen.iter().all(|(_, local, flow, _)| (*local, flow.remote) == ends));
    assert_eq!(seen[0].3, request(1));
    assert!(seen[1].3.starts_with(b"SIP/2.0 200 OK"));
}

#[test]
fn a_port_is_taken_for_both_or_for_none() {
    let (_taken, address) = listener();
    let refused = Adapter::bind(Echo::default(), address).err().unwrap();
    assert_eq!(refused.kind(), ErrorKind::AddrInUse);
    assert!(Adapter::bind_udp(Echo::default(), address).is_ok());
}

/// Takes a request from a connection, answers 200, and then sends the head of a message that is too large.
fn answer_and_overdo(mut stream: &TcpStream) {
    let (mut octets, mut filled) = ([0; 4096], 0);
    while !octets[..filled].ends_with(b"\r\n\r\n") {
        filled += stream.read(&mut octets[filled..]).unwrap();
    }
    let request = Message::parse(&octets[..filled]).unwrap();
    let mut room = [0; 2048];
    let mut writer = Writer::new(&mut room);
    writer.status_line(200, b"OK");
    response_head(&mut writer, &request, Address::from(stream.peer_addr().unwrap()), Some(b"r"));
    writer.header_number(HeaderName::Expires, 600);
    writer.finish_without_body();
    let length = writer.finish().unwrap();
    stream.write_all(&room[..length]).unwrap();
    stream.write_all(b"OPTIONS sip:bob@example.com SIP/2.0\r\nContent-Length: 65536\r\n\r\n").unwrap();
}

#[test]
fn a_registration_outlives_a_message_too_large_on_its_connection() {
    let (registrar, to) = listener();
    let registrar = std::thread::spawn(move || [(); 2].map(|()| answer_and_overdo(&registrar.accept().unwrap().0)));
    let mut phone = UserAgent::new(HeapMemory::with_capacity(8, 2, 1, 1));
    let config = Config::new("127.0.0.1:5060", "sip:bob@example.com");
    phone.start(&config.with_transport(Transport::Tcp).with_learn_address(false), [1; 16]).unwrap();
    let mut adapter = Adapter::bind(phone, LOCAL.parse().unwrap()).unwrap();
    adapter.with(|phone, now| phone.register(now, &format!("sip:{to}"), "sip:bob@example.com", 600)).unwrap();
    let (mut registered, mut buffer) = (0, vec![0; 65_536]);
    let end = adapter.now() + sip_core::time::Duration::from_secs(5);
    while registered < 2 {
        assert!(adapter.now() < end, "registered {registered} times");
        match adapter.poll(&mut buffer).unwrap() {
            Turn::Message { event: Event::Registered { .. }, .. } => registered += 1,
            Turn::Idle(until) => adapter.wait(Some(until.unwrap_or(end).min(end))).unwrap(),
            _ => {}
        }
    }
    registrar.join().unwrap();
}

/// Messages of every class, the least important first.
fn classes(number: usize) -> Vec<u8> {
    const DIALOG: &str = "To: <sip:b@example.com>;tag=1\r\n";
    const NONE: &str = "To: <sip:b@example.com>\r\n";
    let (first, to) = [
        ("OPTIONS sip:b@example.com SIP/2.0", NONE),
        ("INVITE sip:b@example.com SIP/2.0", NONE),
        ("INFO sip:b@example.com SIP/2.0", DIALOG),
        ("INVITE urn:service:sos SIP/2.0", NONE),
        ("BYE sip:b@example.com SIP/2.0", DIALOG),
        ("SIP/2.0 200 OK", DIALOG),
    ][number];
    format!("{first}\r\n{to}Content-Length: 0\r\n\r\n").into_bytes()
}

#[test]
fn what_waited_goes_in_the_order_of_its_importance() {
    let (mut adapter, (slow, to)) = (adapter(), listener());
    let flow = connect(&mut adapter, to);
    let (mut slow, _) = slow.accept().unwrap();
    slow.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut sent = 0;
    while adapter.statistics().sends_deferred == 0 {
        sent += 1;
        adapter.role_mut().send_on(flow, &large(sent));
        settle(&mut adapter);
    }
    for _ in 0..2 {
        for number in 0..6 {
            adapter.role_mut().send_on(flow, &classes(number));
        }
    }
    settle(&mut adapter);
    assert_eq!(adapter.statistics().sends_deferred, 13);
    // The last one that was put back is of the last class, and first in it.
    let taken: Vec<u8> = (1..sent).flat_map(large).collect();
    let order = [4, 5, 4, 5, 3, 3, 2, 2, 1, 1];
    let last = [large(sent), classes(0), classes(0)].concat();
    let expected = [taken, order.into_iter().flat_map(classes).collect(), last].concat();
    let length = expected.len();
    let reader = std::thread::spawn(move || {
        let mut all = vec![0; length];
        slow.read_exact(&mut all).unwrap();
        (slow, all)
    });
    let end = adapter.now() + sip_core::time::Duration::from_secs(10);
    while !reader.is_finished() {
        settle(&mut adapter);
        adapter.wait(Some(adapter.now() + sip_core::time::Duration::from_millis(5))).unwrap();
        assert!(adapter.now() < end, "{:?}", adapter.statistics());
    }
    assert!(reader.join().unwrap().1 == expected);
}

#[test]
fn a_peer_that_reads_nothing_costs_a_bounded_number_of_sends() {
    let (mut adapter, (slow, to)) = (adapter(), listener());
    let flow = connect(&mut adapter, to);
    let (_slow, _) = slow.accept().unwrap();
    while adapter.statistics().sends_deferred == 0 {
        adapter.role_mut().send_on(flow, &large(1));
        settle(&mut adapter);
    }
    for _ in 0..100 {
        adapter.role_mut().send_on(flow, &classes(0));
    }
    // Each one refused is told as such, and the flow lives on.
    for _ in 0..37 {
        assert_eq!(next(&mut adapter), Said::Lost(flow, FlowError::Congested));
    }
    settle(&mut adapter);
    let counted = adapter.statistics();
    assert_eq!((counted.sends_deferred, counted.congested, counted.connections_closed), (64, 37, 0));
    adapter.role_mut().send_on(flow, &classes(5));
    settle(&mut adapter);
    assert_eq!((adapter.statistics().sends_deferred, adapter.statistics().congested), (65, 37));
    // With its connection, all that waited is offered again and fails.
    adapter.role_mut().close(flow);
    let mut lost = 0;
    for _ in 0..200 {
        if let Turn::Event(Said::Lost(gone, FlowError::Closed)) = adapter.poll(&mut [0; 2000]).unwrap() {
            assert_eq!(gone, flow);
            lost += 1;
        }
    }
    assert_eq!(lost, 65);
}
