//! Flows that fail, names that resolve or don't, and sockets that would block.
//!
//! Covers RFC 3261 §8.1.3.1, §18.4 (transport errors), RFC 3263 as the resolver's part, RFC 6026 §8.8, the defer and Resolve
//! arms of the contract, field notes 7 and 11. Connections (Connect, TCP, TLS) come with their adapters.

use sip_core::message::Method;
use sip_core::time::Duration;
use sip_core::transport::{Address, Target, Transport};
use sip_core::ua::{Call, Cause, Content, Event};
use sip_testkit::{ANSWER, Config, Faults, NodeId, OFFER, Phones, Wire};

#[test]
fn a_closed_port_ends_the_call_at_once() {
    let (mut phones, alice, bob) = Phones::pair(1);
    phones.world.refuse(bob, true);
    let call = phones.call(alice, "sip:bob@192.0.2.2");
    phones.wait(1);
    assert_eq!(phones.last(alice), Some(Event::Ended { call, cause: Cause::Unreachable, status: 0 }));
    phones.settle();
    assert_eq!(phones.ended(alice).len(), 1);
}

#[test]
fn a_port_that_closes_in_a_call_ends_the_bye_at_once() {
    let (mut phones, alice, bob) = Phones::pair(2);
    let (call, incoming) = phones.established(alice, bob, "sip:bob@192.0.2.2");
    phones.world.refuse(bob, true);
    phones.hang_up(alice, call);
    phones.wait(1);
    assert_eq!(phones.last(alice), Some(Event::Ended { call, cause: Cause::LocalHangup, status: 0 }));
    phones.hang_up(bob, incoming);
    phones.settle();
    assert_eq!(phones.ended(bob), [(Cause::LocalHangup, 0)]);
}

#[test]
fn a_reinvite_into_a_closed_port_ends_the_call() {
    let (mut phones, alice, bob) = Phones::pair(3);
    let (call, _) = phones.established(alice, bob, "sip:bob@192.0.2.2");
    phones.world.refuse(bob, true);
    phones.act(alice, |phone, now| phone.reinvite(now, call, &Content::sdp(OFFER))).unwrap();
    phones.wait(1);
    let told = phones.events(alice);
    assert!(told.contains(&Event::Reinvited { call, status: 503, answer_due: false }));
    assert_eq!(phones.ended(alice).len(), 1);
    let request = phones.act(alice, |phone, now| phone.request(now, Method::Options, "sip:192.0.2.2", &Content::NONE));
    phones.wait(1);
    assert_eq!(phones.last(alice), Some(Event::Response { request: request.unwrap(), status: 503 }));
}

fn named(seed: u64, config: Config) -> (Phones, NodeId, Wire) {
    let mut phones = Phones::with(Config { seed, ..config.with_ladder(1000).with_check() });
    let alice = phones.add("alice", "192.0.2.1:5060");
    (phones, alice, Wire::new("192.0.2.9:5062"))
}

fn place(text: &str) -> Target {
    Target { address: Address::from(text.parse::<core::net::SocketAddr>().unwrap()), transport: Transport::Udp }
}

#[test]
fn a_name_is_resolved_for_each_request_and_for_the_ack() {
    let (mut phones, alice, mut wire) = named(4, Config::new(4));
    phones.world.add_host("example.com", place("192.0.2.9:5062"));
    phones.world.add_host("phone.example.com", place("192.0.2.9:5062"));
    let call = phones.call(alice, "sip:wire@example.com");
    wire.expect_nothing(&phones);
    phones.wait(1);
    let invite = wire.expect(&phones, "INVITE");
    assert_eq!(invite.uri(), "sip:wire@example.com");
    let rows = "Contact: <sip:wire@phone.example.com>\r\n";
    wire.send(&mut phones, alice, &invite.response(200, "x", rows, ANSWER));
    phones.wait(1);
    assert_eq!(wire.expect(&phones, "ACK").uri(), "sip:wire@phone.example.com");
    wire.send(&mut phones, alice, &invite.response(200, "x", rows, ANSWER));
    phones.wait(1);
    wire.expect(&phones, "ACK");
    phones.hang_up(alice, call);
    phones.wait(1);
    let bye = wire.expect(&phones, "BYE");
    wire.respond(&mut phones, alice, &bye, 200, "");
    phones.settle();
}

#[test]
fn the_ack_goes_before_the_bye_when_both_wait_for_a_name() {
    let (mut phones, alice, mut wire) = named(5, Config::new(5));
    phones.world.add_host("phone.example.com", place("192.0.2.9:5062"));
    let call = phones.call(alice, "sip:wire@192.0.2.9:5062");
    let invite = wire.expect(&phones, "INVITE");
    wire.respond(&mut phones, alice, &invite, 180, "");
    phones.hang_up(alice, call);
    wire.expect(&phones, "CANCEL");
    wire.send(&mut phones, alice, &invite.response(200, "x", "Contact: <sip:wire@phone.example.com>\r\n", ANSWER));
    phones.wait(1);
    let bye = wire.expect_all(&phones, &["ACK", "BYE"]).remove(1);
    wire.respond(&mut phones, alice, &bye, 200, "");
    phones.wait(100_000);
    assert_eq!(phones.ended(alice), [(Cause::LocalHangup, 0)]);
}

#[test]
fn a_contact_whose_name_is_unknown_is_reached_where_its_message_came_from() {
    let (mut phones, alice, mut wire) = named(6, Config::new(6));
    let call = phones.call(alice, "sip:wire@192.0.2.9:5062");
    let invite = wire.expect(&phones, "INVITE");
    wire.send(&mut phones, alice, &invite.response(200, "x", "Contact: <sip:wire@nowhere.invalid>\r\n", ANSWER));
    phones.wait(1);
    wire.expect(&phones, "ACK");
    phones.hang_up(alice, call);
    phones.wait(1);
    let bye = wire.expect(&phones, "BYE");
    wire.respond(&mut phones, alice, &bye, 200, "");
    phones.settle();
}

#[test]
fn a_name_without_an_address_ends_the_call_at_once() {
    let (mut phones, alice, _) = named(7, Config::new(7));
    let call = phones.call(alice, "sip:wire@nowhere.invalid");
    phones.wait(1);
    assert_eq!(phones.last(alice), Some(Event::Ended { call, cause: Cause::Unreachable, status: 0 }));
    phones.settle();
}

/// A call whose name takes an hour to resolve.
fn unresolved(seed: u64) -> (Phones, NodeId, Wire, Call) {
    let slow = Config { answer_after: Duration::from_secs(3600), ..Config::new(seed) };
    let (mut phones, alice, wire) = named(seed, slow);
    phones.world.add_host("example.com", place("192.0.2.9:5062"));
    let call = phones.call(alice, "sip:wire@example.com");
    (phones, alice, wire, call)
}

#[test]
fn a_name_that_is_never_answered_is_given_up_after_64_t1() {
    let (mut phones, alice, mut wire, call) = unresolved(8);
    phones.wait(31_999);
    assert_eq!(phones.events(alice), []);
    phones.wait(1);
    let Some(Event::Ended { call: ended, cause, .. }) = phones.last(alice) else { panic!("not ended") };
    assert!(ended == call && matches!(cause, Cause::Timeout | Cause::Unreachable));
    // The answer that comes after all finds nobody.
    phones.wait(4_000_000);
    wire.expect_nothing(&phones);
    phones.settle();
}

#[test]
fn a_hang_up_before_the_name_is_known_sends_nothing() {
    let (mut phones, alice, mut wire, call) = unresolved(9);
    phones.wait(100);
    phones.hang_up(alice, call);
    assert_eq!(phones.last(alice), Some(Event::Ended { call, cause: Cause::LocalHangup, status: 0 }));
    assert_eq!(phones.world.role(alice).occupancy().transactions, 0);
    phones.wait(4_000_000);
    wire.expect_nothing(&phones);
    phones.settle();
}

#[test]
fn the_ring_limit_counts_while_the_name_is_looked_up() {
    let slow = Config { answer_after: Duration::from_secs(10), ..Config::new(10) };
    let mut phones = Phones::with(slow.with_ladder(1000));
    let alice = phones.add_with("alice", "192.0.2.1:5060", |config| config.ring_limit = Duration::from_secs(5));
    let mut wire = Wire::new("192.0.2.9:5062");
    phones.world.add_host("example.com", place("192.0.2.9:5062"));
    let call = phones.call(alice, "sip:wire@example.com");
    phones.wait(5000);
    assert_eq!(phones.last(alice), Some(Event::Ended { call, cause: Cause::NoAnswer, status: 0 }));
    phones.wait(60_000);
    wire.expect_nothing(&phones);
    phones.settle();
}

#[test]
fn a_blocked_socket_delays_and_loses_nothing() {
    let mut deferred = 0;
    for seed in 0..40 {
        let (mut phones, alice, bob) = Phones::pair(seed);
        let blocking = Faults { block: 500, block_for: Duration::from_millis(40), ..Faults::NONE };
        phones.world.network_mut().set_faults(blocking);
        let call = phones.call(alice, "sip:bob@192.0.2.2");
        phones.wait(1000);
        let incoming = phones.incoming(bob);
        phones.answer(bob, incoming);
        phones.wait(1000);
        assert_eq!(phones.last(alice), Some(Event::Answered { call, answer_due: false }));
        assert_eq!(phones.last(bob), Some(Event::Confirmed { call: incoming }));
        // A stateless reply waits for its socket, too.
        let request =
            phones.act(bob, |phone, now| phone.request(now, Method::Options, "sip:192.0.2.1", &Content::NONE));
        phones.wait(1000);
        assert_eq!(phones.last(bob), Some(Event::Response { request: request.unwrap(), status: 200 }));
        phones.hang_up(bob, incoming);
        phones.settle();
        assert_eq!((phones.ended(alice).len(), phones.ended(bob).len()), (1, 1));
        deferred += phones.world.stats().deferred;
    }
    assert!(deferred > 100);
}

#[test]
fn a_blocked_ack_goes_out_when_its_socket_is_free() {
    let (mut phones, alice, mut wire) = Phones::scripted(50);
    phones.call(alice, "sip:wire@192.0.2.9");
    let invite = wire.expect(&phones, "INVITE");
    let (from, to) = (phones.world.address(alice), "192.0.2.9:5060".parse::<core::net::SocketAddr>().unwrap());
    let always = Faults { block: 1000, block_for: Duration::from_millis(1), ..Faults::NONE };
    phones.world.network_mut().set_direction(from, to.into(), always);
    wire.accept(&mut phones, alice, &invite, "x", ANSWER);
    phones.wait(100);
    wire.expect_nothing(&phones);
    phones.world.network_mut().set_direction(from, to.into(), Faults::NONE);
    phones.wait(1);
    wire.expect(&phones, "ACK");
}
