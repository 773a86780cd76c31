//! Services (RFC 5359 §2), as far as they need neither REFER nor Replaces.

use crate::drawn::{assert_ladder, drawn, now};
use crate::office::{Answers, Office, address};
use sip_core::ua::{Call, Cause, Content, Event};
use sip_testkit::{ANSWER, NodeId, OFFER};

/// A description with a direction, at this version.
fn directed(description: &[u8], version: u8, direction: &str) -> Vec<u8> {
    let text = String::from_utf8(description.to_vec()).unwrap();
    let text = text.replace(" 1 IN IP4", &format!(" {version} IN IP4"));
    format!("{text}a={direction}\r\n").into_bytes()
}

/// One end changes the direction, the other answers.
fn change(office: &mut Office, (from, of_from): (NodeId, Call), (to, of_to): (NodeId, Call), with: [&str; 2]) {
    let version = if with[0] == "sendonly" { 2 } else { 3 };
    let (offer, answer) = (directed(OFFER, version, with[0]), directed(ANSWER, version, with[1]));
    office.phone(from, |phone, now| phone.reinvite(now, of_from, &Content::sdp(&offer))).unwrap();
    office.pause();
    assert_eq!(office.events(to).last(), Some(&Event::Reinvite { call: of_to }));
    office.phone(to, |phone, now| phone.answer(now, of_to, &Content::sdp(&answer))).unwrap();
    office.pause();
    let done = Event::Reinvited { call: of_from, status: 200, answer_due: false };
    assert!(office.events(from).contains(&done), "{}", office.world.explain());
}

const CHANGED: &str = "FROM -> proxy INVITE (sdp)
    proxy -> TO INVITE (sdp)
    TO -> proxy 200 INVITE (sdp)
    proxy -> FROM 200 INVITE (sdp)
    FROM -> proxy ACK
    proxy -> TO ACK\n";

fn changed(from: &str, to: &str) -> String {
    CHANGED.replace("FROM", from).replace("TO", to)
}

/// The directions that were offered and answered from line `since` of the ladder on, in order.
fn directions(office: &Office, to: &str) -> Vec<String> {
    let to = address(to);
    let bodies = office.world.ladder().datagrams().filter(|sent| sent.to == to).filter_map(|sent| {
        let text = String::from_utf8_lossy(&sent.bytes).into_owned();
        text.split("\r\na=").nth(1).map(|direction| direction.trim_end().to_owned())
    });
    bodies.collect()
}

/// RFC 5359 §2.1.
#[test]
fn a_call_is_held_and_resumed() {
    let (mut office, alice, bob) = Office::pair(1);
    let call = office.call(alice, "sip:bob@example.com");
    office.pause();
    let at_bob = office.answer(bob);
    office.pause();
    let since = now(&office);
    change(&mut office, (bob, at_bob), (alice, call), ["sendonly", "recvonly"]);
    change(&mut office, (bob, at_bob), (alice, call), ["sendrecv", "sendrecv"]);
    assert_ladder(&office, since, &changed("bob", "alice").repeat(2));
    assert_eq!(directions(&office, "192.0.2.1:5060"), ["sendonly", "sendrecv"]);
    assert_eq!(directions(&office, "192.0.2.2:5060"), ["recvonly", "sendrecv"]);
    office.hang_up(alice, call);
    office.settle();
}

/// RFC 5359 §2.2.
#[test]
fn somebody_else_is_asked_while_a_call_is_held() {
    let (mut office, alice, bob) = Office::pair(2);
    let carol = office.add("carol", "192.0.2.3:5060");
    office.bind("carol", "sip:carol@192.0.2.3", 1000);
    let call = office.call(alice, "sip:bob@example.com");
    office.pause();
    let at_bob = office.answer(bob);
    office.pause();
    let since = now(&office);
    change(&mut office, (bob, at_bob), (alice, call), ["sendonly", "recvonly"]);
    let asking = office.call(bob, "sip:carol@example.com");
    office.pause();
    office.answer(carol);
    office.pause();
    office.hang_up(bob, asking);
    office.pause();
    change(&mut office, (bob, at_bob), (alice, call), ["sendrecv", "sendrecv"]);
    let asked = "bob -> proxy INVITE (sdp)
        proxy -> carol INVITE (sdp)
        carol -> proxy 200 INVITE (sdp)
        proxy -> bob 200 INVITE (sdp)
        bob -> proxy ACK
        proxy -> carol ACK
        bob -> proxy BYE
        proxy -> carol BYE
        carol -> proxy 200 BYE
        proxy -> bob 200 BYE\n";
    let held = changed("bob", "alice");
    assert_ladder(&office, since, &format!("{held}{asked}{held}"));
    assert_eq!(office.ended(carol), [(Cause::RemoteHangup, 0)]);
    assert_eq!((office.ended(alice).len(), office.ended(bob).len()), (0, 1));
    office.hang_up(alice, call);
    office.settle();
}

/// RFC 5359 §2.7.
#[test]
fn every_call_is_forwarded() {
    let (mut office, alice, bob) = Office::pair(3);
    let carol = office.add("carol", "192.0.2.3:5060");
    office.world.user_mut().bindings.retain(|binding| binding.user != "bob");
    office.bind("bob", "sip:carol@192.0.2.3", 1000);
    let call = office.call(alice, "sip:bob@example.com");
    office.pause();
    office.answer(carol);
    office.pause();
    assert_ladder(
        &office,
        0,
        "alice -> proxy INVITE (sdp)
        proxy -> carol INVITE (sdp)
        carol -> proxy 200 INVITE (sdp)
        proxy -> alice 200 INVITE (sdp)
        alice -> proxy ACK
        proxy -> carol ACK",
    );
    assert!(office.events(bob).is_empty());
    office.hang_up(alice, call);
    office.settle();
}

/// RFC 5359 §2.8, and §2.12 with a second place that is busy too.
#[test]
fn a_call_is_forwarded_when_the_phone_is_busy() {
    let (mut office, alice, bob) = Office::pair(4);
    let carol = office.add("carol", "192.0.2.3:5060");
    let dave = office.add("dave", "192.0.2.4:5060");
    office.bind("bob", "sip:carol@192.0.2.3", 500);
    office.bind("bob", "sip:dave@192.0.2.4", 100);
    let call = office.call(alice, "sip:bob@example.com");
    office.pause();
    for busy in [bob, carol] {
        office.reject(busy, 486);
        office.pause();
    }
    office.answer(dave);
    office.pause();
    assert_ladder(
        &office,
        0,
        "alice -> proxy INVITE (sdp)
        proxy -> bob INVITE (sdp)
        bob -> proxy 486 INVITE
        proxy -> bob ACK
        proxy -> carol INVITE (sdp)
        carol -> proxy 486 INVITE
        proxy -> carol ACK
        proxy -> dave INVITE (sdp)
        dave -> proxy 200 INVITE (sdp)
        proxy -> alice 200 INVITE (sdp)
        alice -> proxy ACK
        proxy -> dave ACK",
    );
    office.hang_up(alice, call);
    office.settle();
}

/// RFC 5359 §2.13: who is not wanted is refused at the proxy.
#[test]
fn an_incoming_call_is_screened() {
    let (mut office, alice, bob) = Office::pair(5);
    office.world.user_mut().answers = Answers::Never;
    office.call(alice, "sip:bob@example.com");
    office.pause();
    let request = office.request();
    office.proxy(|hub, now| hub.respond(now, request, 403, &[])).unwrap();
    office.pause();
    let expected = ["alice -> proxy INVITE (sdp)", "proxy -> alice 403 INVITE", "alice -> proxy ACK"];
    assert_eq!(drawn(&office, 0), expected);
    assert_eq!(office.ended(alice), [(Cause::Rejected, 403)]);
    assert!(office.events(bob).is_empty());
    office.settle();
}
