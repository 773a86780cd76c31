//! Phones that are reached by the flow on which they came, and by no other way: behind a NAT, on a connection of their own; and what a
//! Route of the server's own allows (RFC 5626 §5).
//!
//! The octets of the token are tested beside it (proxy/token.rs), Path in proxy_routes.rs.

mod domain;

use domain::{Client, Domain, HUB, SERVER};
use sip_core::ua::{self, Call, Cause};
use sip_testkit::{Heard, Leg, NodeId, Wire};

const AT: &str = "192.0.2.9:5060";
const HIDDEN: &str = "10.0.0.7:5060";

/// How a phone stands behind its NAT.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    /// By datagrams, and it asks for its flow.
    Outbound,
    /// By datagrams, with an address of its own network in Via and Contact.
    Datagrams,
    /// By a connection.
    Connection,
}

const WAYS: [Way; 3] = [Way::Outbound, Way::Datagrams, Way::Connection];

/// A scripted phone of bob behind a NAT.
struct Hidden {
    client: Client,
    way: Way,
}

impl Hidden {
    fn new(domain: &mut Domain, way: Way) -> Self {
        let mut client = Client::new(AT, "bob");
        if way == Way::Connection {
            client.wire.connect(domain, SERVER);
        }
        Self { client, way }
    }

    fn contact(&self) -> String {
        let parameters = match self.way {
            Way::Outbound => ";ob",
            Way::Datagrams => "",
            Way::Connection => ";transport=tcp",
        };
        format!("Contact: <sip:bob@{HIDDEN}{parameters}>\r\n")
    }

    /// Sends what the phone writes, which knows no address but its own.
    fn send(&self, domain: &mut Domain, bytes: &[u8]) {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let text = text.replace(&format!(" {AT};branch"), &format!(" {HIDDEN};branch"));
        self.client.wire.send(domain, SERVER, text.as_bytes());
        domain.pause();
    }

    fn register(&mut self, domain: &mut Domain) {
        let contact = self.contact();
        for _ in 0..2 {
            let request = self.client.request("bob", &contact);
            self.send(domain, &request);
            let answer = self.client.wire.hear(domain).pop().expect("an answer");
            if answer.kind() == "200" {
                return;
            }
            (self.client.challenge, self.client.nc) = (Some(answer), 0);
        }
        panic!("{}", domain.world.explain());
    }

    /// Answers the call that has come in; the dialog, and the Route of its requests.
    fn accept(&mut self, domain: &mut Domain) -> (Heard, Leg, String) {
        let heard = self.client.wire.hear(domain);
        let invite = heard.into_iter().find(|heard| heard.kind() == "INVITE").unwrap_or_else(|| {
            panic!("no call\n{}", domain.world.explain());
        });
        let row = |name: &str| invite.rows("Record-Route").iter().map(|route| format!("{name}: {route}\r\n")).collect();
        let (recorded, route): (String, String) = (row("Record-Route"), row("Route"));
        let rows = format!("{recorded}{}", self.contact());
        let ok = invite.response(200, "far", &rows, sip_testkit::ANSWER);
        self.send(domain, &ok);
        let leg = self.client.wire.leg_of(&invite, "far");
        (invite, leg, route)
    }

    fn kinds(&mut self, domain: &Domain) -> String {
        self.client.wire.kinds(domain)
    }
}

/// Alice's call to bob, who has answered.
fn called(seed: u64, way: Way) -> (Domain, NodeId, Call, Hidden, Leg, String) {
    let mut domain = Domain::new(seed);
    let mut bob = Hidden::new(&mut domain, way);
    bob.register(&mut domain);
    let alice = domain.phone("alice", "192.0.2.1:5060", "wonderland");
    let call = domain.call(alice, "sip:bob@example.com");
    let (_, leg, route) = bob.accept(&mut domain);
    assert!(
        domain.events(alice).contains(&ua::Event::Answered { call, answer_due: false }),
        "{way:?}\n{}",
        domain.world.explain()
    );
    (domain, alice, call, bob, leg, route)
}

#[test]
fn a_call_to_a_phone_behind_a_nat_is_acknowledged_and_ended_over_its_flow() {
    for way in WAYS {
        let (mut domain, alice, call, mut bob, ..) = called(1, way);
        assert_eq!(bob.kinds(&domain), "ACK", "{way:?}\n{}", domain.world.explain());
        domain.act(alice, |phone, now| phone.hang_up(now, call)).unwrap();
        domain.pause();
        let bye = bob.client.wire.expect(&domain, "BYE");
        assert_eq!((bye.uri().contains(HIDDEN), bye.rows("Route").len()), (true, 0));
        bob.client.wire.respond(&mut domain, SERVER, &bye, 200, "");
        assert!(domain.heard(HUB, HIDDEN).is_empty());
        domain.settle();
    }
}

#[test]
fn a_phone_behind_a_nat_hangs_up() {
    for way in WAYS {
        let (mut domain, alice, _, mut bob, mut leg, route) = called(2, way);
        let bye = bob.client.wire.request(&mut leg, "BYE", &route, b"");
        bob.send(&mut domain, &bye);
        assert_eq!(domain.ended(alice), [(Cause::RemoteHangup, 0)], "{way:?}\n{}", domain.world.explain());
        assert_eq!(bob.kinds(&domain), "ACK 200");
        domain.settle();
    }
}

#[test]
fn a_caller_behind_a_nat_is_hung_up_over_its_flow() {
    for way in WAYS {
        let mut domain = Domain::with(3, |config| config.challenge_requests = false);
        let alice = domain.phone("alice", "192.0.2.1:5060", "wonderland");
        let mut bob = Hidden::new(&mut domain, way);
        let mut leg = bob.client.wire.leg("sip:alice@example.com");
        let invite = bob.client.wire.request(&mut leg, "INVITE", &bob.contact(), sip_testkit::OFFER);
        bob.send(&mut domain, &invite);
        let call = domain.answer(alice);
        let heard = bob.client.wire.hear(&domain);
        let ok = heard.iter().find(|heard| heard.kind() == "200").unwrap_or_else(|| panic!("{way:?}"));
        leg.remote = ok.header("To");
        leg.target = ok.contact();
        let route: String = ok.rows("Record-Route").iter().rev().map(|route| format!("Route: {route}\r\n")).collect();
        let ack = bob.client.wire.request_as(&leg, "ACK", "z9hG4bKack", &route, b"");
        bob.send(&mut domain, &ack);
        domain.act(alice, |phone, now| phone.hang_up(now, call)).unwrap();
        domain.pause();
        assert_eq!(bob.kinds(&domain), "BYE", "{way:?}\n{}", domain.world.explain());
    }
}

/// Fault 19 (kamailio 4315): a dead flow was found out by a timeout. 430 at once (RFC 5626 §5.3), and never to an ACK.
#[test]
fn kamailio_4315_a_flow_that_is_gone_is_a_430_at_once() {
    for restarted in [false, true] {
        let (mut domain, alice, call, mut bob, ..) = called(4, Way::Connection);
        bob.kinds(&domain);
        let ack = domain.world.ladder().datagrams().find(|sent| sent.bytes.starts_with(b"ACK ")).expect("its ACK");
        let ack = ack.bytes.clone();
        if restarted {
            // Another phone's connection has the number now.
            domain.restart();
            Wire::new("192.0.2.66:5060").connect(&mut domain, SERVER);
        } else {
            bob.client.wire.close(&mut domain);
        }
        domain.world.inject(domain::address("192.0.2.1:5060"), domain::address(HUB), &ack);
        domain.pause();
        let before = domain.heard(HUB, "192.0.2.1:5060");
        domain.act(alice, |phone, now| phone.hang_up(now, call)).unwrap();
        domain.pause();
        let heard = domain.heard(HUB, "192.0.2.1:5060");
        assert_eq!(heard[before.len()..], ["430"], "{restarted}\n{}", domain.world.explain());
        assert!(bob.client.wire.hear(&domain).is_empty());
        assert!(domain.heard(HUB, "192.0.2.66:5060").is_empty() && domain.heard(HUB, HIDDEN).is_empty());
        domain.settle();
    }
}

/// With the secret a token over datagrams is good after a restart.
#[test]
fn a_call_by_datagrams_survives_a_restart() {
    let (mut domain, alice, call, mut bob, ..) = called(5, Way::Datagrams);
    bob.kinds(&domain);
    domain.restart();
    domain.act(alice, |phone, now| phone.hang_up(now, call)).unwrap();
    domain.pause();
    assert_eq!(bob.kinds(&domain), "BYE", "{}", domain.world.explain());
}

/// A request of a stranger with a To tag, and what became of it.
fn stray(domain: &mut Domain, wire: &mut Wire, leg: &mut Leg, method: &str, route: &str) -> String {
    let rows = format!("{route}Contact: <sip:x@192.0.2.66>\r\n");
    let request = wire.request(leg, method, &rows, b"");
    wire.send(domain, SERVER, &request);
    domain.pause();
    wire.kinds(domain)
}

/// The relay is closed to a Route that this server did not write, to one of another dialog, and, where the server knows who
/// was called, to one of a dialog with somebody else.
#[test]
fn a_forged_route_of_ours_opens_no_relay() {
    let mut domain = Domain::new(6);
    domain.phone("bob", "192.0.2.2:5060", "zanzibar");
    let mut mallory = Wire::new("192.0.2.66:5060");
    let elsewhere = "sip:v@192.0.2.77";
    for (route, answers) in [
        (format!("Route: <sip:{HUB};lr>\r\n"), ["407", "407", "407", ""]),
        (format!("Route: <sip:bob@{HUB};lr>\r\n"), ["407", "407", "407", ""]),
        (format!("Route: <sip:~AAAAAAAAAAAAAAAAAAAA@{HUB};lr>\r\n"), ["403", "403", "403", ""]),
    ] {
        for (method, answer) in ["MESSAGE", "INVITE", "BYE", "ACK"].into_iter().zip(answers) {
            let mut leg = mallory.leg(elsewhere);
            leg.remote.push_str(";tag=z");
            assert_eq!(stray(&mut domain, &mut mallory, &mut leg, method, &route), answer, "{method} {route}");
        }
    }
    // A call to bob, as anybody may make one.
    let bob = NodeId::nth(1);
    let mut leg = mallory.leg("sip:bob@example.com");
    leg.local = "<sip:mallory@example.net>;tag=1".into();
    assert_eq!(stray(&mut domain, &mut mallory, &mut leg, "INVITE", ""), "");
    domain.answer(bob);
    let ok = mallory.expect(&domain, "200");
    let route = format!("Route: {}\r\n", ok.header("Record-Route"));
    (leg.remote, leg.target) = (ok.header("To"), ok.contact());
    let ack = mallory.request_as(&leg, "ACK", "z9hG4bKack", &route, b"");
    mallory.send(&mut domain, SERVER, &ack);
    // In its own dialog the Route leads to bob, and not to anybody else.
    // Where a `maddr` leads is elsewhere too.
    for target in [elsewhere, "sip:bob@192.0.2.2;maddr=192.0.2.77", "sip:bob@192.0.2.2;maddr=v.example"] {
        for method in ["MESSAGE", "INFO"] {
            let mut astray = leg.clone();
            astray.target = target.into();
            assert_eq!(stray(&mut domain, &mut mallory, &mut astray, method, &route), "407", "{method} {target}");
        }
    }
    let mut other = leg.clone();
    other.call_id.push('x');
    assert_eq!(stray(&mut domain, &mut mallory, &mut other, "MESSAGE", &route), "403", "another dialog");
    let mut other = leg.clone();
    other.local = "<sip:mallory@example.net>;tag=2".into();
    assert_eq!(stray(&mut domain, &mut mallory, &mut other, "MESSAGE", &route), "403", "another caller");
    assert!(domain.heard(HUB, "192.0.2.77:5060").is_empty(), "{}", domain.world.explain());
    leg.seq = 5;
    assert_eq!(stray(&mut domain, &mut mallory, &mut leg, "BYE", &route), "200", "{}", domain.world.explain());
    assert_eq!(domain.ended(bob), [(Cause::RemoteHangup, 0)]);
}

/// A Route in front of a user of ours leads elsewhere first: whoever may not relay does not get there (§16.6 step 6).
#[test]
fn a_strangers_route_sends_no_request_for_our_users_elsewhere() {
    let mut domain = Domain::with(7, |config| config.challenge_requests = false);
    let mut bob = Client::new("192.0.2.2:5060", "bob");
    // Without a flow: his contact is elsewhere.
    bob.register(&mut domain, "Contact: <sip:bob@192.0.2.3>\r\n");
    let mut mallory = Wire::new("192.0.2.66:5060");
    let mut leg = mallory.leg("sip:bob@example.com");
    let route = "Route: <sip:192.0.2.77;lr>\r\n";
    assert_eq!(stray(&mut domain, &mut mallory, &mut leg, "INVITE", route), "407");
    let mut leg = mallory.leg("sip:bob@example.com");
    assert_eq!(stray(&mut domain, &mut mallory, &mut leg, "MESSAGE", &format!("Route: <sip:{HUB};lr>\r\n")), "");
    assert_eq!((domain.heard(HUB, "192.0.2.77:5060"), domain.heard(HUB, "192.0.2.3:5060").len()), (vec![], 1));
}

/// A PBX that registers at one address and answers from another: a caller of another domain can't say who he is, and has to be able to
/// hang up. What he sends is passed on as often as he sends it, and no more.
#[test]
fn a_strangers_bye_reaches_a_phone_that_has_answered_from_elsewhere() {
    let mut domain = Domain::new(8);
    let mut bob = Client::new("192.0.2.2:5060", "bob");
    bob.register(&mut domain, "Contact: <sip:bob@192.0.2.2>\r\n");
    let (mut elsewhere, mut carol) = (Wire::new("192.0.2.3:5060"), Wire::new("192.0.2.66:5060"));
    let mut leg = carol.leg("sip:bob@example.com");
    leg.local = "<sip:carol@example.net>;tag=1".into();
    assert_eq!(stray(&mut domain, &mut carol, &mut leg, "INVITE", ""), "");
    let invite = bob.wire.hear(&domain).pop().expect("a call");
    let recorded = invite.header("Record-Route");
    let rows = format!("Record-Route: {recorded}\r\nContact: <sip:bob@192.0.2.3>\r\n");
    bob.wire.send(&mut domain, SERVER, &invite.response(200, "far", &rows, sip_testkit::ANSWER));
    domain.pause();
    let ok = carol.hear(&domain).pop().expect("an answer");
    (leg.remote, leg.target) = (ok.header("To"), ok.contact());
    let route = format!("Route: {recorded}\r\n");
    let ack = carol.request_as(&leg, "ACK", "z9hG4bKack", &route, b"");
    carol.send(&mut domain, SERVER, &ack);
    domain.pause();
    elsewhere.expect(&domain, "ACK");
    for method in ["MESSAGE", "INFO", "INVITE"] {
        assert_eq!(stray(&mut domain, &mut carol, &mut leg.clone(), method, &route), "407", "{method}");
    }
    leg.seq = 9;
    assert_eq!(stray(&mut domain, &mut carol, &mut leg, "BYE", &route), "", "{}", domain.world.explain());
    domain.wait(5000);
    let bye = elsewhere.expect(&domain, "BYE");
    elsewhere.respond(&mut domain, SERVER, &bye, 200, "");
    domain.pause();
    assert_eq!(carol.kinds(&domain), "200");
}

/// A phone behind another proxy, by whose Path it is called: a caller of another domain goes on in his dialog as far as his requests go to
/// that proxy, and is not asked who he is, which he could not say.
#[test]
fn a_strangers_requests_in_a_dialog_reach_a_phone_behind_a_path() {
    for host in ["192.0.2.30", "edge.example"] {
        let mut domain = Domain::new(11);
        let edge = sip_core::transport::Target {
            address: domain::address("192.0.2.30:5060"),
            transport: sip_core::transport::Transport::Udp,
        };
        domain.world.add_host("edge.example", edge);
        let (mut bob, mut edge) = (Client::new("192.0.2.30:5060", "bob"), Wire::new("192.0.2.30:5060"));
        let path = format!("Contact: <sip:bob@10.0.0.7>\r\nSupported: path\r\nPath: <sip:{host};lr>\r\n");
        assert_eq!(bob.register(&mut domain, &path).kind(), "200");
        edge.hear(&domain);
        let mut carol = Wire::new("192.0.2.66:5060");
        let mut leg = carol.leg("sip:bob@example.com");
        leg.local = "<sip:carol@example.net>;tag=1".into();
        assert_eq!(stray(&mut domain, &mut carol, &mut leg, "INVITE", ""), "");
        let invite = edge.hear(&domain).pop().expect("a call");
        let recorded = format!("<sip:token@{host};lr>, {}", invite.header("Record-Route"));
        let rows = format!("Record-Route: {recorded}\r\nContact: <sip:bob@10.0.0.7>\r\n");
        edge.send(&mut domain, SERVER, &invite.response(200, "far", &rows, sip_testkit::ANSWER));
        domain.pause();
        let ok = carol.hear(&domain).pop().expect("an answer");
        (leg.remote, leg.target) = (ok.header("To"), ok.contact());
        let own = format!("Route: {}\r\n", invite.header("Record-Route"));
        let route = format!("{own}Route: <sip:token@{host};lr>\r\n");
        let ack = carol.request_as(&leg, "ACK", "z9hG4bKack", &route, b"");
        carol.send(&mut domain, SERVER, &ack);
        domain.pause();
        edge.expect(&domain, "ACK");
        // What belongs to no dialog is no part of this one.
        assert_eq!(stray(&mut domain, &mut carol, &mut leg.clone(), "MESSAGE", &route), "407", "{host}");
        leg.seq += 1;
        for method in ["INVITE", "UPDATE", "INFO", "REFER", "BYE"] {
            assert_eq!(stray(&mut domain, &mut carol, &mut leg.clone(), method, &route), "", "{method} {host}");
            let heard = edge.expect(&domain, method);
            edge.respond(&mut domain, SERVER, &heard, 200, "");
            domain.pause();
            assert_eq!(carol.kinds(&domain), "200", "{method} {host}");
            leg.seq += 1;
        }
        // Not by another way, and not in another dialog.
        let astray = format!("{own}Route: <sip:192.0.2.77;lr>\r\n");
        for method in ["INVITE", "REFER", "MESSAGE"] {
            assert_eq!(stray(&mut domain, &mut carol, &mut leg.clone(), method, &astray), "407", "{method}");
            assert_eq!(stray(&mut domain, &mut carol, &mut leg.clone(), method, &own), "407", "{method}");
            leg.seq += 1;
        }
        leg.call_id.push('x');
        assert_eq!(stray(&mut domain, &mut carol, &mut leg, "INVITE", &route), "403");
        assert!(domain.heard(HUB, "192.0.2.77:5060").is_empty());
    }
}

/// A caller whose Contact is not where he is: what he sends in his own dialog, as if he were called, begins nothing elsewhere. The phone
/// that he has called reaches him.
#[test]
fn a_caller_who_is_elsewhere_gets_no_relay_for_what_begins_something() {
    let mut domain = Domain::new(9);
    let mut bob = Client::new("192.0.2.2:5060", "bob");
    bob.register(&mut domain, "Contact: <sip:bob@192.0.2.2>\r\n");
    let (mut elsewhere, mut mallory) = (Wire::new("192.0.2.3:5060"), Wire::new("192.0.2.66:5060"));
    let mut leg = mallory.leg("sip:bob@example.com");
    leg.local = "<sip:mallory@example.net>;tag=1".into();
    let invite = mallory.request(&mut leg, "INVITE", "Contact: <sip:m@192.0.2.3>\r\n", sip_testkit::OFFER);
    mallory.send(&mut domain, SERVER, &invite);
    domain.pause();
    let invite = bob.wire.hear(&domain).pop().expect("a call");
    let recorded = invite.header("Record-Route");
    let rows = format!("Record-Route: {recorded}\r\nContact: <sip:bob@192.0.2.2>\r\n");
    bob.wire.send(&mut domain, SERVER, &invite.response(200, "far", &rows, sip_testkit::ANSWER));
    domain.pause();
    mallory.hear(&domain);
    let route = format!("Route: {recorded}\r\n");
    let mut back = leg.clone();
    (back.local, back.remote) = ("<sip:x@example.net>;tag=z".into(), leg.local.clone());
    for further in ["", "Route: <sip:192.0.2.77;lr>\r\n"] {
        for method in ["INVITE", "SUBSCRIBE", "REFER", "REGISTER", "MESSAGE", "PUBLISH"] {
            back.target = "sip:v@192.0.2.77".into();
            let answer = stray(&mut domain, &mut mallory, &mut back, method, &format!("{route}{further}"));
            assert_eq!(answer, "407", "{method} {further}");
        }
    }
    assert!(domain.heard(HUB, "192.0.2.77:5060").is_empty());
    let mut leg = bob.wire.leg_of(&invite, "far");
    for (method, passes) in [("INVITE", true), ("MESSAGE", false), ("BYE", true)] {
        let answer = stray(&mut domain, &mut bob.wire, &mut leg, method, &route);
        assert_eq!(!answer.contains("407"), passes, "{method}: {answer}");
    }
    assert_eq!(elsewhere.kinds(&domain), "INVITE BYE");
}

/// What is larger than a datagram should be goes as one over a flow of datagrams: whoever takes connections at the address of a NAT
/// is somebody else.
#[test]
fn a_large_request_goes_over_the_flow_of_a_phone_behind_a_nat() {
    for way in [Way::Outbound, Way::Datagrams] {
        let mut domain = Domain::new(10);
        let mut bob = Hidden::new(&mut domain, way);
        bob.register(&mut domain);
        let _somebody_else = Wire::listening(&mut domain, AT);
        let mut carol = Wire::new("192.0.2.66:5060");
        let mut leg = carol.leg("sip:bob@example.com");
        leg.local = "<sip:carol@example.net>;tag=1".into();
        let large = [sip_testkit::OFFER, "a=x:0123456789abcdef\r\n".repeat(80).as_bytes()].concat();
        let contact = "Contact: <sip:carol@192.0.2.66>\r\n";
        let invite = carol.request(&mut leg, "INVITE", contact, sip_testkit::OFFER);
        carol.send(&mut domain, SERVER, &invite);
        domain.pause();
        let invite = bob.client.wire.hear(&domain).pop().expect("a call");
        let recorded = invite.header("Record-Route");
        let rows = format!("Record-Route: {recorded}\r\n{}", bob.contact());
        bob.send(&mut domain, &invite.response(200, "far", &rows, sip_testkit::ANSWER));
        let ok = carol.hear(&domain).pop().expect("an answer");
        (leg.remote, leg.target) = (ok.header("To"), ok.contact());
        let mut other = carol.leg("sip:bob@example.com");
        other.local = "<sip:carol@example.net>;tag=2".into();
        for (leg, route) in [(&mut leg, format!("Route: {recorded}\r\n")), (&mut other, String::new())] {
            let invite = carol.request(leg, "INVITE", &format!("{route}{contact}"), &large);
            carol.send(&mut domain, SERVER, &invite);
            domain.pause();
            let heard = bob.client.wire.hear(&domain).pop();
            let is_datagram = |heard: Heard| heard.kind() == "INVITE" && heard.rows("v")[0].starts_with("SIP/2.0/UDP");
            assert!(heard.is_some_and(is_datagram), "{way:?} {route}\n{}", domain.world.explain());
        }
    }
}
