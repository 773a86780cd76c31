//! What has to go by TLS goes by TLS or not at all, and a transport that nobody knows is no other.
//!
//! Covers RFC 3261 §26.2.2 and §8.1.1.8, RFC 5630 §3.1: a `sips` request and plain targets, proxies, Routes and Contacts; no fall-back
//! from TLS to TCP; `;transport=sctp`. The user agent is driven by hand, so that it sees targets and connections that an adapter would
//! not give. The proxy's side is in `proxy_routes.rs`, the weakest digest in `digest.rs`.

use core::net::SocketAddr;
use sip_core::error::{Argument, Error};
use sip_core::message::{HeaderName, Message, Method};
use sip_core::role::{Action, Received, Role};
use sip_core::time::Instant;
use sip_core::transport::{Address, Flow, FlowError, Target, Transport};
use sip_core::ua::{Arrays, Call, Cause, Config, Content, Event, RegistrationCause, UserAgent};
use sip_testkit::OFFER;

const NOW: Instant = Instant::from_millis(1000);
const PEER: &str = "192.0.2.9:5061";

/// A phone whose questions are answered as the test says.
struct Rig {
    phone: UserAgent<Arrays<16, 4, 4, 2, 16_384>>,
    /// What a name has.
    targets: Vec<Target>,
    /// Whether no connection can be had.
    refuses: bool,
    asked: Vec<Transport>,
    dialled: Vec<Transport>,
    sent: Vec<(Flow, String)>,
    told: Vec<Event>,
}

fn target(transport: Transport) -> Target {
    Target { address: Address::from(PEER.parse::<SocketAddr>().unwrap()), transport }
}

impl Rig {
    fn new(change: impl FnOnce(&mut Config<'_>)) -> Self {
        let mut config = Config::new("192.0.2.1:5060", "sip:alice@example.com");
        change(&mut config);
        let mut phone = UserAgent::new(Arrays::new());
        phone.start(&config, [7; 16]).unwrap();
        let (asked, dialled, sent, told) = Default::default();
        Self { phone, targets: Vec::new(), refuses: false, asked, dialled, sent, told }
    }

    fn drain(&mut self) {
        loop {
            while let Some(action) = self.phone.poll_action(NOW) {
                match action {
                    Action::Send { flow, bytes, .. } => {
                        self.sent.push((flow, String::from_utf8_lossy(bytes).into_owned()));
                    }
                    Action::Event(event) => self.told.push(event),
                    Action::Connect { ticket, target, .. } => {
                        self.dialled.push(target.transport);
                        if self.refuses {
                            self.phone.connect_failed(NOW, ticket, FlowError::Refused);
                        } else {
                            let connection = u32::from(target.transport.is_reliable());
                            self.phone.flow_connected(NOW, ticket, Flow { connection, ..Flow::to(target) });
                        }
                    }
                    Action::Resolve { ticket, transport, .. } => {
                        self.asked.push(transport);
                        let targets = self.targets.clone();
                        self.phone.resolved(NOW, ticket, &targets);
                    }
                    other => panic!("{other:?}"),
                }
            }
            self.phone.handle_timeout(NOW);
            match self.phone.poll_action(NOW) {
                Some(Action::Event(event)) => self.told.push(event),
                None => return,
                Some(other) => panic!("{other:?}"),
            }
        }
    }

    fn call(&mut self, uri: &str) -> Call {
        let call = self.phone.call(NOW, uri, "", &Content::sdp(OFFER)).unwrap();
        self.drain();
        call
    }

    fn receive(&mut self, flow: Flow, text: &str) -> Option<Event> {
        let event = match self.phone.receive(NOW, flow, &Message::parse(text.as_bytes()).unwrap()) {
            Received::Event(event) => Some(event),
            _ => None,
        };
        self.drain();
        event
    }

    /// Answers the last INVITE with this Contact.
    fn answered(&mut self, contact: &str) {
        self.answered_by(contact, "");
    }

    /// The same, with further rows.
    fn answered_by(&mut self, contact: &str, rows: &str) {
        let (flow, request) = self.sent.last().unwrap().clone();
        let row = |name: &str| request.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
        let (via, from, id, seq) = (row("Via:"), row("From:"), row("Call-ID:"), row("CSeq:"));
        let to = row("To:").replace(";tag=r", "");
        let text = format!(
            "SIP/2.0 200 OK\r\n{via}\r\n{from}\r\n{to};tag=r\r\n{id}\r\n{seq}\r\n{rows}Contact: <{contact}>\r\nContent-Type: \
             application/sdp\r\nContent-Length: {}\r\n\r\n{}",
            OFFER.len(),
            core::str::from_utf8(OFFER).unwrap()
        );
        assert!(matches!(self.receive(flow, &text), Some(Event::Answered { .. } | Event::Reinvited { .. })));
    }

    /// The transports by which something was sent.
    fn ways(&self) -> Vec<Transport> {
        self.sent.iter().map(|(flow, _)| flow.transport).collect()
    }

    fn cause(&self) -> Option<Cause> {
        self.told.iter().find_map(|event| match event {
            Event::Ended { cause, .. } => Some(*cause),
            _ => None,
        })
    }
}

#[test]
fn a_sips_request_leaves_by_no_plain_target_whatever_the_answer_says() {
    for plain in [Transport::Udp, Transport::Tcp, Transport::Ws] {
        let mut rig = Rig::new(|_| {});
        rig.targets = vec![target(plain)];
        rig.call("sips:bob@example.com");
        assert_eq!((rig.asked.clone(), rig.sent.len(), rig.dialled.len()), (vec![Transport::Tls], 0, 0));
        assert_eq!(rig.cause(), Some(Cause::Insecure));
        // One that is behind it is taken.
        let mut rig = Rig::new(|_| {});
        rig.targets = vec![target(plain), target(Transport::Tls)];
        rig.call("sips:bob@example.com");
        assert_eq!(rig.ways(), [Transport::Tls]);
    }
}

#[test]
fn a_connection_that_is_not_what_was_asked_for_carries_no_sips_request() {
    // An adapter that opens a plain connection for one under TLS.
    let mut rig = Rig::new(|_| {});
    rig.phone.call(NOW, "sips:bob@192.0.2.9", "", &Content::sdp(OFFER)).unwrap();
    let Some(Action::Connect { ticket, target, .. }) = rig.phone.poll_action(NOW) else { panic!("no question") };
    assert_eq!((target.transport, target.address.port()), (Transport::Tls, 5061));
    let plain = Flow { transport: Transport::Tcp, connection: 9, ..Flow::to(target) };
    rig.phone.flow_connected(NOW, ticket, plain);
    rig.drain();
    assert_eq!((rig.sent.len(), rig.cause()), (0, Some(Cause::Insecure)));
}

#[test]
fn a_sips_request_leaves_by_no_plain_proxy() {
    for proxy in ["sip:192.0.2.8;lr", "sip:192.0.2.8;transport=tcp;lr"] {
        let mut rig = Rig::new(|config| config.proxy = proxy);
        rig.call("sips:bob@example.com");
        assert_eq!((rig.sent.len(), rig.cause()), (0, Some(Cause::Insecure)), "{proxy}");
        let id = rig.phone.request(NOW, Method::Options, "sips:bob@example.com", &Content::NONE).unwrap();
        rig.drain();
        assert_eq!(rig.sent.len(), 0, "{proxy}");
        assert!(rig.told.contains(&Event::RequestRefused { request: id, cause: Cause::Insecure }), "{:?}", rig.told);
    }
    let mut rig = Rig::new(|config| config.proxy = "sip:192.0.2.8;transport=tls;lr");
    rig.call("sips:bob@example.com");
    assert_eq!(rig.ways(), [Transport::Tls]);
}

#[test]
fn a_secure_registration_by_a_plain_proxy_says_why_it_failed() {
    let mut rig = Rig::new(|config| {
        config.identity = "sips:alice@example.com";
        config.proxy = "sip:192.0.2.8;lr";
    });
    rig.phone.register(NOW, "", "sips:alice@example.com", 60).unwrap();
    rig.drain();
    assert_eq!(rig.sent.len(), 0);
    let failed = |event: &Event| matches!(event, Event::RegistrationFailed { cause: RegistrationCause::Insecure, .. });
    assert!(rig.told.iter().any(failed), "{:?}", rig.told);
}

#[test]
fn who_is_reached_by_tls_is_not_reached_without_it_when_that_fails() {
    // By the URI, by configuration, and because the name's first target says so.
    for (uri, transport) in [
        ("sip:bob@example.com;transport=tls", Transport::Udp),
        ("sip:bob@example.com", Transport::Tls),
        ("sip:bob@example.com", Transport::Udp),
    ] {
        let mut rig = Rig::new(|config| config.transport = transport);
        rig.targets = vec![target(Transport::Tls), target(Transport::Tcp), target(Transport::Udp)];
        rig.refuses = true;
        rig.call(uri);
        assert_eq!((rig.dialled.clone(), rig.sent.len()), (vec![Transport::Tls], 0), "{uri}");
        // Where TLS was asked for there is nothing else that could have been tried.
        let asked = transport == Transport::Tls || uri.contains("tls");
        assert_eq!(rig.cause(), Some(if asked { Cause::Unreachable } else { Cause::NoFallback }));
    }
    let mut rig = Rig::new(|_| {});
    rig.targets = vec![target(Transport::Tls), target(Transport::Tcp)];
    rig.refuses = true;
    let id = rig.phone.request(NOW, Method::Options, "sip:bob@example.com", &Content::NONE).unwrap();
    rig.drain();
    assert!(rig.told.contains(&Event::RequestRefused { request: id, cause: Cause::NoFallback }), "{:?}", rig.told);
    rig.phone.register(NOW, "", "sip:alice@example.com", 60).unwrap();
    rig.drain();
    let failed =
        |event: &Event| matches!(event, Event::RegistrationFailed { cause: RegistrationCause::NoFallback, .. });
    assert!(rig.sent.is_empty() && rig.told.iter().any(failed), "{:?}", rig.told);
}

#[test]
fn a_request_that_got_no_answer_by_tls_is_not_repeated_without() {
    let mut rig = Rig::new(|_| {});
    rig.targets = vec![target(Transport::Tls), target(Transport::Tcp), target(Transport::Udp)];
    rig.call("sip:bob@example.com");
    let flow = rig.sent[0].0;
    rig.phone.flow_failed(NOW, flow, FlowError::Closed);
    rig.drain();
    rig.phone.handle_timeout(NOW + sip_core::time::Duration::from_secs(60));
    rig.drain();
    assert!(rig.ways().iter().all(|way| *way == Transport::Tls), "{:?}", rig.sent);
    assert!(rig.cause().is_some());
}

#[test]
fn a_connection_that_is_not_what_was_asked_for_carries_nothing_at_all() {
    let plain = |target| Flow { transport: Transport::Tcp, connection: 9, ..Flow::to(target) };
    let mut rig = Rig::new(|_| {});
    rig.phone.call(NOW, "sip:bob@192.0.2.9;transport=tls", "", &Content::sdp(OFFER)).unwrap();
    let Some(Action::Connect { ticket, target, .. }) = rig.phone.poll_action(NOW) else { panic!("no question") };
    rig.phone.flow_connected(NOW, ticket, plain(target));
    rig.drain();
    assert_eq!((rig.sent.len(), rig.cause()), (0, Some(Cause::NoFallback)));
    // Neither a response whose connection was lost.
    let mut rig = Rig::new(|_| {});
    let flow = Flow { connection: 3, ..Flow::to(self::target(Transport::Tls)) };
    let invite = "INVITE sip:alice@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/TLS 192.0.2.9;branch=z9hG4bK1\r\nMax-Forwards: 70\r\nFrom: \
                  <sip:bob@example.com>;tag=1\r\nTo: <sip:alice@example.com>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\nContact: \
                  <sip:bob@192.0.2.9;transport=tls>\r\nContent-Length: 0\r\n\r\n";
    let Some(Event::Incoming { call }) = rig.receive(flow, invite) else { panic!("no call") };
    rig.phone.answer(NOW, call, &Content::sdp(OFFER)).unwrap();
    let before = rig.sent.len();
    assert!(matches!(rig.phone.poll_action(NOW), Some(Action::Send { .. })));
    rig.phone.flow_failed(NOW, flow, FlowError::Closed);
    let Some(Action::Connect { ticket, target, .. }) = rig.phone.poll_action(NOW) else { panic!("no question") };
    rig.phone.flow_connected(NOW, ticket, plain(target));
    rig.drain();
    assert_eq!(rig.sent.len(), before, "{:?}", rig.sent.last());
}

/// A call by `sips` whose Record-Route is that of a strict router, which names no `sips` itself.
#[test]
fn behind_a_strict_router_a_sips_target_is_reached_by_tls_only() {
    for (router, secure) in [
        ("sip:192.0.2.8", true),
        ("sip:192.0.2.8;transport=udp", true),
        ("sip:strict.example.com", true),
        ("sip:strict.example.com;transport=tcp", true),
        ("sip:192.0.2.8", false),
        ("sip:strict.example.com", false),
    ] {
        for targets in [vec![target(Transport::Tls)], vec![target(Transport::Udp)]] {
            let mut rig = Rig::new(|_| {});
            let call = rig.call(if secure { "sips:bob@192.0.2.9" } else { "sip:bob@192.0.2.9" });
            rig.targets = targets.clone();
            rig.answered_by("sips:bob@192.0.2.9", &format!("Record-Route: <{router}>\r\n"));
            let before = rig.sent.len();
            rig.phone.hang_up(NOW, call).unwrap();
            rig.drain();
            let ways: Vec<Transport> = rig.sent.iter().skip(1).map(|(flow, _)| flow.transport).collect();
            assert!(ways.iter().all(|way| *way == Transport::Tls), "{router}: {:?}", rig.sent);
            // Where the router has no target under TLS it goes back to where the peer's answer came from, when that was by TLS.
            let goes = secure || targets[0].transport == Transport::Tls;
            assert_eq!(rig.sent.len() > before, goes, "{router}: {:?}", rig.sent);
            let Some((_, bye)) = rig.sent.get(before) else { continue };
            assert!(bye.starts_with("BYE sip:") && bye.contains("\r\nRoute: <sips:bob@192.0.2.9>\r\n"), "{bye}");
        }
    }
}

#[test]
fn a_name_goes_by_the_configured_transport_as_an_address_does() {
    for transport in [Transport::Tcp, Transport::Tls] {
        let mut rig = Rig::new(|config| config.transport = transport);
        rig.targets = vec![target(transport)];
        rig.call("sip:bob@example.com");
        assert_eq!((rig.asked.clone(), rig.ways()), (vec![transport], vec![transport]));
    }
}

#[test]
fn what_follows_in_a_dialog_begun_by_sips_is_not_drawn_into_plain_text() {
    for contact in ["sip:bob@192.0.2.9:5061", "SIP:bob@192.0.2.9:5061;transport=udp", "sips:bob@192.0.2.9:5061"] {
        let mut rig = Rig::new(|_| {});
        let call = rig.call("sips:bob@192.0.2.9");
        assert!(rig.sent[0].1.contains("\r\nContact: <sips:192.0.2.1:5060>\r\n"), "{}", rig.sent[0].1);
        rig.answered(contact);
        rig.phone.reinvite(NOW, call, &Content::sdp(OFFER)).unwrap();
        rig.drain();
        // The refreshed target is no better.
        rig.answered(contact);
        rig.phone.hang_up(NOW, call).unwrap();
        rig.drain();
        let methods: Vec<&str> = rig.sent.iter().map(|(_, text)| text.split(' ').next().unwrap()).collect();
        assert_eq!(methods, ["INVITE", "ACK", "INVITE", "ACK", "BYE"], "{contact}");
        assert_eq!(rig.ways(), [Transport::Tls; 5], "{contact}");
        for (_, text) in &rig.sent[1..] {
            assert!(text.split(' ').nth(1).unwrap().starts_with("sips:bob@192.0.2.9:5061"), "{text}");
        }
    }
}

#[test]
fn a_callee_of_sips_answers_by_the_connection_and_hangs_up_by_tls_only() {
    let mut rig = Rig::new(|config| config.identity = "sips:alice@example.com");
    let flow = Flow { connection: 3, ..Flow::to(target(Transport::Tls)) };
    let invite = "INVITE sips:alice@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/TLS 192.0.2.9;branch=z9hG4bK1\r\nMax-Forwards: 70\r\nFrom: \
                  <sips:bob@example.com>;tag=1\r\nTo: <sips:alice@example.com>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\nContact: \
                  <sip:bob@192.0.2.9:5061>\r\nContent-Length: 0\r\n\r\n";
    let Some(Event::Incoming { call }) = rig.receive(flow, invite) else { panic!("no call") };
    rig.phone.answer(NOW, call, &Content::sdp(OFFER)).unwrap();
    rig.drain();
    let (way, answer) = rig.sent.last().unwrap().clone();
    let answer = Message::parse(answer.as_bytes()).unwrap();
    assert_eq!(answer.header(HeaderName::Contact), Some(&b"<sips:192.0.2.1:5060>"[..]));
    let to = String::from_utf8_lossy(answer.header(HeaderName::To).unwrap()).into_owned();
    let ack = invite.replace("INVITE", "ACK").replace("To: <sips:alice@example.com>", &format!("To: {to}"));
    let _ = rig.receive(flow, &ack);
    rig.phone.hang_up(NOW, call).unwrap();
    rig.drain();
    assert!(rig.sent.last().unwrap().1.starts_with("BYE sips:bob@192.0.2.9:5061 "), "{:?}", rig.sent.last());
    assert_eq!((way, rig.ways()), (flow, vec![Transport::Tls; rig.sent.len()]));
}

#[test]
fn a_transport_that_nobody_knows_is_refused_by_name_and_is_no_other() {
    for name in ["sctp", "xyz", "tls-sctp"] {
        for scheme in ["sip", "sips"] {
            let mut rig = Rig::new(|_| {});
            let uri = format!("{scheme}:bob@192.0.2.9;transport={name}");
            let refused = rig.phone.call(NOW, &uri, "", &Content::sdp(OFFER));
            assert_eq!(refused, Err(Error::Invalid(Argument::TargetTransport)), "{uri}");
            let refused = rig.phone.request(NOW, Method::Options, &uri, &Content::NONE);
            assert_eq!(refused.unwrap_err(), Error::Invalid(Argument::TargetTransport), "{uri}");
        }
        // A peer's Contact is one that it can't be reached by.
        let mut rig = Rig::new(|_| {});
        rig.refuses = true;
        rig.call("sip:bob@192.0.2.9");
        rig.answered(&format!("sip:bob@192.0.2.10;transport={name}"));
        assert!(rig.dialled.contains(&Transport::Unknown), "{:?}", rig.dialled);
        // Its ACK goes where its answer came from, as to any Contact that leads nowhere.
        assert!(rig.sent.iter().all(|(flow, _)| flow.remote.port() == 5060 && flow.remote != Address::NONE));
        assert!(!rig.sent.iter().any(|(flow, _)| flow.remote.to_string().starts_with("192.0.2.10")), "{:?}", rig.sent);
    }
}
