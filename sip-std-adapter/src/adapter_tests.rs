//! Two adapters, or one and a plain socket, over 127.0.0.1.

use super::*;
use crate::echo::{Echo, Said, number, request};
use core::time::Duration;
use sip_core::transport::{Address, FlowError, Ticket, Transport};
use std::collections::HashSet;
use std::io::ErrorKind;
use std::net::UdpSocket;
use std::sync::Mutex;
use std::thread;

pub(super) const LOCAL: &str = "127.0.0.1:0";
/// Where ports are closed: no other test takes one there meanwhile.
#[cfg(any(target_os = "linux", target_os = "android"))]
const ELSEWHERE: &str = "127.0.0.9:0";
pub(super) const TICKET: Ticket = Ticket::new(7);

pub(super) fn adapter() -> Adapter<Echo> {
    Adapter::bind(Echo::default(), LOCAL.parse().unwrap()).unwrap()
}

fn peer() -> UdpSocket {
    let peer = UdpSocket::bind(LOCAL).unwrap();
    peer.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    peer
}

/// Drives one adapter until it says something; panics after five seconds of silence.
pub(super) fn next(adapter: &mut Adapter<Echo>) -> Said {
    let mut buffer = vec![0; 65_536];
    let end = adapter.now() + sip_core::time::Duration::from_secs(5);
    loop {
        match adapter.poll(&mut buffer).unwrap() {
            Turn::Message { event, message, .. } => {
                assert!(matches!(event, Said::Request(n) | Said::Response(n) if n == number(&message)), "{event:?}");
                return event;
            }
            Turn::Event(event) => return event,
            Turn::Again | Turn::Deadline(_) | Turn::Woken => {}
            Turn::Idle(until) => adapter.wait(Some(until.unwrap_or(end).min(end))).unwrap(),
        }
        assert!(adapter.now() < end, "silence: {:?}", adapter.statistics());
    }
}

/// Drives one adapter until there is nothing to do.
pub(super) fn settle(adapter: &mut Adapter<Echo>) {
    let mut buffer = vec![0; 65_536];
    loop {
        match adapter.poll(&mut buffer).unwrap() {
            Turn::Again => {}
            Turn::Idle(_) => return,
            Turn::Event(event) | Turn::Message { event, .. } => panic!("{event:?}"),
            Turn::Deadline(_) | Turn::Woken => panic!("nobody asked for it"),
        }
    }
}

#[test]
fn a_request_is_answered() {
    let (mut one, mut two) = (adapter(), adapter());
    let to = two.local_addr();
    one.role_mut().send(to, &request(1));
    settle(&mut one);
    assert_eq!(next(&mut two), Said::Request(1));
    settle(&mut two);
    assert_eq!(next(&mut one), Said::Response(1));
    let (one, two) = (one.statistics(), two.statistics());
    assert_eq!((one.datagrams_out, one.datagrams_in, two.datagrams_out, two.datagrams_in), (1, 1, 1, 1));
}

#[test]
fn a_request_is_answered_over_ipv6() {
    let bind = || Adapter::bind(Echo::default(), "[::1]:0".parse().unwrap());
    // A host without IPv6 has nothing to test.
    let (Ok(mut one), Ok(mut two)) = (bind(), bind()) else { return };
    let to = two.local_addr();
    one.role_mut().send(to, &request(1));
    settle(&mut one);
    assert_eq!(next(&mut two), Said::Request(1));
    settle(&mut two);
    assert_eq!(next(&mut one), Said::Response(1));
}

#[test]
fn each_event_comes_beside_its_own_message() {
    let (mut adapter, peer) = (adapter(), peer());
    for n in 1..=20 {
        peer.send_to(&request(n), adapter.local_addr()).unwrap();
    }
    for n in 1..=20 {
        assert_eq!(next(&mut adapter), Said::Request(n));
    }
    settle(&mut adapter);
    assert_eq!(adapter.statistics().datagrams_out, 20);
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn a_closed_port_is_noticed_at_once() {
    for (local, free) in [(LOCAL, ELSEWHERE), ("[::1]:0", "[::1]:0")] {
        let adapter = Adapter::bind(Echo::default(), local.parse().unwrap());
        let gone = UdpSocket::bind(free).and_then(|socket| socket.local_addr());
        let (Ok(mut adapter), Ok(gone)) = (adapter, gone) else { continue };
        adapter.role_mut().send(gone, &request(1));
        let lost = Said::Lost(Flow::udp(Address::from(gone)), FlowError::Refused);
        assert_eq!(next(&mut adapter), lost);
        assert_eq!(adapter.statistics().unreachable, 1);
        // Nor does the report end anything for others.
        let to = adapter.local_addr();
        adapter.role_mut().send(to, &request(2));
        assert_eq!(next(&mut adapter), Said::Request(2));
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn each_of_many_closed_ports_is_told_by_its_address() {
    let mut adapter = adapter();
    let peers: Vec<UdpSocket> = (0..100).map(|_| UdpSocket::bind(ELSEWHERE).unwrap()).collect();
    let gone: Vec<SocketAddr> = peers.iter().map(|peer| peer.local_addr().unwrap()).collect();
    drop(peers);
    for to in &gone {
        adapter.role_mut().send(*to, &request(1));
    }
    let mut lost = HashSet::new();
    while lost.len() < gone.len() {
        let Said::Lost(flow, FlowError::Refused) = next(&mut adapter) else { panic!() };
        lost.insert(flow);
    }
    assert!(gone.iter().all(|to| lost.contains(&Flow::udp(Address::from(*to)))));
}

#[test]
fn what_finds_the_socket_full_is_deferred_and_sent_later() {
    let (mut adapter, peers) = (adapter(), [peer(), peer(), peer()]);
    for (n, peer) in (1..).zip(&peers) {
        let to = peer.local_addr().unwrap();
        adapter.role_mut().send(to, &request(n));
    }
    adapter.role_mut().timer = Some(Instant::ZERO);
    adapter.network.sockets.udp(0).full_for = 5;
    // No event waits behind the full socket.
    assert_eq!(next(&mut adapter), Said::Timer);
    assert_eq!(adapter.statistics().sends_deferred, 3);
    assert!(adapter.network.sockets.is_blocked());
    settle(&mut adapter);
    assert_eq!((adapter.statistics().sends_deferred, adapter.statistics().datagrams_out), (5, 1));
    adapter.wait(None).unwrap();
    settle(&mut adapter);
    assert_eq!(adapter.statistics().datagrams_out, 3);
    let mut buffer = [0; 2000];
    for peer in &peers {
        assert!(peer.recv(&mut buffer).unwrap() > 0);
    }
    // The notice of room is off again: nothing ends this wait before its time.
    settle(&mut adapter);
    let until = adapter.now() + sip_core::time::Duration::from_millis(30);
    adapter.wait(Some(until)).unwrap();
    assert!(adapter.now() >= until);
}

#[test]
fn a_send_that_fails_is_told() {
    let mut adapter = adapter();
    let elsewhere: SocketAddr = "[::1]:5060".parse().unwrap();
    adapter.role_mut().send(elsewhere, b"x");
    assert_eq!(next(&mut adapter), Said::Lost(Flow::udp(Address::from(elsewhere)), FlowError::Unreachable));
    let to = adapter.local_addr();
    adapter.role_mut().send(to, &[b'x'; 65_535]);
    assert_eq!(next(&mut adapter), Said::Lost(Flow::udp(Address::from(to)), FlowError::TooLarge));
    let stream = Flow { transport: Transport::Tcp, connection: 1, ..Flow::udp(Address::from(to)) };
    adapter.role_mut().send_on(stream, b"x");
    assert_eq!(next(&mut adapter), Said::Lost(stream, FlowError::Closed));
    assert_eq!(adapter.statistics().sends_failed, 3);
}

#[test]
fn a_transport_that_is_not_carried_fails_and_datagrams_need_no_connection() {
    let mut adapter = Adapter::bind_udp(Echo::default(), LOCAL.parse().unwrap()).unwrap();
    let to = "192.0.2.1:5060".parse().unwrap();
    for transport in [Transport::Tcp, Transport::Tls] {
        adapter.role_mut().connect(7, to, transport);
        assert_eq!(next(&mut adapter), Said::NoConnection(TICKET, FlowError::Unsupported));
        adapter.role_mut().ask(7, "192.0.2.1", transport, false);
        assert_eq!(next(&mut adapter), Said::Found(TICKET, 0));
    }
    // Nothing is there to be closed.
    adapter.role_mut().close(Flow::udp(to.into()));
    adapter.role_mut().connect(7, to, Transport::Udp);
    assert_eq!(next(&mut adapter), Said::Connected(TICKET, Flow::udp(to.into())));
}

#[test]
fn names_and_literals_are_resolved() {
    let mut adapter = adapter();
    let cases = [
        ("192.0.2.1", Transport::None, false, Some("192.0.2.1:5060")),
        ("192.0.2.1", Transport::Udp, false, Some("192.0.2.1:5060")),
        ("localhost", Transport::None, false, Some("127.0.0.1:5060")),
        ("2001:db8::1", Transport::None, false, None),
        ("192.0.2.1", Transport::Tcp, false, Some("192.0.2.1:5060")),
        ("localhost", Transport::Tcp, false, Some("127.0.0.1:5060")),
        ("192.0.2.1", Transport::Tls, false, None),
        ("192.0.2.1", Transport::None, true, None),
        ("no\0name", Transport::None, false, None),
        ("name.invalid", Transport::None, false, None),
        ("", Transport::None, false, None),
    ];
    for (host, transport, secure, expected) in cases {
        adapter.role_mut().ask(7, host, transport, secure);
        let Said::Found(TICKET, _) = next(&mut adapter) else { panic!("{host}") };
        let found: Vec<_> = adapter.role().targets.iter().map(|target| target.address.to_string()).collect();
        assert_eq!(found, expected.iter().map(ToString::to_string).collect::<Vec<_>>(), "{host}");
        let wanted = if transport == Transport::None { Transport::Udp } else { transport };
        assert!(adapter.role().targets.iter().all(|target| target.transport == wanted), "{host}");
    }
}

#[test]
fn an_ipv6_literal_is_resolved_with_or_without_brackets() {
    let Ok(mut adapter) = Adapter::bind(Echo::default(), "[::1]:0".parse().unwrap()) else { return };
    for host in ["2001:db8::1", "[2001:db8::1]"] {
        adapter.role_mut().ask(7, host, Transport::None, false);
        assert_eq!(next(&mut adapter), Said::Found(TICKET, 1));
        assert_eq!(adapter.role().targets[0].address.to_string(), "[2001:db8::1]:5060");
    }
}

#[test]
fn more_names_than_can_be_looked_up_are_answered_with_none() {
    let mut adapter = adapter();
    for ticket in 0..400 {
        adapter.role_mut().ask(ticket, "localhost", Transport::None, false);
    }
    let mut seen = HashSet::new();
    while seen.len() < 400 {
        let Said::Found(ticket, _) = next(&mut adapter) else { panic!() };
        assert!(seen.insert(ticket));
    }
}

#[test]
fn garbage_is_counted_and_nothing_else_suffers() {
    let (mut adapter, peer) = (adapter(), peer());
    let to = adapter.local_addr();
    let kinds: [&[u8]; 7] =
        [b"", b"\r\n\r\n", b"\x00\x01\x00\x00", b"\x03", b"\xff\xfe\xfd garbage", b"INVITE", &[b'a'; 9000]];
    for round in 1..=50 {
        for kind in kinds {
            peer.send_to(kind, to).unwrap();
        }
        peer.send_to(&request(round), to).unwrap();
        assert_eq!(next(&mut adapter), Said::Request(round));
    }
    let counted = adapter.statistics();
    assert_eq!((counted.datagrams_in, counted.keep_alives, counted.not_sip), (400, 100, 100));
    assert_eq!((counted.malformed, adapter.role().malformed), (150, 150));
}

#[test]
fn a_stray_is_counted() {
    let (mut adapter, peer) = (adapter(), peer());
    let mut stray = b"SIP/2.0 200 OK".to_vec();
    stray.extend_from_slice(&request(0)[35..]);
    peer.send_to(&stray, adapter.local_addr()).unwrap();
    peer.send_to(&request(1), adapter.local_addr()).unwrap();
    assert_eq!(next(&mut adapter), Said::Request(1));
    assert_eq!(adapter.statistics().strays, 1);
}

#[test]
fn a_datagram_that_fills_the_buffer_is_dropped() {
    let (mut adapter, peer) = (adapter(), peer());
    let message = request(1);
    for (length, truncated) in [(message.len() - 1, true), (message.len(), true), (message.len() + 1, false)] {
        peer.send_to(&message, adapter.local_addr()).unwrap();
        adapter.wait(None).unwrap();
        let before = adapter.statistics().truncated;
        let mut buffer = vec![0; length];
        let end = adapter.now() + sip_core::time::Duration::from_secs(5);
        let heard = loop {
            match adapter.poll(&mut buffer).unwrap() {
                Turn::Message { .. } => break true,
                _ if adapter.statistics().truncated > before => break false,
                _ => assert!(adapter.now() < end),
            }
        };
        assert_eq!(heard, !truncated, "{length}");
    }
}

#[test]
fn a_timer_fires_and_not_early() {
    let mut adapter = adapter();
    let due = adapter.now() + sip_core::time::Duration::from_millis(40);
    adapter.role_mut().timer = Some(due);
    let mut buffer = [0; 100];
    assert!(matches!(adapter.poll(&mut buffer).unwrap(), Turn::Idle(Some(until)) if until == due));
    assert_eq!(next(&mut adapter), Said::Timer);
    assert!(adapter.now() >= due);
}

#[test]
fn timers_close_to_each_other_are_one_wake_up_and_deadlines_are_exact() {
    let mut adapter = adapter();
    let mut buffer = [0; 100];
    let soon = adapter.now() + sip_core::time::Duration::from_millis(1);
    adapter.role_mut().timer = Some(soon);
    match adapter.poll(&mut buffer).unwrap() {
        Turn::Idle(Some(until)) => assert!(until > soon && until <= adapter.now() + SLACK, "{soon:?} {until:?}"),
        turn => assert!(matches!(turn, Turn::Event(Said::Timer)) || adapter.now() >= soon),
    }
    adapter.role_mut().timer = None;
    let at = adapter.now() + sip_core::time::Duration::from_millis(30);
    adapter.set_deadline(1, at);
    assert!(matches!(adapter.poll(&mut buffer).unwrap(), Turn::Idle(Some(until)) if until == at));
}

#[test]
fn a_touched_role_is_not_slept_over() {
    let (mut adapter, peer) = (adapter(), peer());
    settle(&mut adapter);
    let to = peer.local_addr().unwrap();
    adapter.with(|role, _now| role.send(to, b"x"));
    adapter.wait(None).unwrap();
    settle(&mut adapter);
    assert_eq!(adapter.statistics().datagrams_out, 1);
}

#[test]
fn a_wake_up_ends_the_wait_and_is_told_once() {
    let mut adapter = adapter();
    let waker = adapter.waker();
    let mut buffer = [0; 2000];
    // Given before the wait.
    settle(&mut adapter);
    waker.wake().unwrap();
    waker.wake().unwrap();
    adapter.wait(None).unwrap();
    assert!(matches!(adapter.poll(&mut buffer).unwrap(), Turn::Woken));
    settle(&mut adapter);
    // Given during the run.
    let thread = thread::spawn(move || {
        thread::sleep(Duration::from_millis(20));
        waker.wake().unwrap();
    });
    let woken = adapter.run(&mut buffer, |_, turn| ControlFlow::Break(matches!(turn, Turn::Woken)));
    assert!(woken.unwrap());
    thread.join().unwrap();
}

#[test]
fn commands_come_from_other_threads() {
    let mut adapter = adapter();
    let (commander, commands) = adapter.commands();
    let threads = [1, 2, 3].map(|number| {
        let commander = commander.clone();
        thread::spawn(move || commander.send(number).unwrap())
    });
    let mut taken = Vec::new();
    let mut buffer = [0; 2000];
    adapter
        .run(&mut buffer, |_, turn| {
            assert!(matches!(turn, Turn::Woken));
            taken.extend(commands.try_iter());
            if taken.len() < 3 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })
        .unwrap();
    for thread in threads {
        thread.join().unwrap();
    }
    taken.sort_unstable();
    assert_eq!(taken, [1, 2, 3]);
    drop(commands);
    assert_eq!(commander.send(4).unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[test]
fn deadlines_come_in_their_order_and_starve_nobody() {
    let (mut adapter, peer) = (adapter(), peer());
    let now = adapter.now();
    let after = |millis| now + sip_core::time::Duration::from_millis(millis);
    // 4 is moved behind all others, 5 is taken back.
    for (token, millis) in [(1, 30), (2, 10), (3, 20), (4, 5), (5, 6)] {
        adapter.set_deadline(token, after(millis));
    }
    adapter.set_deadline(4, after(40));
    adapter.clear_deadline(5);
    let mut buffer = [0; 2000];
    let mut told = Vec::new();
    adapter
        .run(&mut buffer, |adapter, turn| {
            let Turn::Deadline(token) = turn else { panic!("something else") };
            told.push((token, adapter.now() >= after([30, 10, 20, 40][token as usize - 1])));
            if token == 4 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
    assert_eq!(told, [2, 3, 1, 4].map(|token| (token, true)));
    // One that is always due lets the network have its turn.
    adapter.set_deadline(1, Instant::ZERO);
    peer.send_to(&request(3), adapter.local_addr()).unwrap();
    let end = adapter.now() + sip_core::time::Duration::from_secs(5);
    let heard = adapter.run(&mut buffer, |adapter, turn| {
        assert!(adapter.now() < end, "starved");
        adapter.set_deadline(1, Instant::ZERO);
        turn.event().map_or(ControlFlow::Continue(()), ControlFlow::Break)
    });
    assert_eq!(heard.unwrap(), Said::Request(3));
}

#[test]
fn run_hands_over_messages_and_events() {
    let (mut adapter, peer) = (adapter(), peer());
    peer.send_to(&request(3), adapter.local_addr()).unwrap();
    let mut buffer = [0; 2000];
    let mut seen = Vec::new();
    let sum = adapter.run(&mut buffer, |adapter, turn| {
        let Some(event) = turn.event() else { panic!("neither") };
        seen.push((event, turn.message().map(number)));
        adapter.with(|role, now| role.timer = Some(now + sip_core::time::Duration::from_millis(5)));
        if event == Said::Timer { ControlFlow::Break(42) } else { ControlFlow::Continue(()) }
    });
    assert_eq!(sum.unwrap(), 42);
    assert_eq!(seen, [(Said::Request(3), Some(3)), (Said::Timer, None)]);
}

#[test]
fn the_tap_sees_both_ways() {
    let (mut adapter, peer) = (adapter(), peer());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    adapter.set_tap(move |direction, local, flow, bytes, _now| {
        log.lock().unwrap().push((direction, local, flow, bytes.to_vec()));
    });
    peer.send_to(b"\r\n", adapter.local_addr()).unwrap();
    peer.send_to(&request(1), adapter.local_addr()).unwrap();
    assert_eq!(next(&mut adapter), Said::Request(1));
    settle(&mut adapter);
    let seen = seen.lock().unwrap();
    let there = Flow::udp(Address::from(peer.local_addr().unwrap()));
    assert_eq!(seen.iter().map(|(way, ..)| *way).collect::<Vec<_>>(), [Direction::In, Direction::In, Direction::Out]);
    assert!(seen.iter().all(|(_, local, flow, _)| *local == adapter.local_addr() && *flow == there));
    assert_eq!(seen[1].3, request(1));
    assert!(seen[2].3.starts_with(b"SIP/2.0 200 OK"));
}

#[test]
fn an_adapter_moves_to_another_thread() {
    let mut adapter = adapter();
    adapter.set_tap(|_, _, _, _, _| {});
    thread::spawn(move || settle(&mut adapter)).join().unwrap();
}

#[test]
fn two_seeds_differ() {
    assert_ne!(crate::seed().unwrap(), crate::seed().unwrap());
}
