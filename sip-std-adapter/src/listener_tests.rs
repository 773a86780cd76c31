//! Several addresses at one adapter, over 127.0.0.1 and ::1.

use super::tests::{LOCAL, TICKET, adapter, next, settle};
use super::*;
use crate::echo::{Echo, Said, request};
use sip_core::transport::{Address, FlowError, Transport};
use std::collections::HashSet;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, UdpSocket};

/// An adapter that listens at two ports of 127.0.0.1 and, where the host has IPv6, at one of ::1.
fn listening() -> (Adapter<Echo>, Vec<SocketAddr>) {
    let mut adapter = adapter();
    assert_eq!(adapter.listen(LOCAL.parse().unwrap()).unwrap(), 1);
    if UdpSocket::bind("[::1]:0").is_ok() {
        assert_eq!(adapter.listen("[::1]:0".parse().unwrap()).unwrap(), 2);
    }
    let addresses: Vec<SocketAddr> = adapter.local_addrs().collect();
    assert_eq!(addresses[0], adapter.local_addr());
    (adapter, addresses)
}

fn peer(of: SocketAddr) -> UdpSocket {
    let peer = UdpSocket::bind((of.ip(), 0)).unwrap();
    peer.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    peer
}

#[test]
fn an_answer_leaves_from_where_its_request_came_in() {
    let (mut adapter, addresses) = listening();
    for (number, address) in (0..).zip(&addresses) {
        let (peer, mut buffer) = (peer(*address), [0; 2000]);
        peer.send_to(&request(7), address).unwrap();
        let mut turn = [0; 2000];
        let flow = adapter.run(&mut turn, |_, turn| match turn {
            Turn::Message { flow, .. } => ControlFlow::Break(flow),
            _ => ControlFlow::Continue(()),
        });
        let expected = Flow { listener: number, ..Flow::udp(peer.local_addr().unwrap().into()) };
        assert_eq!(flow.unwrap(), expected);
        settle(&mut adapter);
        assert_eq!(peer.recv_from(&mut buffer).unwrap().1, *address);
    }
}

#[test]
fn a_connection_knows_at_which_listener_it_began() {
    let (mut adapter, addresses) = listening();
    let mut streams = Vec::new();
    for (number, address) in (0..).zip(&addresses) {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(&request(1)).unwrap();
        let mut turn = [0; 2000];
        let flow = adapter.run(&mut turn, |_, turn| match turn {
            Turn::Message { flow, .. } => ControlFlow::Break(flow),
            _ => ControlFlow::Continue(()),
        });
        assert_eq!(flow.unwrap().listener, number);
        settle(&mut adapter);
        assert!(stream.read(&mut turn).unwrap() > 0);
        streams.push(stream);
    }
    // A connection that the role asks for begins at a listener of the target's family.
    let others = addresses.iter().map(|address| std::net::TcpListener::bind((address.ip(), 0)).unwrap());
    let others: Vec<_> = others.collect();
    for (address, other) in addresses.iter().zip(&others) {
        adapter.role_mut().connect(7, other.local_addr().unwrap(), Transport::Tcp);
        let Said::Connected(TICKET, flow) = next(&mut adapter) else { panic!("no connection") };
        assert_eq!(addresses[usize::from(flow.listener)].ip(), address.ip());
        adapter.role_mut().connect(7, other.local_addr().unwrap(), Transport::Udp);
        let Said::Connected(TICKET, datagrams) = next(&mut adapter) else { panic!("no flow") };
        assert_eq!(datagrams.listener, flow.listener);
    }
}

#[test]
fn a_connection_begins_at_the_listener_that_the_role_says() {
    let (mut adapter, addresses) = listening();
    let other = std::net::TcpListener::bind(LOCAL).unwrap();
    let to = other.local_addr().unwrap();
    let mut flows = Vec::new();
    for listener in [1, 0, 1] {
        adapter.role_mut().connect_from(7, to, Transport::Tcp, listener);
        let Said::Connected(TICKET, flow) = next(&mut adapter) else { panic!("no connection") };
        flows.push(flow);
    }
    // Who leaves it to the adapter takes the connection that is there.
    assert!(flows[0].listener == 1 && flows.iter().all(|flow| *flow == flows[0]), "{flows:?}");
    adapter.role_mut().connect_from(7, to, Transport::Udp, 1);
    assert_eq!(next(&mut adapter), Said::Connected(TICKET, Flow { listener: 1, ..Flow::udp(to.into()) }));
    if addresses.len() > 2 {
        adapter.role_mut().connect_from(7, to, Transport::Tcp, 2);
        assert_eq!(next(&mut adapter), Said::NoConnection(TICKET, FlowError::Unreachable));
    }
}

#[test]
fn limits_hold_for_connections_that_are_listened_for_later() {
    let mut adapter = Adapter::bind_udp(Echo::default(), LOCAL.parse().unwrap()).unwrap();
    adapter.limit_connections(9);
    adapter.limit_connections_of_source(1);
    adapter.limit_idle(sip_core::time::Duration::from_secs(5));
    adapter.role_mut().connect(7, "127.0.0.1:9".parse().unwrap(), Transport::Tcp);
    assert_eq!(next(&mut adapter), Said::NoConnection(TICKET, FlowError::Unsupported));
    adapter.listen(LOCAL.parse().unwrap()).unwrap();
    let tcp = adapter.network.tcp.as_ref().unwrap();
    assert_eq!((tcp.most, tcp.most_of_source, tcp.idle), (9, 1, sip_core::time::Duration::from_secs(5)));
    let to = adapter.local_addrs().nth(1).unwrap();
    let _streams = [TcpStream::connect(to).unwrap(), TcpStream::connect(to).unwrap()];
    for _ in 0..500 {
        if adapter.statistics().sources_limited == 1 {
            break;
        }
        let soon = adapter.now() + sip_core::time::Duration::from_millis(2);
        let _ = adapter.poll(&mut [0; 2000]).unwrap();
        adapter.wait(Some(soon)).unwrap();
    }
    assert_eq!((adapter.connections(), adapter.statistics().sources_limited), (1, 1));
}

#[test]
fn a_flow_of_a_listener_that_is_not_there_carries_nothing() {
    let (mut adapter, addresses) = listening();
    let flow = Flow { listener: 9, ..Flow::udp(addresses[0].into()) };
    adapter.role_mut().send_on(flow, &request(1));
    assert_eq!(next(&mut adapter), Said::Lost(flow, FlowError::Unreachable));
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn a_closed_port_is_told_with_the_listener_that_sent() {
    let (mut adapter, addresses) = listening();
    for (listener, address) in (0..).zip(&addresses) {
        let ip = if address.is_ipv4() { "127.0.0.7".parse().unwrap() } else { address.ip() };
        let gone = UdpSocket::bind((ip, 0)).unwrap().local_addr().unwrap();
        let flow = Flow { listener, ..Flow::udp(Address::from(gone)) };
        adapter.role_mut().send_on(flow, &request(1));
        assert_eq!(next(&mut adapter), Said::Lost(flow, FlowError::Refused));
    }
}

#[test]
fn one_full_socket_does_not_hold_up_the_others() {
    let (mut adapter, addresses) = listening();
    let peers = [peer(addresses[0]), peer(addresses[1])];
    adapter.network.sockets.udp(0).full_for = 1;
    for (listener, peer) in (0..).zip(&peers) {
        let flow = Flow { listener, ..Flow::udp(peer.local_addr().unwrap().into()) };
        adapter.role_mut().send_on(flow, &request(1));
    }
    settle(&mut adapter);
    assert_eq!((adapter.statistics().sends_deferred, adapter.statistics().datagrams_out), (1, 1));
    assert!(peers[1].recv(&mut [0; 2000]).is_ok());
    adapter.wait(None).unwrap();
    settle(&mut adapter);
    assert!(peers[0].recv(&mut [0; 2000]).is_ok());
}

#[test]
fn sockets_are_read_by_turns() {
    let (mut adapter, addresses) = listening();
    let peers: Vec<UdpSocket> = addresses.iter().map(|address| peer(*address)).collect();
    for (peer, address) in peers.iter().zip(&addresses) {
        for number in 1..=5 {
            peer.send_to(&request(number), address).unwrap();
        }
    }
    let seen: Vec<Said> = (0..5 * addresses.len()).map(|_| next(&mut adapter)).collect();
    let last = |number| seen.iter().rposition(|said| *said == Said::Request(number)).unwrap();
    assert!((1..5).all(|number| last(number) < last(number + 1)), "{seen:?}");
}

#[test]
fn an_address_that_is_taken_is_an_error_and_the_others_work_on() {
    let (mut adapter, addresses) = listening();
    assert_eq!(adapter.listen(addresses[1]).unwrap_err().kind(), ErrorKind::AddrInUse);
    assert_eq!(adapter.local_addrs().len(), addresses.len());
    let peer = peer(addresses[1]);
    peer.send_to(&request(4), addresses[1]).unwrap();
    assert_eq!(next(&mut adapter), Said::Request(4));
}

#[test]
fn names_of_both_families_are_of_use_where_both_are_listened_at() {
    let (mut adapter, addresses) = listening();
    if addresses.len() < 3 {
        return;
    }
    for host in ["192.0.2.1", "2001:db8::1"] {
        adapter.role_mut().ask(7, host, Transport::None, false);
        assert_eq!(next(&mut adapter), Said::Found(TICKET, 1), "{host}");
    }
}

/// Whoever opens connections by the hundred and says nothing gets as many as there may be, and what a phone sends over its own
/// is answered.
#[test]
fn idle_connections_are_bounded() {
    let (mut adapter, addresses) = listening();
    adapter.limit_connections(20);
    adapter.limit_connections_of_source(200);
    let mut phone = TcpStream::connect(addresses[0]).unwrap();
    phone.write_all(&request(1)).unwrap();
    assert_eq!(next(&mut adapter), Said::Request(1));
    settle(&mut adapter);
    let mut seen = HashSet::new();
    let strangers: Vec<TcpStream> =
        (0..100).map(|number| TcpStream::connect(addresses[number % addresses.len()]).unwrap()).collect();
    let end = adapter.now() + sip_core::time::Duration::from_secs(5);
    while adapter.statistics().connections_refused < 81 {
        settle(&mut adapter);
        seen.insert(adapter.connections());
        assert!(adapter.now() < end, "{:?}", adapter.statistics());
        adapter.wait(Some(adapter.now() + sip_core::time::Duration::from_millis(20))).unwrap();
    }
    assert!(seen.iter().all(|count| *count <= 20), "{seen:?}");
    phone.write_all(&request(2)).unwrap();
    assert_eq!(next(&mut adapter), Said::Request(2));
    drop(strangers);
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn the_wildcard_answers_from_the_address_that_was_asked() {
    let mut adapter = Adapter::bind(Echo::default(), "0.0.0.0:0".parse().unwrap()).unwrap();
    let port = adapter.local_addr().port();
    let peers = ["127.0.0.1:0", "127.0.0.9:0"].map(|address| {
        let peer = UdpSocket::bind(address).unwrap();
        peer.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        peer
    });
    for (number, last) in (1..).zip([2, 1, 3, 2]) {
        let asked = SocketAddr::from(([127, 0, 0, last], port));
        for peer in &peers {
            peer.send_to(&request(number), asked).unwrap();
            assert_eq!(next(&mut adapter), Said::Request(number));
            settle(&mut adapter);
            assert_eq!(peer.recv_from(&mut [0; 2000]).unwrap().1, asked);
        }
    }
    // What the role sends later leaves from there, too; to others the system chooses.
    adapter.role_mut().send(peers[0].local_addr().unwrap(), &request(9));
    let other = peer(SocketAddr::from(([127, 0, 0, 1], 0)));
    adapter.role_mut().send(other.local_addr().unwrap(), &request(9));
    settle(&mut adapter);
    assert_eq!(peers[0].recv_from(&mut [0; 2000]).unwrap().1, SocketAddr::from(([127, 0, 0, 2], port)));
    assert_eq!(other.recv_from(&mut [0; 2000]).unwrap().1, SocketAddr::from(([127, 0, 0, 1], port)));
    assert_eq!((adapter.statistics().sends_failed, adapter.statistics().receive_errors), (0, 0));
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn the_wildcard_of_ipv6_answers_too() {
    // A host without IPv6 has nothing to test.
    let Ok(mut adapter) = Adapter::bind(Echo::default(), "[::]:0".parse().unwrap()) else { return };
    let Ok(peer) = UdpSocket::bind("[::1]:0") else { return };
    peer.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let asked = SocketAddr::new("::1".parse().unwrap(), adapter.local_addr().port());
    peer.send_to(&request(1), asked).unwrap();
    assert_eq!(next(&mut adapter), Said::Request(1));
    settle(&mut adapter);
    assert_eq!(peer.recv_from(&mut [0; 2000]).unwrap().1, asked);
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn what_is_sent_bears_the_code_point_that_was_set() {
    use nix::sys::socket::{getsockopt, sockopt};
    use socket2::SockRef;
    let (mut adapter, addresses) = listening();
    let before = TcpStream::connect(addresses[0]).unwrap();
    while adapter.connections() < 1 {
        let _ = adapter.poll(&mut [0; 2000]).unwrap();
    }
    adapter.set_dscp(24).unwrap();
    adapter.listen(LOCAL.parse().unwrap()).unwrap();
    let after = TcpStream::connect(addresses[0]).unwrap();
    while adapter.connections() < 2 {
        let _ = adapter.poll(&mut [0; 2000]).unwrap();
    }
    for (number, address) in adapter.local_addrs().collect::<Vec<_>>().into_iter().enumerate() {
        let socket = &adapter.network.sockets.udp(number).socket;
        match address.is_ipv4() {
            true => assert_eq!(SockRef::from(socket).tos_v4().unwrap(), 24 << 2),
            false => assert_eq!(getsockopt(socket, sockopt::Ipv6TClass).unwrap(), 24 << 2),
        }
    }
    let tcp = adapter.network.tcp.as_mut().unwrap();
    for connection in tcp.connections.values_mut() {
        assert_eq!(SockRef::from(&*connection.stream.socket()).tos_v4().unwrap(), 24 << 2);
    }
    drop((before, after));
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn several_adapters_share_a_port_and_each_peer_has_one_of_them() {
    let mut one = Adapter::bind_shared(Echo::default(), LOCAL.parse().unwrap()).unwrap();
    let address = one.local_addr();
    let mut two = Adapter::bind_shared(Echo::default(), address).unwrap();
    assert_eq!(Adapter::bind(Echo::default(), address).err().unwrap().kind(), ErrorKind::AddrInUse);
    let peers: Vec<_> = (0..32).map(|_| peer(address)).collect();
    let streams: Vec<_> = (0..32).map(|_| TcpStream::connect(address).unwrap()).collect();
    for _ in 0..2 {
        for peer in &peers {
            peer.send_to(&request(1), address).unwrap();
        }
    }
    let end = one.now() + sip_core::time::Duration::from_secs(5);
    let done = |one: &Adapter<Echo>, two: &Adapter<Echo>| {
        let (one, two) = (one.statistics(), two.statistics());
        one.datagrams_out + two.datagrams_out == 64 && one.connections_accepted + two.connections_accepted == 32
    };
    while !done(&one, &two) {
        for adapter in [&mut one, &mut two] {
            let _ = adapter.poll(&mut [0; 2000]).unwrap();
        }
        assert!(one.now() < end, "{:?} {:?}", one.statistics(), two.statistics());
    }
    for adapter in [&one, &two] {
        // Who asks twice asks the same.
        let counted = adapter.statistics();
        assert!(counted.datagrams_in > 0 && counted.datagrams_in % 2 == 0 && counted.connections_accepted > 0);
    }
    drop(streams);
}
