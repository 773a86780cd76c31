//! A user agent on this adapter over the sockets of the host (std-embedded-nal), against SIPp and Kamailio.
//!
//! Covers calls in both directions over UDP, a call over TCP, and over TCP a registration with digest whose binding is the
//! connection itself, so that a call through the registrar comes over it; calls over connections that the caller opens; the size rule
//! (RFC 3261 §18.1.1) both ways. Not covered: other stacks; smoltcp's is the firmware's.
#![cfg(unix)]
#![allow(clippy::std_instead_of_alloc, reason = "tests run on std")]

mod host;

use core::time::Duration;
use host::Host as Stack;
use sip_core::time::Instant;
use sip_core::transport::Transport;
use sip_core::ua::Arrays;
use sip_core::ua::{Call, Cause, Config, Content, Event, Origin, Registration};
use sip_embedded_adapter::{Adapter, Listening, Streams, Tcp, Turn};
use sip_lab::interop::{Peer, Rig, free_port};
use sip_testkit::{ANSWER, OFFER, Phone};
use std::thread;

/// No test waits longer for an event.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a sleep may last: that stack tells nobody when something arrives.
const NAP: Duration = Duration::from_millis(2);

struct Bench<C = Tcp<Stack, 2, 2048>> {
    adapter: Adapter<Phone, Stack, C>,
    stack: Stack,
    began: std::time::Instant,
    port: u16,
}

impl Bench {
    /// A user agent at a free port; `None` where the host has no IPv6, which that stack's sockets need.
    fn new(transport: Transport) -> Option<Self> {
        Self::with(transport, false, |_, _| Tcp::new())
    }
}

/// A user agent that accepts connections.
fn listening() -> Option<Bench<Listening<Stack, 3, 2048>>> {
    Bench::with(Transport::Tcp, true, |stack, port| {
        let mut streams = Listening::new(Tcp::new()).for_peers(2);
        streams.listen(stack, port).expect("a free port");
        streams
    })
}

impl<C: Streams<Stack>> Bench<C> {
    fn with(transport: Transport, accepts: bool, streams: impl FnOnce(&mut Stack, u16) -> C) -> Option<Self> {
        let (mut stack, port) = (Stack::default(), free_port());
        let mut phone = Phone::new(Arrays::default());
        let sent_by = format!("127.0.0.1:{port}");
        let config = Config::new(&sent_by, "sip:bob@127.0.0.1")
            .with_contact_user("bob")
            .with_transport(transport)
            .with_accepts_connections(accepts);
        phone.start(&config, [5; 16]).expect("starts");
        phone.add_credentials("sip.test", "bob", "builder").expect("room");
        match Adapter::bind(phone, &mut stack, port) {
            Ok(adapter) => {
                let adapter = adapter.with_tcp(streams(&mut stack, port));
                Some(Self { adapter, stack, began: std::time::Instant::now(), port })
            }
            Err(error) => {
                println!("skipped: {error}");
                None
            }
        }
    }

    fn now(&self) -> Instant {
        Instant::from_millis(1 + u64::try_from(self.began.elapsed().as_millis()).expect("a test"))
    }

    /// The next event for which `pick` has an answer; calls of peers are answered meanwhile.
    #[track_caller]
    fn wait<T>(&mut self, what: &str, pick: impl Fn(Event) -> Option<T>) -> T {
        let (end, mut buffer) = (std::time::Instant::now() + PATIENCE, [0; 4096]);
        while std::time::Instant::now() < end {
            let now = self.now();
            match self.adapter.poll(&mut self.stack, now, &mut buffer).expect("a live socket") {
                Turn::Message { event, .. } | Turn::Event(event) => {
                    if let Event::Incoming { call } = event {
                        self.adapter.role_mut().answer(now, call, &Content::sdp(ANSWER)).expect("answered");
                    }
                    if let Some(found) = pick(event) {
                        return found;
                    }
                }
                Turn::Again => {}
                Turn::Idle(_) => thread::sleep(NAP),
                Turn::Resolve { .. } | Turn::TooLarge { .. } => panic!("no names here, and nothing large"),
            }
        }
        panic!("never {what}: {:?}", self.adapter.statistics());
    }

    /// Goes on for a while, so that what was said last is out.
    fn linger(&mut self) {
        let (end, mut buffer) = (std::time::Instant::now() + Duration::from_millis(200), [0; 4096]);
        while std::time::Instant::now() < end {
            let now = self.now();
            if matches!(self.adapter.poll(&mut self.stack, now, &mut buffer), Ok(Turn::Idle(_))) {
                thread::sleep(NAP);
            }
        }
    }

    fn call(&mut self, target: &str) {
        let now = self.now();
        let call = self.adapter.role_mut().call(now, target, "", &Content::sdp(OFFER)).expect("room for a call");
        self.wait("answered", |event| (event == Event::Answered { call, answer_due: false }).then_some(()));
        self.linger();
        let now = self.now();
        self.adapter.role_mut().hang_up(now, call).expect("a live call");
        assert_eq!(self.ended(call), Cause::LocalHangup);
    }

    #[track_caller]
    fn ended(&mut self, call: Call) -> Cause {
        self.wait("ended", |event| match event {
            Event::Ended { call: ended, cause, .. } if ended == call => Some(cause),
            _ => None,
        })
    }

    /// Answers the next call, which its caller ends.
    #[track_caller]
    fn answer(&mut self) {
        let call = self.wait("called", |event| if let Event::Incoming { call } = event { Some(call) } else { None });
        assert_eq!(self.ended(call), Cause::RemoteHangup);
    }

    #[track_caller]
    fn registered(&mut self, registration: Registration) {
        self.wait("registered", |event| match event {
            Event::Registered { registration: registered, .. } if registered == registration => Some(()),
            Event::RegistrationFailed { status, .. } => panic!("refused with {status}"),
            _ => None,
        });
    }
}

#[test]
fn sipp_is_called_over_udp_and_over_tcp() {
    let Some(rig) = Rig::without_phone(&[Peer::Sipp]) else { return };
    for (transport, option, parameter) in [(Transport::Udp, "u1", ""), (Transport::Tcp, "t1", ";transport=tcp")] {
        let Some(mut bench) = Bench::new(transport) else { return };
        let callee = rig.sipp("uas_call").with_messages().with(&["-t", option]);
        let target = format!("{}{parameter}", callee.uri("service"));
        let callee = callee.callee(1);
        bench.call(&target);
        let counts = callee.passed();
        assert_eq!((counts.successful, counts.unexpected, counts.sent_again), (1, 0, 0), "{option}: {counts:?}");
        let counted = bench.adapter.statistics();
        let over_tcp = u32::from(transport == Transport::Tcp);
        assert_eq!((counted.connected, counted.broken, counted.malformed), (over_tcp, 0, 0), "{counted:?}");
        assert_eq!(counted.messages_out > 0, over_tcp == 1, "{counted:?}");
        assert_eq!(counted.datagrams_out > 0, over_tcp == 0, "{counted:?}");
    }
}

#[test]
fn sipp_calls_over_udp() {
    let Some(rig) = Rig::without_phone(&[Peer::Sipp]) else { return };
    let Some(mut bench) = Bench::new(Transport::Udp) else { return };
    let address = format!("127.0.0.1:{}", bench.port);
    let caller = rig.sipp("uac_call").with_messages().with(&["-d", "100", "-l", "1"]).caller(&address, "bob", 2);
    for _ in 0..2 {
        bench.answer();
    }
    bench.linger();
    let counts = caller.passed();
    assert_eq!((counts.successful, counts.unexpected), (2, 0), "{counts:?}");
}

/// Over one connection for all calls, and over one for each.
#[test]
fn sipp_calls_over_connections_of_its_own() {
    let Some(rig) = Rig::without_phone(&[Peer::Sipp]) else { return };
    for (option, connections) in [("t1", 1), ("tn", 3)] {
        let Some(mut bench) = listening() else { return };
        let address = format!("127.0.0.1:{}", bench.port);
        let caller =
            rig.sipp("uac_call").with_messages().with(&["-t", option, "-max_socket", "50", "-d", "100", "-l", "1"]);
        let caller = caller.caller(&address, "bob", 3);
        for _ in 0..3 {
            bench.answer();
        }
        bench.linger();
        let counts = caller.passed();
        assert_eq!((counts.successful, counts.unexpected, counts.sent_again), (3, 0, 0), "{option}: {counts:?}");
        let (counted, accepts) = (bench.adapter.statistics(), bench.adapter.streams().accepts());
        assert_eq!((accepts.accepted, accepts.refused), (connections, 0), "{option}: {accepts:?}");
        // Responses and requests of this end went back over them.
        assert_eq!((counted.connected, counted.datagrams_in, counted.datagrams_out), (0, 0, 0), "{counted:?}");
        assert!(counted.messages_in >= 9 && counted.messages_out >= 6 && counted.broken == 0, "{counted:?}");
    }
}

#[test]
fn a_call_too_large_for_a_datagram_goes_by_tcp_or_else_by_udp_all_the_same() {
    let Some(rig) = Rig::without_phone(&[Peer::Sipp]) else { return };
    let offer = [OFFER, b"a=x-pad:", "x".repeat(1000).as_bytes(), b"\r\n"].concat();
    for (option, over_tcp) in [("t1", true), ("u1", false)] {
        let Some(mut bench) = Bench::new(Transport::Udp) else { return };
        let callee = rig.sipp("uas_call").with_messages().with(&["-t", option]);
        let target = callee.uri("service");
        let callee = callee.callee(1);
        let now = bench.now();
        let call = bench.adapter.role_mut().call(now, &target, "", &Content::sdp(&offer)).expect("room for a call");
        let mut told = vec![];
        for _ in 0..if over_tcp { 1 } else { 2 } {
            told.push(bench.wait("told of the size", |event| match event {
                Event::Oversize { of: Origin::Call(of), sizes, by_datagram } if of == call => {
                    assert!(sizes.long > sizes.compact && sizes.compact > sizes.limit, "{sizes:?}");
                    Some(by_datagram)
                }
                _ => None,
            }));
        }
        assert_eq!(told, [false, true][..told.len()]);
        bench.wait("answered", |event| matches!(event, Event::Answered { .. }).then_some(()));
        bench.linger();
        let now = bench.now();
        bench.adapter.role_mut().hang_up(now, call).expect("a live call");
        assert_eq!(bench.ended(call), Cause::LocalHangup);
        let counts = callee.passed();
        assert_eq!((counts.successful, counts.unexpected), (1, 0), "{option}: {counts:?}");
        let counted = bench.adapter.statistics();
        assert_eq!(
            (counted.connected, counted.connects_failed),
            (u32::from(over_tcp), u32::from(!over_tcp)),
            "{counted:?}"
        );
        assert_eq!(counted.messages_out > 0, over_tcp, "{counted:?}");
    }
}

#[test]
fn a_connection_to_nobody_is_refused() {
    let Some(mut bench) = Bench::new(Transport::Tcp) else { return };
    let (now, target) = (bench.now(), format!("sip:bob@127.0.0.1:{};transport=tcp", free_port()));
    let call = bench.adapter.role_mut().call(now, &target, "", &Content::sdp(OFFER)).expect("room for a call");
    assert_eq!(bench.ended(call), Cause::Unreachable);
    assert_eq!(bench.adapter.statistics().connects_failed, 1);
}

#[test]
fn a_registrar_reaches_this_host_over_its_own_connection() {
    let Some(rig) = Rig::without_phone(&[Peer::Kamailio, Peer::Sipp]) else { return };
    let Some(mut bench) = Bench::new(Transport::Tcp) else { return };
    let port = free_port();
    let kamailio = rig.kamailio(&["-l", &format!("tcp:127.0.0.1:{port}")]);
    let (now, registrar) = (bench.now(), format!("sip:127.0.0.1:{port};transport=tcp"));
    let aor = format!("sip:bob@127.0.0.1:{port}");
    let registration = bench.adapter.role_mut().register(now, &registrar, &aor, 600).expect("room to register");
    // With the configured address, then with the one that the registrar saw.
    for _ in 0..2 {
        bench.registered(registration);
    }
    let bindings = kamailio.bindings();
    assert_eq!(bindings.matches("Address: sip:bob@").count(), 1, "{bindings}");
    assert!(!bindings.contains(&format!(":{}", bench.port)), "the first binding is gone: {bindings}");
    let caller = rig.sipp("uac_call").with_messages().with(&["-d", "200"]).caller(&kamailio.address(), "bob", 1);
    bench.answer();
    bench.linger();
    caller.passed();
    let now = bench.now();
    bench.adapter.role_mut().unregister(now, registration).expect("room to unregister");
    let gone = Event::Unregistered { registration };
    bench.wait("unregistered", |event| (event == gone).then_some(()));
    assert!(!kamailio.bindings().contains("sip:bob@"), "{}", kamailio.bindings());
    let counted = bench.adapter.statistics();
    assert_eq!((counted.connected, counted.closed, counted.broken), (1, 0, 0), "{counted:?}");
    assert_eq!((counted.datagrams_in, counted.datagrams_out), (0, 0), "{counted:?}");
    let log = kamailio.finish(&[]);
    assert!(log.contains("AUTH: bob passes") && log.contains("IN: REGISTER"), "{log}");
}
