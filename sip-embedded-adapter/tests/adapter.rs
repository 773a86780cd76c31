//! The adapter over a stack that does what the test says, and over the sockets of the host.
#![allow(clippy::std_instead_of_alloc, reason = "tests run on std")]

#[allow(dead_code, unreachable_pub, reason = "the same role that the tests of sip-std-adapter drive")]
#[path = "../../sip-std-adapter/src/echo.rs"]
mod echo;

use core::net::{IpAddr, SocketAddr};
use echo::{Echo, Said, number, request};
use embedded_nal::{UdpClientStack, UdpFullStack, nb};
use sip_core::role::Role;
use sip_core::time::{Duration, Instant};
use sip_core::transport::{Address, Flow, FlowError, Target, Ticket, Transport};
use sip_embedded_adapter::{Adapter, Fault, Operation, Query, Turn};
use sip_lab::interop::free_port;
use std::collections::VecDeque;
use std::net::UdpSocket;

#[derive(Debug, PartialEq, Eq)]
enum Failure {
    Empty,
    TooLarge,
    NoRoom,
    NoRoute,
    Broken,
}

/// A stack of one socket.
#[derive(Default)]
struct Fake {
    arriving: VecDeque<(Vec<u8>, SocketAddr)>,
    sent: Vec<(Vec<u8>, SocketAddr)>,
    /// The next sends fail so.
    send: VecDeque<nb::Error<Failure>>,
    /// What an empty socket says.
    empty: Option<Failure>,
    unbindable: bool,
    /// Every receive finds no route.
    always: bool,
    closed: u32,
}

impl UdpClientStack for Fake {
    type UdpSocket = ();
    type Error = Failure;

    fn socket(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    fn connect(&mut self, _socket: &mut (), _remote: SocketAddr) -> Result<(), Failure> {
        Err(Failure::Broken)
    }

    fn send(&mut self, _socket: &mut (), _buffer: &[u8]) -> nb::Result<(), Failure> {
        Err(nb::Error::Other(Failure::Broken))
    }

    fn receive(&mut self, _socket: &mut (), buffer: &mut [u8]) -> nb::Result<(usize, SocketAddr), Failure> {
        if self.always {
            return Err(nb::Error::Other(Failure::NoRoute));
        }
        let Some((bytes, from)) = self.arriving.pop_front() else {
            return Err(self.empty.take().map_or(nb::Error::WouldBlock, nb::Error::Other));
        };
        let length = bytes.len().min(buffer.len());
        buffer[..length].copy_from_slice(&bytes[..length]);
        Ok((length, from))
    }

    fn close(&mut self, _socket: ()) -> Result<(), Failure> {
        self.closed += 1;
        Ok(())
    }
}

impl UdpFullStack for Fake {
    fn bind(&mut self, _socket: &mut (), _local_port: u16) -> Result<(), Failure> {
        if self.unbindable { Err(Failure::Broken) } else { Ok(()) }
    }

    fn send_to(&mut self, _socket: &mut (), remote: SocketAddr, buffer: &[u8]) -> nb::Result<(), Failure> {
        if let Some(failure) = self.send.pop_front() {
            return Err(failure);
        }
        self.sent.push((buffer.to_vec(), remote));
        Ok(())
    }
}

fn classify(operation: Operation, failure: &Failure) -> Fault {
    match (operation, failure) {
        (Operation::Receive, Failure::Empty) | (Operation::Send, Failure::NoRoom) => Fault::WouldBlock,
        (_, Failure::Broken) => Fault::Dead,
        (Operation::Receive, Failure::TooLarge) => Fault::Datagram(FlowError::TooLarge),
        _ => Fault::Datagram(FlowError::Unreachable),
    }
}

fn adapter() -> Adapter<Echo, Fake> {
    Adapter::new(Echo::default(), ()).classified_by(classify)
}

fn peer(n: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 5060 + n))
}

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

/// Polls until there is nothing to do; what was said, and when to come back.
fn settle<R: Role, S: UdpFullStack>(
    adapter: &mut Adapter<R, S>,
    stack: &mut S,
    now: Instant,
) -> (Vec<R::Event>, Option<Instant>) {
    let (mut said, mut buffer) = (Vec::new(), [0; 1500]);
    for _ in 0..1000 {
        match adapter.poll(stack, now, &mut buffer).unwrap() {
            Turn::Message { event, .. } | Turn::Event(event) => said.push(event),
            Turn::Resolve { query, .. } => adapter.resolved(now, query, &[]),
            Turn::TooLarge { .. } | Turn::Again => {}
            Turn::Idle(until) => return (said, until),
        }
    }
    panic!("never idle");
}

#[test]
fn each_request_is_answered_and_told_beside_its_own_message() {
    let (mut adapter, mut stack) = (adapter(), Fake::default());
    stack.arriving.extend([(request(1), peer(1)), (request(2), peer(2))]);
    let mut buffer = [0; 1500];
    for n in 1..=2 {
        let turn = loop {
            match adapter.poll(&mut stack, at(0), &mut buffer).unwrap() {
                Turn::Again => {}
                turn => break turn,
            }
        };
        let Turn::Message { event, message, flow } = turn else { panic!() };
        assert_eq!((event, number(&message)), (Said::Request(n), n));
        assert_eq!(flow.remote.port(), 5060 + n as u16);
    }
    assert_eq!(settle(&mut adapter, &mut stack, at(0)).0, []);
    assert_eq!(stack.sent.iter().map(|(_, to)| *to).collect::<Vec<_>>(), [peer(1), peer(2)]);
}

#[test]
fn a_full_socket_defers_and_every_flow_gets_through() {
    let (mut adapter, mut stack) = (adapter(), Fake::default());
    for n in 0..10 {
        adapter.role_mut().send(peer(n), b"x");
    }
    stack
        .send
        .extend((0..9).map(|n| if n % 2 == 0 { nb::Error::WouldBlock } else { nb::Error::Other(Failure::NoRoom) }));
    stack.arriving.push_back((request(1), peer(20)));
    adapter.role_mut().timer = Some(at(5));
    // Messages and timers pass a full socket.
    let (said, until) = settle(&mut adapter, &mut stack, at(5));
    assert_eq!(said.len(), 2);
    assert!(until.is_none_or(|until| until == at(5) + Duration::from_millis(10)));
    for round in 1..10 {
        settle(&mut adapter, &mut stack, at(5 + 10 * round));
    }
    let mut sent: Vec<u16> = stack.sent.iter().map(|(_, to)| to.port() - 5060).collect();
    sent.sort_unstable();
    assert_eq!(sent, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 20]);
    assert!(adapter.statistics().sends_deferred >= 9);
    assert_eq!(settle(&mut adapter, &mut stack, at(1000)).1, None);
}

#[test]
fn while_the_socket_is_full_idle_names_the_next_try() {
    let (mut adapter, mut stack) = (adapter(), Fake::default());
    adapter.role_mut().send(peer(0), b"x");
    stack.send.push_back(nb::Error::WouldBlock);
    assert_eq!(settle(&mut adapter, &mut stack, at(100)).1, Some(at(110)));
    assert_eq!(settle(&mut adapter, &mut stack, at(110)).1, None);
    assert_eq!(stack.sent.len(), 1);
}

#[test]
fn errors_mean_what_the_application_says() {
    let (mut adapter, mut stack) = (adapter(), Fake::default());
    stack.empty = Some(Failure::Empty);
    assert_eq!(settle(&mut adapter, &mut stack, at(0)).0, []);
    assert_eq!(adapter.statistics().receive_errors, 0);
    stack.empty = Some(Failure::NoRoute);
    assert_eq!(settle(&mut adapter, &mut stack, at(0)).0, []);
    assert_eq!(adapter.statistics().receive_errors, 1);
    stack.always = true;
    let (said, until) = settle(&mut adapter, &mut stack, at(0));
    assert_eq!((said, until), (vec![], Some(at(10))), "a stack that fails for good lets its application sleep");
    stack.always = false;
    assert_eq!(settle(&mut adapter, &mut stack, at(10)).1, None);
    adapter.role_mut().send(peer(0), b"x");
    stack.send.push_back(nb::Error::Other(Failure::NoRoute));
    let lost = Said::Lost(Flow::udp(Address::from(peer(0))), FlowError::Unreachable);
    assert_eq!(settle(&mut adapter, &mut stack, at(0)).0, [lost]);
    stack.empty = Some(Failure::Broken);
    assert_eq!(adapter.poll(&mut stack, at(0), &mut [0; 100]).err(), Some(Failure::Broken));
}

#[test]
fn unclassified_errors_end_nothing() {
    let (mut adapter, mut stack) = (Adapter::new(Echo::default(), ()), Fake::default());
    stack.empty = Some(Failure::Broken);
    adapter.role_mut().send(peer(0), b"x");
    stack.send.push_back(nb::Error::Other(Failure::Broken));
    let lost = Said::Lost(Flow::udp(Address::from(peer(0))), FlowError::Other);
    assert_eq!(settle(&mut adapter, &mut stack, at(0)).0, [lost]);
}

#[test]
fn garbage_is_counted() {
    let (mut adapter, mut stack) = (adapter(), Fake::default());
    for kind in [&b""[..], b"\r\n\r\n", b"\x00\x01", b"garbage", &[b'a'; 1500], &[b'a'; 1499]] {
        stack.arriving.push_back((kind.to_vec(), peer(0)));
    }
    assert_eq!(settle(&mut adapter, &mut stack, at(0)).0, []);
    let counted = adapter.statistics();
    assert_eq!((counted.datagrams_in, counted.keep_alives, counted.not_sip), (6, 2, 1));
    assert_eq!((counted.malformed, counted.truncated), (2, 1));
}

#[test]
fn literals_have_an_address_and_names_none_without_a_resolver() {
    let (mut adapter, mut stack) = (adapter(), Fake::default());
    let cases = [
        ("192.0.2.1", Transport::None, false, 1),
        ("[2001:db8::1]", Transport::Udp, false, 1),
        ("example.com", Transport::None, false, 0),
        ("192.0.2.1", Transport::Tls, false, 0),
        ("192.0.2.1", Transport::None, true, 0),
    ];
    for (host, transport, secure, found) in cases {
        adapter.role_mut().ask(7, host, transport, secure);
        assert_eq!(settle(&mut adapter, &mut stack, at(0)).0, [Said::Found(Ticket::new(7), found)], "{host}");
    }
}

#[test]
fn without_tcp_only_datagram_flows_connect() {
    let (mut adapter, mut stack) = (adapter(), Fake::default());
    for transport in [Transport::Tcp, Transport::Tls] {
        adapter.role_mut().connect(8, peer(0), transport);
        let refused = Said::NoConnection(Ticket::new(8), FlowError::Unsupported);
        assert_eq!(settle(&mut adapter, &mut stack, at(0)).0, [refused]);
    }
    adapter.role_mut().connect(8, peer(0), Transport::Udp);
    let connected = Said::Connected(Ticket::new(8), Flow::udp(peer(0).into()));
    assert_eq!(settle(&mut adapter, &mut stack, at(0)).0, [connected]);
}

#[test]
fn a_name_is_the_applications_to_resolve() {
    let (mut adapter, mut stack) = (adapter(), Fake::default());
    adapter.role_mut().ask(7, "sip.example.com", Transport::None, false);
    let mut buffer = [0; 1500];
    let Ok(Turn::Resolve { query, host }) = adapter.poll(&mut stack, at(0), &mut buffer) else { panic!() };
    assert_eq!(
        (query, host),
        (Query { ticket: Ticket::new(7), port: 5060, transport: Transport::Udp }, "sip.example.com")
    );
    // Other work goes on meanwhile.
    adapter.role_mut().send(peer(0), b"x");
    assert_eq!(settle(&mut adapter, &mut stack, at(0)).0, []);
    assert_eq!(stack.sent.len(), 1);
    let found: Vec<IpAddr> = (1..=9).map(|n| IpAddr::from([192, 0, 2, n])).collect();
    adapter.resolved(at(9), query, &found);
    assert_eq!(settle(&mut adapter, &mut stack, at(9)).0, [Said::Found(Ticket::new(7), 4)]);
    let first = Target { address: peer(0).into(), transport: Transport::Udp };
    assert_eq!(adapter.role().targets[0], first);
    // A name that the buffer can't hold has no address.
    adapter.role_mut().ask(7, "sip.example.com", Transport::None, false);
    let mut small = [0; 14];
    let turn = adapter.poll(&mut stack, at(9), &mut small);
    assert!(matches!(turn, Ok(Turn::Event(Said::Found(_, 0)))));
}

#[test]
fn a_datagram_that_fills_the_buffer_is_told_so_that_the_next_one_can_be_larger() {
    let (mut adapter, mut stack) = (adapter(), Fake::default());
    let request = request(1);
    for _ in 0..2 {
        stack.arriving.push_back((request.clone(), peer(3)));
    }
    let mut buffer = vec![0; request.len()];
    let Ok(Turn::TooLarge { flow }) = adapter.poll(&mut stack, at(0), &mut buffer) else { panic!() };
    assert_eq!(flow, Flow::udp(peer(3).into()));
    buffer.push(0);
    assert!(matches!(adapter.poll(&mut stack, at(0), &mut buffer), Ok(Turn::Message { event: Said::Request(1), .. })));
}

#[test]
fn a_datagram_that_the_stack_finds_too_large_is_told_too() {
    let (mut adapter, mut stack) = (adapter(), Fake::default());
    stack.empty = Some(Failure::TooLarge);
    let mut buffer = [0; 100];
    let Ok(Turn::TooLarge { flow }) = adapter.poll(&mut stack, at(0), &mut buffer) else { panic!() };
    assert!(flow.is_none());
    assert!(matches!(adapter.poll(&mut stack, at(0), &mut buffer), Ok(Turn::Idle(None))));
    let counted = adapter.statistics();
    assert_eq!((counted.truncated, counted.receive_errors, counted.datagrams_in), (1, 0, 0));
}

#[test]
fn no_buffer_is_too_small_to_go_on() {
    let request = request(1);
    for size in 0..=request.len() {
        let (mut adapter, mut stack) = (adapter(), Fake::default());
        stack.arriving.extend([(request.clone(), peer(1)), (vec![], peer(1)), (request.clone(), peer(2))]);
        adapter.role_mut().ask(7, "sip.example.com", Transport::None, false);
        adapter.role_mut().timer = Some(at(0));
        adapter.role_mut().send(peer(3), b"x");
        let (mut said, mut buffer, mut too_large) = (vec![], vec![0; size], 0);
        let turns = (0..30).find(|_| match adapter.poll(&mut stack, at(0), &mut buffer).unwrap() {
            Turn::Message { event, .. } | Turn::Event(event) => {
                said.push(event);
                false
            }
            Turn::Resolve { query, .. } => {
                adapter.resolved(at(0), query, &[]);
                false
            }
            Turn::TooLarge { .. } => {
                too_large += 1;
                false
            }
            Turn::Again => false,
            Turn::Idle(until) => until.is_none(),
        });
        assert!(turns.is_some(), "never idle with {size}");
        said.sort_by_key(|said| format!("{said:?}"));
        assert_eq!(said, [Said::Found(Ticket::new(7), 0), Said::Timer], "{size}");
        // No datagram fits, nor does one whose end can't be told from its loss.
        let counted = adapter.statistics();
        assert_eq!((too_large, counted.malformed), (if size == 0 { 0 } else { 2 }, 0), "{size}");
        assert_eq!(stack.sent.len(), 1, "{size}");
    }
}

#[test]
fn a_clock_that_jumps_ahead_fires_each_timer_once_and_one_that_stands_none() {
    let (mut adapter, mut stack) = (adapter(), Fake::default());
    adapter.role_mut().timer = Some(at(1000));
    for now in [0, 0, 999, 500, 999] {
        assert_eq!(settle(&mut adapter, &mut stack, at(now)), (vec![], Some(at(1000))), "{now}");
    }
    assert_eq!(settle(&mut adapter, &mut stack, at(u64::MAX / 2)), (vec![Said::Timer], None));
    assert_eq!(settle(&mut adapter, &mut stack, at(u64::MAX / 2)), (vec![], None));
}

#[test]
fn an_ipv4_peer_has_one_address() {
    let (mut adapter, mut stack) = (adapter(), Fake::default());
    stack.arriving.push_back((request(1), "[::ffff:192.0.2.1]:5060".parse().unwrap()));
    let mut buffer = [0; 1500];
    let Ok(Turn::Message { flow, .. }) = adapter.poll(&mut stack, at(0), &mut buffer) else { panic!() };
    assert_eq!(flow, Flow::udp(peer(0).into()));
}

#[test]
fn a_socket_that_can_not_be_bound_is_closed() {
    let mut stack = Fake { unbindable: true, ..Fake::default() };
    assert_eq!(Adapter::bind(Echo::default(), &mut stack, 5060).err(), Some(Failure::Broken));
    assert_eq!(stack.closed, 1);
}

#[test]
fn a_role_can_be_borrowed() {
    let mut role = Echo::default();
    let mut stack = Fake::default();
    let mut adapter = Adapter::new(&mut role, ());
    adapter.role_mut().timer = Some(at(3));
    assert_eq!(settle(&mut adapter, &mut stack, at(2)), (vec![], Some(at(3))));
    assert_eq!(settle(&mut adapter, &mut stack, at(3)), (vec![Said::Timer], None));
}

#[test]
fn it_talks_over_the_sockets_of_the_host() {
    let mut stack = std_embedded_nal::Stack;
    // That stack binds IPv6 sockets; a host without IPv6 has nothing to test.
    let Ok(mut adapter) = Adapter::bind(Echo::default(), &mut stack, 0) else { return };
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.set_read_timeout(Some(core::time::Duration::from_secs(5))).unwrap();
    adapter.role_mut().send(peer.local_addr().unwrap(), &request(1));
    settle(&mut adapter, &mut stack, at(0));
    let mut buffer = [0; 1500];
    let (length, from) = peer.recv_from(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], &request(1));
    peer.send_to(&request(2), from).unwrap();
    let mut said = Vec::new();
    for n in 0..5000 {
        said.extend(settle(&mut adapter, &mut stack, at(n)).0);
        if !said.is_empty() {
            break;
        }
        std::thread::yield_now();
    }
    assert_eq!(said, [Said::Request(2)]);
    let (length, _) = peer.recv_from(&mut buffer).unwrap();
    assert!(buffer[..length].starts_with(b"SIP/2.0 200 OK"));
}

#[test]
fn two_adapters_share_a_stack_but_not_a_port() {
    let mut stack = std_embedded_nal::Stack;
    let ports = [free_port(), free_port()];
    let mut bind = |port| Adapter::bind(Echo::default(), &mut stack, port);
    // A host without IPv6 has nothing to test.
    let (Ok(mut asking), Ok(mut answering)) = (bind(ports[0]), bind(ports[1])) else { return };
    assert!(bind(ports[0]).is_err());
    asking.role_mut().send(SocketAddr::from(([127, 0, 0, 1], ports[1])), &request(5));
    let (mut asked, mut answered) = (Vec::new(), Vec::new());
    for n in 0..5000 {
        answered.extend(settle(&mut asking, &mut stack, at(n)).0);
        asked.extend(settle(&mut answering, &mut stack, at(n)).0);
        if !answered.is_empty() {
            break;
        }
        std::thread::yield_now();
    }
    assert_eq!((asked, answered), (vec![Said::Request(5)], vec![Said::Response(5)]));
}
