//! WebSockets over 127.0.0.1: two adapters, or one and a peer that writes octets. Not here: who breaks the rules or
//! stands still (`hostile_tests.rs`), and what takes long, whose time is given in `tcp_tests.rs`.

use super::*;
use crate::driven::{next, step, step_into};
use crate::echo::{Echo, Said, request};
use crate::{Adapter, Turn};
use core::net::SocketAddr;
use core::time::Duration;
use sip_core::transport::{Flow, FlowError, Ticket, Transport};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

const LOCAL: &str = "127.0.0.1:0";
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

fn adapter() -> Adapter<Echo> {
    Adapter::bind(Echo::default(), LOCAL.parse().unwrap()).unwrap()
}

/// An adapter that listens for WebSockets too, and where.
pub(super) fn server(ws: &WsServer) -> (Adapter<Echo>, SocketAddr) {
    let mut adapter = adapter();
    let number = adapter.listen_ws(LOCAL.parse().unwrap(), ws).unwrap();
    let address = adapter.local_addrs().nth(usize::from(number)).unwrap();
    (adapter, address)
}

/// Drives one until it says something.
pub(super) fn alone(one: &mut Adapter<Echo>) -> Said {
    (0..2000).find_map(|_| step(one)).unwrap_or_else(|| panic!("silence: {:?}", one.statistics()))
}

/// Has `one` ask for a WebSocket to `two`; gives what becomes of it.
fn connect(
    one: &mut Adapter<Echo>,
    two: &mut Adapter<Echo>,
    to: SocketAddr,
    transport: Transport,
) -> Result<Flow, FlowError> {
    one.role_mut().connect_to(7, to, transport, "sip.example.com");
    match next(one, two) {
        Said::Connected(ticket, flow) if ticket == Ticket::new(7) => Ok(flow),
        Said::NoConnection(_, error) => Err(error),
        said => panic!("{said:?}"),
    }
}

fn get(change: impl FnOnce(&mut String)) -> Vec<u8> {
    let mut text = format!(
        "GET /sip HTTP/1.1\r\nHost: sip.example.com\r\nConnection: keep-alive, Upgrade\r\nUpgrade: \
         WebSocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Protocol: xmpp, \
         sip\r\nOrigin: https://example.com\r\n\r\n"
    );
    change(&mut text);
    text.into_bytes()
}

/// A peer that writes octets, and reads what comes.
pub(super) struct Peer {
    pub(super) stream: TcpStream,
    pub(super) read: Vec<u8>,
}

impl Peer {
    pub(super) fn to(at: SocketAddr) -> Self {
        let stream = TcpStream::connect(at).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        Self { stream, read: Vec::new() }
    }

    /// A peer whose handshake is over.
    pub(super) fn open(adapter: &mut Adapter<Echo>, at: SocketAddr) -> Self {
        let mut peer = Self::to(at);
        peer.write(&get(|_| {}));
        let answer = String::from_utf8(peer.read_until(adapter, |read| read.ends_with(b"\r\n\r\n"))).unwrap();
        assert!(answer.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{answer}");
        let lower = answer.to_ascii_lowercase();
        assert!(lower.contains("\r\nsec-websocket-protocol: sip\r\n") && answer.contains(ACCEPT), "{answer}");
        peer
    }

    pub(super) fn write(&mut self, octets: &[u8]) {
        self.stream.write_all(octets).unwrap();
    }

    /// Drives the adapter, which has nothing to say, until this has come; takes it.
    fn read_until(&mut self, adapter: &mut Adapter<Echo>, done: impl Fn(&[u8]) -> bool) -> Vec<u8> {
        for _ in 0..2000 {
            if done(&self.read) {
                return core::mem::take(&mut self.read);
            }
            assert!(step(adapter).is_none());
            self.hear();
        }
        panic!("only {:?} came: {:?}", String::from_utf8_lossy(&self.read), adapter.statistics());
    }

    /// Reads what is there; gives whether there may be more.
    pub(super) fn hear(&mut self) -> bool {
        let mut room = [0; 4096];
        match self.stream.read(&mut room) {
            Ok(0) => false,
            Ok(read) => {
                self.read.extend_from_slice(&room[..read]);
                true
            }
            Err(error) => matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut),
        }
    }

    /// Drives the adapter until it has closed the connection; gives what came before, and what the adapter said.
    pub(super) fn read_to_end(&mut self, adapter: &mut Adapter<Echo>) -> (Vec<u8>, Vec<Said>) {
        let mut said = Vec::new();
        for _ in 0..2000 {
            said.extend(step(adapter));
            if !self.hear() {
                return (core::mem::take(&mut self.read), said);
            }
        }
        panic!("it stays open: {:?}", adapter.statistics());
    }
}

/// A frame of a client: its first octet, and its payload under a mask.
pub(super) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x11, 0x22, 0x33, 0x44];
    let mut frame = vec![first];
    match u16::try_from(payload.len()) {
        Ok(length @ ..126) => frame.push(0x80 | length.to_be_bytes()[1]),
        Ok(length) => frame.extend_from_slice(&[&[0xfe], &length.to_be_bytes()[..]].concat()),
        Err(_) => frame.extend_from_slice(&[&[0xff], &(payload.len() as u64).to_be_bytes()[..]].concat()),
    }
    frame.extend_from_slice(&mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(octet, mask)| octet ^ mask));
    frame
}

pub(super) const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
pub(super) const PING: u8 = 0x89;

#[test]
fn a_request_is_answered_on_its_connection_and_one_goes_back_by_it() {
    let (mut two, to) = server(&WsServer::plain());
    let mut one = adapter();
    let flow = connect(&mut one, &mut two, to, Transport::Ws).unwrap();
    for number in 1..4 {
        one.role_mut().send_on(flow, &request(number));
        assert_eq!(next(&mut two, &mut one), Said::Request(number));
        assert_eq!(next(&mut one, &mut two), Said::Response(number));
    }
    // It is there for who asks for it again, and for the server at the address that it came from.
    assert_eq!(connect(&mut one, &mut two, to, Transport::Ws), Ok(flow));
    let ours = one.network.tcp.as_ref().unwrap().local(flow).unwrap();
    two.role_mut().connect(7, ours, Transport::Ws);
    let Said::Connected(_, back) = next(&mut two, &mut one) else { panic!() };
    two.role_mut().send_on(back, &request(9));
    assert_eq!(next(&mut one, &mut two), Said::Request(9));
    assert_eq!(next(&mut two, &mut one), Said::Response(9));
    assert_eq!((one.connections(), two.connections()), (1, 1));
    // Its end is told.
    one.role_mut().close(flow);
    assert!(step(&mut one).is_none());
    assert_eq!(alone(&mut two), Said::Lost(back, FlowError::Closed));
    assert_eq!(two.statistics().broken, 0);
}

#[test]
#[cfg(feature = "rustls")]
fn under_tls_the_name_is_proved_and_the_rest_is_the_same() {
    use crate::tls::testing::{Authority, San};

    let authority = Authority::new();
    let (mut two, to) = server(&WsServer::secure(&authority.server(&[San::Dns("sip.example.com")])));
    let mut one = adapter();
    assert_eq!(connect(&mut one, &mut two, to, Transport::Wss), Err(FlowError::Unsupported));
    one.set_client_tls(&authority.client());
    let flow = connect(&mut one, &mut two, to, Transport::Wss).unwrap();
    let long = [request(1), vec![b'x'; 40_000]].concat();
    for message in [request(1), long] {
        one.role_mut().send_on(flow, &message);
        assert_eq!(next(&mut two, &mut one), Said::Request(1));
        assert_eq!(next(&mut one, &mut two), Said::Response(1));
    }
    // Another name there is another connection, and this one does not prove it.
    one.role_mut().connect_to(8, to, Transport::Wss, "evil.example.com");
    assert_eq!(next(&mut one, &mut two), Said::NoConnection(Ticket::new(8), FlowError::Certificate));
    assert_eq!(one.next_tls_refusal().unwrap().name, "evil.example.com");
    // Without TLS there is nothing at this port, nor under TLS at the other.
    assert!(connect(&mut one, &mut two, to, Transport::Ws).is_err());
    let number = two.listen_ws(LOCAL.parse().unwrap(), &WsServer::plain()).unwrap();
    let plain = two.local_addrs().nth(usize::from(number)).unwrap();
    assert!(connect(&mut one, &mut two, plain, Transport::Wss).is_err());
}

#[test]
fn what_is_no_handshake_is_refused_with_the_status_that_says_why() {
    let ws = WsServer::plain().with_path("/sip").with_origin("https://example.org").with_origin("https://EXAMPLE.com");
    let (mut two, to) = server(&ws);
    let replaced = |from: &'static str, to: &'static str| {
        get(move |text| {
            assert!(text.contains(from), "{from}");
            *text = text.replace(from, to);
        })
    };
    let cookie = format!("Cookie: {}\r\nUpgrade", "x".repeat(9000));
    let large = get(|text| *text = text.replace("Upgrade", &cookie));
    let mut refused = 0;
    for (octets, status) in [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(), "404"),
        (b"GET /sip HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(), "426"),
        (replaced("Sec-WebSocket-Protocol: xmpp, sip\r\n", ""), "400"),
        (replaced("xmpp, sip", "xmpp"), "400"),
        (replaced("xmpp, sip", "sips"), "400"),
        (replaced("/sip ", "/other "), "404"),
        (replaced("https://example.com", "https://evil.example"), "403"),
        (replaced("https://example.com", "null"), "403"),
        (replaced("Version: 13", "Version: 8"), "426"),
        (replaced("Upgrade: WebSocket\r\n", ""), "426"),
        (replaced("Upgrade: WebSocket", "Upgrade: h2c"), "426"),
        (replaced(", Upgrade", ""), "426"),
        (replaced(KEY, "c2hvcnQ="), "400"),
        (replaced("GET", "POST"), "405"),
        (replaced("HTTP/1.1", "HTTP/1.0"), "400"),
        (large, "431"),
        (request(1), "400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(), "400"),
        (b"\x00\x01\x00\x00".to_vec(), "400"),
    ] {
        let mut peer = Peer::to(to);
        peer.write(&octets);
        let (answer, said) = peer.read_to_end(&mut two);
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{}: {answer}", String::from_utf8_lossy(&octets));
        assert_eq!(answer.contains("\r\nSec-WebSocket-Version: 13\r\n"), status == "426");
        refused += 1;
        assert_eq!((said.len(), two.connections(), two.statistics().handshakes_failed), (0, 0, refused));
    }
    // Who is no page names no origin.
    let mut peer = Peer::to(to);
    peer.write(&replaced("Origin: https://example.com\r\n", ""));
    peer.read_until(&mut two, |read| read.starts_with(b"HTTP/1.1 101 "));
    Peer::open(&mut two, to);
}

#[test]
fn messages_come_in_fragments_as_text_or_binary_and_octet_by_octet() {
    let (mut two, to) = server(&WsServer::plain());
    let mut peer = Peer::to(to);
    // The first message comes with the handshake.
    let begin = [get(|_| {}), frame(TEXT, &request(1))].concat();
    for octet in begin {
        peer.write(&[octet]);
        if let Some(said) = step(&mut two) {
            assert_eq!(said, Said::Request(1));
        }
    }
    while two.statistics().messages_in == 0 {
        step(&mut two);
    }
    let whole = request(2);
    let (first, rest) = whole.split_at(40);
    let (second, third) = rest.split_at(1);
    for octets in [
        frame(BINARY, &whole),
        [frame(0x01, first), frame(0, second), frame(PING, b"x"), frame(0, b""), frame(0x80, third)].concat(),
        [frame(0x02, b""), frame(0x80, &whole)].concat(),
    ] {
        peer.write(&octets);
        assert_eq!(alone(&mut two), Said::Request(2));
        peer.read_until(&mut two, |read| read.windows(14).any(|part| part == b"SIP/2.0 200 OK"));
    }
    // Two in one write are two.
    peer.write(&[frame(TEXT, &request(3)), frame(TEXT, &request(4))].concat());
    assert_eq!((alone(&mut two), alone(&mut two)), (Said::Request(3), Said::Request(4)));
}

#[test]
fn a_message_without_a_content_length_is_the_whole_of_its_frame() {
    let (mut two, to) = server(&WsServer::plain());
    let mut peer = Peer::open(&mut two, to);
    let text = String::from_utf8(request(5)).unwrap();
    peer.write(&frame(TEXT, text.replace("Content-Length: 0\r\n\r\n", "\r\nthe body").as_bytes()));
    let mut buffer = vec![0; 65_536];
    for _ in 0..2000 {
        match two.poll(&mut buffer).unwrap() {
            Turn::Message { event, message, .. } => {
                assert_eq!((event, message.body()), (Said::Request(5), &b"the body"[..]));
                return;
            }
            Turn::Idle(_) => two.wait(Some(two.now() + sip_core::time::Duration::from_millis(2))).unwrap(),
            _ => {}
        }
    }
    panic!("silence");
}

#[test]
fn what_is_no_sip_ends_nothing_for_the_next_message_is_known_from_it() {
    let (mut two, to) = server(&WsServer::plain());
    let mut peer = Peer::open(&mut two, to);
    peer.write(&[frame(TEXT, b"hello"), frame(BINARY, b"\x00\x01\xff"), frame(TEXT, &request(6))].concat());
    assert_eq!(alone(&mut two), Said::Request(6));
    assert_eq!((two.role().malformed, two.statistics().malformed, two.connections()), (2, 2, 1));
}

#[test]
fn text_is_sent_as_text_and_what_is_none_as_binary() {
    let (mut two, to) = server(&WsServer::plain());
    let mut peer = Peer::open(&mut two, to);
    peer.write(&frame(TEXT, &request(1)));
    let Said::Request(1) = alone(&mut two) else { panic!() };
    let answer = peer.read_until(&mut two, |read| read.ends_with(b"\r\n\r\n"));
    // No mask, and one frame.
    assert_eq!((answer[0], usize::from(u16::from_be_bytes([answer[2], answer[3]]))), (0x81, answer.len() - 4));
    let flow = two.network.tcp.as_ref().unwrap().connections.values().next().unwrap().flow;
    two.role_mut().send_on(flow, b"MESSAGE sip:a SIP/2.0\r\n\r\n\xff");
    let sent = peer.read_until(&mut two, |read| read.ends_with(b"\xff"));
    assert_eq!(sent[0], 0x82);
}

#[test]
fn a_message_larger_than_the_buffer_is_answered_with_513() {
    let (mut two, to) = server(&WsServer::plain());
    let mut peer = Peer::open(&mut two, to);
    peer.write(&frame(TEXT, &[request(1), vec![b'x'; 3000]].concat()));
    let mut buffer = vec![0; 2000];
    for _ in 0..2000 {
        step_into(&mut two, &mut buffer);
        peer.hear();
        if peer.read.windows(11).any(|part| part == b"SIP/2.0 513") {
            assert_eq!(two.statistics().oversized, 1);
            return;
        }
    }
    panic!("no answer: {:?}", two.statistics());
}

#[test]
fn keep_alives_are_answered() {
    let (mut two, to) = server(&WsServer::plain());
    let mut peer = Peer::open(&mut two, to);
    peer.write(&frame(PING, b"are you there"));
    assert_eq!(peer.read_until(&mut two, |read| read.len() >= 15)[..2], [0x8a, 13]);
    peer.write(&frame(TEXT, b"\r\n\r\n"));
    assert_eq!(peer.read_until(&mut two, |read| read.len() >= 4), [0x81, 2, b'\r', b'\n']);
    // Nothing answers these.
    peer.write(&[frame(TEXT, b"\r\n"), frame(TEXT, b""), frame(0x8a, b"x"), frame(PING, b"")].concat());
    assert_eq!(peer.read_until(&mut two, |read| !read.is_empty()), [0x8a, 0]);
    assert_eq!((two.statistics().keep_alives, two.connections()), (6, 1));
    // Close is answered by Close, with its code.
    peer.write(&frame(0x88, b"\x03\xe8bye"));
    let (answer, _) = peer.read_to_end(&mut two);
    assert_eq!(answer, b"\x88\x05\x03\xe8bye");
}

/// What becomes of a client whose server answers with this, where `KEY` stands for the proof that it has understood.
fn answered(answer: &str) -> (Said, String) {
    let listener = TcpListener::bind(LOCAL).unwrap();
    let mut one = adapter();
    one.set_client_ws(&WsClient::at("/ws?x=1").unwrap());
    one.role_mut().connect_to(7, listener.local_addr().unwrap(), Transport::Ws, "sip.example.com");
    assert!(step(&mut one).is_none());
    let mut peer = Peer { stream: listener.accept().unwrap().0, read: Vec::new() };
    peer.stream.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    let asked = String::from_utf8(peer.read_until(&mut one, |read| read.ends_with(b"\r\n\r\n"))).unwrap();
    let key = asked.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
    let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
    peer.write(answer.replace("KEY", &accept).as_bytes());
    drop(peer);
    (alone(&mut one), asked)
}

#[test]
fn a_client_takes_nothing_for_a_websocket_that_is_none() {
    const GOOD: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: \
                        Upgrade\r\nSec-WebSocket-Accept: KEY\r\nSec-WebSocket-Protocol: sip\r\n\r\n";
    let (said, asked) = answered(GOOD);
    assert!(matches!(said, Said::Connected(..)), "{said:?}");
    assert!(asked.starts_with("GET /ws?x=1 HTTP/1.1\r\nHost: sip.example.com:"), "{asked}");
    assert!(asked.contains("\r\nSec-WebSocket-Protocol: sip\r\n") && !asked.contains("Extensions"), "{asked}");
    for (from, to) in [
        ("101 Switching Protocols", "200 OK"),
        ("101 Switching Protocols", "403 Forbidden"),
        ("HTTP/1.1", "HTTP/1.0"),
        ("HTTP/1.1", "SIP/2.0"),
        ("Sec-WebSocket-Protocol: sip\r\n", ""),
        ("Protocol: sip", "Protocol: xmpp"),
        ("KEY", ACCEPT),
        ("Upgrade: websocket\r\n", ""),
        ("Connection: Upgrade\r\n", ""),
        ("\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"),
        ("HTTP/1.1", "\u{16}\u{3}\u{1}"),
    ] {
        assert!(GOOD.contains(from));
        let (said, _) = answered(&GOOD.replace(from, to));
        assert_eq!(said, Said::NoConnection(Ticket::new(7), FlowError::Handshake), "{to}");
    }
    for cut in [0, 10, GOOD.len() - 3] {
        let (said, _) = answered(&GOOD[..cut]);
        assert!(matches!(said, Said::NoConnection(_, FlowError::Closed)), "{cut}: {said:?}");
    }
    let endless = format!("HTTP/1.1 101 S\r\nX: {}", "y".repeat(9000));
    assert!(matches!(answered(&endless).0, Said::NoConnection(_, FlowError::Handshake)));
    for path in ["", "ws", "/a b", "/a\r\nX: y", "/#a", "/ä"] {
        assert!(WsClient::at(path).is_none(), "{path}");
    }
}

#[test]
fn nothing_leaves_in_the_open_from_a_listener_that_is_for_websockets_alone() {
    let mut one = Adapter::bind_ws(Echo::default(), LOCAL.parse().unwrap(), &WsServer::plain()).unwrap();
    let (mut two, to) = server(&WsServer::plain());
    let plain = two.local_addr();
    one.role_mut().connect(7, plain, Transport::Tcp);
    assert_eq!(next(&mut one, &mut two), Said::NoConnection(Ticket::new(7), FlowError::Unreachable));
    for (asked, found) in [(Transport::None, 0), (Transport::Udp, 0), (Transport::Ws, 1), (Transport::Wss, 0)] {
        one.role_mut().ask(8, "127.0.0.1", asked, false);
        assert_eq!(next(&mut one, &mut two), Said::Found(Ticket::new(8), found), "{asked:?}");
    }
    connect(&mut one, &mut two, to, Transport::Ws).unwrap();
}
