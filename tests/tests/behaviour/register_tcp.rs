//! Registration over connections: that close, and whose port is nobody's address.
//!
//! Covers RFC 5626 §4.5 (a flow that fails, the waits after it), RFC 3581 over TCP, RFC 3261 §10.2 (the domain is the
//! Request-URI, the registrar the next hop). The phone is driven by hand, because the peers of a world don't close connections
//! behind an answer; what a connection does to octets is in streams.rs.

use RegistrationCause::Unreachable;
use sip_core::message::Message;
use sip_core::role::{Action, Received, Role};
use sip_core::time::{Duration, Instant};
use sip_core::transport::{Address, Flow, FlowError, Transport};
use sip_core::ua::{Arrays, Config, Event, Registration, RegistrationCause, UserAgent};

const REGISTRAR: &str = "192.0.2.9:5060";

/// A phone, the connections that it asked for, and what it sent on them.
struct Line {
    phone: UserAgent<Arrays<16, 4, 2, 2, 8192>>,
    now: Instant,
    connections: u32,
    sent: Vec<(Instant, Flow, String)>,
    told: Vec<Event>,
}

impl Line {
    fn new(change: impl FnOnce(&mut Config<'_>)) -> Self {
        let mut config = Config::new("192.0.2.1:5060", "sip:alice@example.com");
        config.transport = Transport::Tcp;
        change(&mut config);
        let mut phone = UserAgent::new(Arrays::new());
        phone.start(&config, [7; 16]).unwrap();
        phone.add_credentials("r", "alice", "secret").unwrap();
        Self { phone, now: Instant::from_millis(1000), connections: 0, sent: Vec::new(), told: Vec::new() }
    }

    fn register(&mut self, registrar: &str) -> Registration {
        let registration = self.phone.register(self.now, registrar, "sip:alice@example.com", 300).unwrap();
        self.drain();
        registration
    }

    /// Opens each connection that is asked for.
    fn drain(&mut self) {
        while let Some(action) = self.phone.poll_action(self.now) {
            match action {
                Action::Send { flow, bytes, .. } => {
                    self.sent.push((self.now, flow, String::from_utf8_lossy(bytes).into_owned()));
                }
                Action::Event(event) => self.told.push(event),
                Action::Connect { ticket, target, .. } => {
                    self.connections += 1;
                    let flow = Flow { connection: self.connections, ..Flow::to(target) };
                    self.phone.flow_connected(self.now, ticket, flow);
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// Answers the last request, with what `via` adds to its topmost Via.
    fn answer(&mut self, status: u16, via: &str, rows: &str) {
        let (_, flow, request) = self.sent.last().unwrap();
        let row = |name: &str| request.lines().find(|line| line.starts_with(name)).unwrap();
        let response = format!(
            "SIP/2.0 {status} X\r\n{}{via}\r\n{}\r\n{};tag=r\r\n{}\r\n{}\r\n{rows}Content-Length: 0\r\n\r\n",
            row("Via").replacen(";rport", "", 1),
            row("From"),
            row("To"),
            row("Call-ID"),
            row("CSeq")
        );
        let received = self.phone.receive(self.now, *flow, &Message::parse(response.as_bytes()).unwrap());
        if let Received::Event(event) = received {
            self.told.push(event);
        }
        self.drain();
    }

    fn close(&mut self) {
        let flow = self.sent.last().unwrap().1;
        self.phone.flow_failed(self.now, flow, FlowError::Closed);
        self.drain();
        self.phone.handle_timeout(self.now);
        self.drain();
    }

    fn wait(&mut self, milliseconds: u64) {
        let end = self.now + Duration::from_millis(milliseconds);
        while let Some(at) = self.phone.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.phone.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    fn last(&self) -> &str {
        &self.sent.last().unwrap().2
    }

    fn rows(&self, name: &str) -> Vec<&str> {
        self.last().lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).collect()
    }
}

const CHALLENGE: &str = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\n";

#[test]
fn a_registrar_that_closes_behind_each_200_is_asked_less_and_less() {
    let mut line = Line::new(|_| {});
    let registration = line.register("sip:192.0.2.9");
    let start = line.now;
    let mut seen = 0;
    let mut times = Vec::new();
    while line.now.since(start) < Duration::from_secs(600) {
        if line.sent.len() > seen {
            seen = line.sent.len();
            times.push(line.now.since(start).as_millis() / 1000);
            line.answer(200, "", "");
            line.wait(20);
            line.close();
        } else {
            line.wait(20);
        }
    }
    // At once, then after growing waits, but not later than the binding wants its refresh (210 s of 300).
    assert!(times.len() <= 7 && times[1] == 0 && times[2] >= 15, "{times:?}");
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] <= 211), "{times:?}");
    let lost = |event: &&Event| {
        matches!(event, Event::RegistrationFailed { registration: told, cause: Unreachable, status: 503, retry_after: 1.. }
            if *told == registration)
    };
    assert_eq!(line.told.iter().filter(lost).count(), times.len() - 1, "each loss but the first");
}

#[test]
fn a_connection_that_was_good_for_long_is_opened_again_at_once() {
    let mut line = Line::new(|_| {});
    line.register("sip:192.0.2.9");
    for round in 1..5 {
        line.answer(200, "", "");
        line.wait(121_000);
        line.close();
        assert_eq!(line.sent.len(), round + 1);
    }
    assert!(!line.told.iter().any(|event| matches!(event, Event::RegistrationFailed { .. })));
}

#[test]
fn a_challenge_behind_which_the_connection_closes_is_answered_at_once_by_another() {
    let mut line = Line::new(|_| {});
    let registration = line.register("sip:192.0.2.9");
    let first = line.sent[0].1;
    line.answer(401, "", CHALLENGE);
    line.close();
    let (at, flow, request) = line.sent.last().unwrap();
    assert!(*at == line.now && *flow != first && request.contains("\r\nAuthorization: Digest "), "{request}");
    line.answer(200, "", "");
    assert_eq!(line.told, [Event::Registered { registration, expires: 300 }]);
}

#[test]
fn a_registrar_that_closes_behind_each_challenge_is_not_asked_without_end() {
    let mut line = Line::new(|_| {});
    line.register("sip:192.0.2.9");
    let mut seen = 0;
    for _ in 0..100 {
        if line.sent.len() > seen {
            seen = line.sent.len();
            line.answer(401, "", &CHALLENGE.replace("\"n\"", &format!("\"n{seen}\", stale=true")));
            line.close();
        }
        line.wait(100);
    }
    assert!(line.sent.len() <= 5, "{} in 10 s", line.sent.len());
}

#[test]
fn a_removal_whose_connection_closes_is_repeated_once() {
    let mut line = Line::new(|_| {});
    let registration = line.register("sip:192.0.2.9");
    line.answer(200, "", "");
    line.phone.unregister(line.now, registration).unwrap();
    line.drain();
    line.close();
    assert_eq!((line.sent.len(), line.rows("Expires")), (3, vec!["0"]));
    line.close();
    assert_eq!(line.sent.len(), 3);
    assert_eq!(line.told.last(), Some(&Event::Unregistered { registration }));
}

#[test]
fn a_registrar_that_can_not_be_connected_to_is_tried_again_later() {
    let mut line = Line::new(|_| {});
    let registration = line.phone.register(line.now, "sip:192.0.2.9", "sip:alice@example.com", 300).unwrap();
    let Some(Action::Connect { ticket, .. }) = line.phone.poll_action(line.now) else { panic!("no question") };
    line.phone.connect_failed(line.now, ticket, FlowError::Refused);
    line.drain();
    let Some(Event::RegistrationFailed { registration: told, cause: Unreachable, status: 503, retry_after }) =
        line.told.last()
    else {
        panic!("{:?}", line.told);
    };
    assert!(*told == registration && (15..=30).contains(retry_after));
    assert_eq!(line.sent.len(), 0);
}

#[test]
fn the_port_of_a_connection_is_not_taken_for_ours_without_a_nat() {
    let mut line = Line::new(|_| {});
    line.register("sip:192.0.2.9");
    line.answer(200, ";received=192.0.2.1;rport=49152", "");
    line.wait(1000);
    assert_eq!(line.sent.len(), 1, "registered once");
    line.wait(210_000);
    assert_eq!(line.sent.len(), 2);
    assert_eq!(line.rows("Contact"), ["<sip:192.0.2.1:5060;transport=tcp>"]);
    assert!(line.rows("Via")[0].starts_with("SIP/2.0/TCP 192.0.2.1:5060;"), "{:?}", line.rows("Via"));
    // Behind a NAT it is.
    line.answer(200, ";received=203.0.113.4;rport=49152", "");
    line.wait(1000);
    assert_eq!(line.sent.len(), 3);
    assert_eq!(
        line.rows("Contact"),
        ["<sip:203.0.113.4:49152;transport=tcp>", "<sip:192.0.2.1:5060;transport=tcp>;expires=0"]
    );
}

#[test]
fn the_port_of_a_connection_is_ours_where_nobody_listens() {
    let mut line = Line::new(|config| config.accepts_connections = false);
    line.register("sip:192.0.2.9");
    line.answer(200, ";received=192.0.2.1;rport=49152", "");
    assert_eq!(line.rows("Contact")[0], "<sip:192.0.2.1:49152;transport=tcp>");
}

/// A change of the network is a new beginning: what was lost before does not make it wait.
#[test]
fn a_change_of_network_after_lost_connections_registers_at_once() {
    let mut line = Line::new(|_| {});
    line.register("sip:192.0.2.9");
    for _ in 0..3 {
        line.answer(200, "", "");
        let flow = line.sent.last().unwrap().1;
        line.phone.flow_failed(line.now, flow, FlowError::Closed);
        line.phone.network_changed(line.now, "192.0.2.77:5060").unwrap();
        line.wait(1);
        assert_eq!(line.rows("Contact")[0], "<sip:192.0.2.77:5060;transport=tcp>");
    }
    assert!(!line.told.iter().any(|event| matches!(event, Event::RegistrationFailed { .. })));
}

/// Each sees another address, and neither disturbs what the other was told.
#[test]
fn two_registrars_in_different_networks_see_two_addresses() {
    let mut line = Line::new(|config| config.transport = Transport::Udp);
    let addresses = [("sip:192.0.2.9", "203.0.113.4"), ("sip:198.51.100.9", "198.51.100.77")];
    for (registrar, seen) in addresses {
        line.register(registrar);
        assert_eq!(line.rows("Contact"), ["<sip:192.0.2.1:5060>"]);
        line.answer(200, &format!(";received={seen};rport=6000"), "");
        let contacts = [format!("<sip:{seen}:6000>"), "<sip:192.0.2.1:5060>;expires=0".to_owned()];
        assert_eq!(line.rows("Contact"), contacts);
        line.answer(200, &format!(";received={seen};rport=6000"), "");
    }
    for _ in 0..3 {
        let before = line.sent.len();
        line.wait(211_000);
        let refreshes: Vec<String> = line.sent[before..].iter().map(|(_, flow, _)| flow.remote.to_string()).collect();
        assert!(refreshes.len() >= 2, "{refreshes:?}");
        let sent: Vec<_> = line.sent[before..].to_vec();
        for (at, flow, request) in sent {
            let index = usize::from(flow.remote.to_string() != REGISTRAR);
            assert!(request.contains(&format!("Contact: <sip:{}:6000>\r\n", addresses[index].1)), "{request}");
            assert!(request.contains(&format!("Via: SIP/2.0/UDP {}:6000;", addresses[index].1)), "{request}");
            line.sent.push((at, flow, request));
            line.answer(200, &format!(";received={};rport=6000", addresses[index].1), "");
        }
    }
}

#[test]
fn the_domain_is_asked_by_way_of_the_registrar() {
    for (registrar, aor, uri, route) in [
        ("sip:192.0.2.9", "sip:alice@example.com", "sip:example.com", ""),
        ("sip:192.0.2.9;lr", "sip:alice@example.com:5070;x=y", "sip:example.com:5070", "<sip:192.0.2.9;lr>"),
        ("", "sip:alice@192.0.2.9", "sip:192.0.2.9", ""),
        ("sips:192.0.2.9:5060", "sips:alice@example.com", "sips:example.com", ""),
    ] {
        let mut line = Line::new(|_| {});
        line.phone.register(line.now, registrar, aor, 60).unwrap();
        line.drain();
        assert!(line.last().starts_with(&format!("REGISTER {uri} SIP/2.0\r\n")), "{}", line.last());
        assert_eq!((line.rows("To"), line.rows("Route").join("")), (vec![&*format!("<{aor}>")], route.to_owned()));
        assert_eq!(line.sent[0].1.remote.to_string(), REGISTRAR);
    }
    // Without a registrar the configured proxy is the next hop, and a name is looked up.
    let mut line = Line::new(|config| config.proxy = "sip:192.0.2.9");
    line.register("");
    assert_eq!((line.rows("Route"), line.sent[0].1.remote.to_string()), (vec!["<sip:192.0.2.9;lr>"], REGISTRAR.into()));
    for (registrar, asked) in [("sip:edge.example.net:5080", "edge.example.net"), ("", "example.com")] {
        let mut line = Line::new(|_| {});
        line.phone.register(line.now, registrar, "sip:alice@example.com", 60).unwrap();
        let Some(Action::Resolve { host, .. }) = line.phone.poll_action(line.now) else { panic!("no question") };
        assert_eq!(host, asked.as_bytes());
    }
    // A secure address of record goes by no way that is not.
    let mut line = Line::new(|_| {});
    assert!(line.phone.register(line.now, "sip:192.0.2.9", "sips:alice@example.com", 60).is_err());
    assert_eq!(Address::from(REGISTRAR.parse::<core::net::SocketAddr>().unwrap()).to_string(), REGISTRAR);
}
