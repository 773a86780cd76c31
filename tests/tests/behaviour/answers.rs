//! Where answers go, and that they find their way when the connection of their request is gone.
//!
//! Covers RFC 3261 §18.1.1 (a response may come by a connection that the peer opens), §18.2.2, RFC 3581 §4. Dead resolver names
//! in Via are not covered: sent-by is not looked up.

use sip_core::message::Method;
use sip_core::transport::Transport;
use sip_core::ua::{Cause, Config, Content, Event};
use sip_testkit::{ANSWER, NodeId, Phones, Wire};

/// Asks from another port than the Via names.
fn ask(phones: &mut Phones, alice: NodeId, method: &str, rport: bool) -> (String, String) {
    let (mut source, mut via) = (Wire::new("192.0.2.9:40000"), Wire::new("192.0.2.9:5070"));
    let mut leg = via.leg("sip:alice@192.0.2.1");
    let rows = via.contact();
    let request = String::from_utf8(via.request(&mut leg, method, &rows, b"")).unwrap();
    let request = if rport { request.replace(";branch=", ";rport;branch=") } else { request };
    source.send(phones, alice, request.as_bytes());
    if method == "MESSAGE" {
        let Some(Event::Request { request, .. }) = phones.last(alice) else { panic!("not handed over") };
        phones.act(alice, |phone, now| phone.respond(now, request, 202, &Content::NONE)).unwrap();
    }
    phones.wait(300);
    (via.kinds(phones), source.kinds(phones))
}

#[test]
fn every_answer_goes_to_the_port_of_sent_by_without_rport() {
    for (method, answers) in [("OPTIONS", "200"), ("MESSAGE", "202"), ("INVITE", "100"), ("BYE", "481")] {
        for rport in [false, true] {
            let mut phones = Phones::new(1);
            let alice = phones.add_with("alice", "192.0.2.1:5060", |config| config.methods = "MESSAGE");
            let (via, source) = ask(&mut phones, alice, method, rport);
            let expected = if rport { ("", answers) } else { (answers, "") };
            assert_eq!((via.as_str(), source.as_str()), expected, "{method}");
        }
    }
}

fn tcp_pair(seed: u64) -> (Phones, NodeId, NodeId) {
    let mut phones = Phones::new(seed);
    let tcp = |config: &mut Config<'_>| {
        config.transport = Transport::Tcp;
        config.methods = "MESSAGE";
    };
    let alice = phones.add_with("alice", "192.0.2.1:5060", tcp);
    let bob = phones.add_with("bob", "192.0.2.2:5060", tcp);
    for node in [alice, bob] {
        phones.world.listen(node, true);
    }
    (phones, alice, bob)
}

#[test]
fn a_call_whose_connection_is_lost_while_it_rings_is_answered_by_a_new_one() {
    let (mut phones, alice, bob) = tcp_pair(2);
    let call = phones.call(alice, "sip:bob@192.0.2.2;transport=tcp");
    phones.wait(100);
    let incoming = phones.incoming(bob);
    phones.act(bob, |phone, now| phone.ring(now, incoming, 180, &Content::NONE)).unwrap();
    phones.wait(100);
    phones.world.sever(bob);
    phones.wait(100);
    assert_eq!(phones.ended(alice), []);
    phones.act(bob, |phone, now| phone.answer(now, incoming, &Content::sdp(ANSWER))).unwrap();
    phones.wait(100);
    assert_eq!(phones.last(bob), Some(Event::Confirmed { call: incoming }));
    phones.hang_up(alice, call);
    phones.wait(100);
    assert_eq!(phones.ended(bob), [(Cause::RemoteHangup, 0)]);
    phones.settle();
}

#[test]
fn a_request_that_can_be_sent_again_is_told_as_soon_as_its_connection_is_lost() {
    let (mut phones, alice, bob) = tcp_pair(3);
    let target = "sip:bob@192.0.2.2;transport=tcp";
    let request = phones.act(alice, |phone, now| phone.request(now, Method::Message, target, &Content::NONE)).unwrap();
    phones.wait(100);
    let Some(Event::Request { request: incoming, .. }) = phones.last(bob) else { panic!("not handed over") };
    phones.world.sever(bob);
    phones.wait(1);
    assert_eq!(phones.last(alice), Some(Event::Response { request, status: 503 }));
    // The answer comes by another connection and is a stray.
    phones.act(bob, |phone, now| phone.respond(now, incoming, 202, &Content::NONE)).unwrap();
    phones.wait(100);
    assert_eq!(phones.world.role(alice).statistics().strays, 1);
    phones.settle();
}

#[test]
fn a_bye_whose_connection_is_lost_is_sent_once_more() {
    let (mut phones, alice, _) = tcp_pair(5);
    let mut wire = Wire::listening(&mut phones, "192.0.2.9:5060");
    let call = phones.call(alice, "sip:wire@192.0.2.9;transport=tcp");
    phones.wait(100);
    let invite = wire.expect(&phones, "INVITE");
    wire.accept(&mut phones, alice, &invite, "w", ANSWER);
    phones.wait(100);
    wire.expect(&phones, "ACK");
    phones.hang_up(alice, call);
    phones.wait(100);
    let first = wire.expect(&phones, "BYE");
    wire.close(&mut phones);
    phones.wait(100);
    // By a new connection and in the same transaction.
    let again = wire.expect(&phones, "BYE");
    assert_eq!((first.header("Via"), first.header("CSeq")), (again.header("Via"), again.header("CSeq")));
    assert_eq!(phones.ended(alice), []);
    wire.close(&mut phones);
    phones.settle();
    wire.expect_nothing(&phones);
    assert_eq!(phones.ended(alice), [(Cause::LocalHangup, 0)]);
}
