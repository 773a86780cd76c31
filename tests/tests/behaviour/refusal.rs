//! Calls that are refused: by the peer, by our own user, and by nobody in between.
//!
//! Covers RFC 3261 §8.1.3.4 (3xx is told, not followed), §13.2.2.2-§13.2.2.3, §13.3.1.3, §17.1.1.3 (the ACK to a non-2xx, its
//! branch and its Route) and field note 12 (the ACK of a 604). Challenges are in digest.rs, lack of room in capacity.rs.

use sip_core::message::{Header, HeaderName};
use sip_core::ua::{Cause, Content, Event};
use sip_testkit::{ANSWER, OFFER, Phones};

#[test]
fn a_refused_call_ends_once_at_each_end() {
    for (seed, status) in [302, 404, 480, 486, 488, 500, 603, 604, 699].into_iter().enumerate() {
        let (mut phones, alice, bob) = Phones::pair(seed as u64);
        let call = phones.call(alice, "sip:bob@192.0.2.2");
        phones.pause();
        let incoming = phones.incoming(bob);
        phones.act(bob, |phone, now| phone.reject(now, incoming, status, &Content::NONE)).unwrap();
        phones.pause();
        assert_eq!(phones.last(alice), Some(Event::Ended { call, cause: Cause::Rejected, status }));
        assert_eq!(phones.last(bob), Some(Event::Ended { call: incoming, cause: Cause::Declined, status }));
        phones.settle();
        assert_eq!((phones.ended(alice).len(), phones.ended(bob).len()), (1, 1));
    }
}

#[test]
fn hanging_up_while_it_rings_declines() {
    let (mut phones, alice, bob) = Phones::pair(20);
    let call = phones.call(alice, "sip:bob@192.0.2.2");
    phones.pause();
    let incoming = phones.incoming(bob);
    phones.hang_up(bob, incoming);
    phones.pause();
    assert_eq!(phones.last(alice), Some(Event::Ended { call, cause: Cause::Rejected, status: 486 }));
    assert_eq!(phones.last(bob), Some(Event::Ended { call: incoming, cause: Cause::Declined, status: 486 }));
    phones.settle();
}

#[test]
fn the_ack_of_a_refusal_is_the_invites_and_goes_again_for_each_repetition() {
    let (mut phones, alice, mut wire) = Phones::scripted(21);
    let call = phones.call(alice, "sip:wire@192.0.2.9");
    let invite = wire.expect(&phones, "INVITE");
    wire.respond(&mut phones, alice, &invite, 486, "");
    let ack = wire.expect(&phones, "ACK");
    assert_eq!((ack.branch(), ack.uri(), ack.seq()), (invite.branch(), invite.uri(), invite.seq()));
    assert_eq!(ack.rows("Via"), invite.rows("Via"));
    assert_eq!(ack.header("From"), invite.header("From"));
    assert_eq!(ack.header("To"), format!("{};tag=wire", invite.header("To")));
    assert_eq!(ack.header("Call-ID"), invite.header("Call-ID"));
    assert_eq!((ack.header("Max-Forwards").as_str(), ack.header("Content-Length").as_str()), ("70", "0"));
    assert_eq!(phones.last(alice), Some(Event::Ended { call, cause: Cause::Rejected, status: 486 }));
    phones.wait(500);
    for status in [486, 486, 603] {
        wire.respond(&mut phones, alice, &invite, status, "");
        assert_eq!(wire.expect(&phones, "ACK").bytes, ack.bytes);
    }
    assert_eq!(phones.events(alice).len(), 1);
    phones.settle();
    // Timer D is over: a still later one is a stray.
    wire.respond(&mut phones, alice, &invite, 486, "");
    wire.expect_nothing(&phones);
}

#[test]
fn a_refusal_is_sent_until_its_ack_and_repeated_invites_get_it_again() {
    let (mut phones, alice, mut wire) = Phones::scripted(22);
    let mut leg = wire.leg("sip:alice@192.0.2.1");
    leg.seq = 1;
    let (branch, contact) = (wire.branch(), wire.contact());
    let invite = wire.request_as(&leg, "INVITE", &branch, &contact, OFFER);
    wire.send(&mut phones, alice, &invite);
    let call = phones.incoming(alice);
    let header = [Header { name: HeaderName::Contact, value: b"<sip:elsewhere@192.0.2.7>" }];
    let content = Content::NONE.with_headers(&header);
    phones.act(alice, |phone, now| phone.reject(now, call, 302, &content)).unwrap();
    let moved = wire.expect(&phones, "302");
    assert_eq!(moved.header("Contact"), "<sip:elsewhere@192.0.2.7>");
    assert!(!moved.to_tag().is_empty());
    phones.wait(1500);
    let heard = wire.expect_all(&phones, &["302", "302"]);
    assert_eq!(heard.iter().map(|heard| heard.at).collect::<Vec<_>>(), [500, 1500]);
    wire.send(&mut phones, alice, &invite);
    assert_eq!(wire.expect(&phones, "302").bytes, moved.bytes);
    leg.remote = moved.header("To");
    let ack = wire.request_as(&leg, "ACK", &branch, "", b"");
    wire.send(&mut phones, alice, &ack);
    phones.wait(4000);
    wire.expect_nothing(&phones);
    wire.send(&mut phones, alice, &ack);
    wire.send(&mut phones, alice, &invite);
    wire.expect_nothing(&phones);
    assert_eq!(phones.ended(alice), [(Cause::Declined, 302)]);
    phones.settle();
    assert_eq!(phones.events(alice).len(), 2);
}

#[test]
fn nobody_at_all_is_a_timeout_after_64_t1() {
    let (mut phones, alice, mut wire) = Phones::scripted(23);
    let call = phones.call(alice, "sip:wire@192.0.2.9");
    phones.wait(31_999);
    assert_eq!(phones.events(alice), []);
    phones.wait(1);
    assert_eq!(phones.last(alice), Some(Event::Ended { call, cause: Cause::Timeout, status: 408 }));
    phones.settle();
    assert_eq!(wire.hear(&phones).len(), 7);
}

#[test]
fn what_ended_can_not_be_answered_or_refused() {
    let (mut phones, alice, bob) = Phones::pair(24);
    let call = phones.call(alice, "sip:bob@192.0.2.2");
    phones.pause();
    let incoming = phones.incoming(bob);
    phones.act(bob, |phone, now| phone.reject(now, incoming, 486, &Content::NONE)).unwrap();
    phones.pause();
    let gone = Err(sip_core::error::Error::Gone);
    assert_eq!(phones.act(bob, |phone, now| phone.reject(now, incoming, 486, &Content::NONE)), gone);
    assert_eq!(phones.act(bob, |phone, now| phone.answer(now, incoming, &Content::NONE)), gone);
    assert_eq!(phones.act(bob, |phone, now| phone.ring(now, incoming, 180, &Content::NONE)), gone);
    assert_eq!(phones.act(alice, |phone, now| phone.hang_up(now, call)), gone);
    assert_eq!(phones.act(alice, |phone, now| phone.reinvite(now, call, &Content::sdp(OFFER))), gone);
    phones.settle();
}

#[test]
fn a_caller_of_rfc_2543_without_a_contact_is_reached_at_its_from() {
    let mut phones = Phones::new(29);
    let bob = phones.add("bob", "192.0.2.2:5060");
    let caller = sip_core::transport::Address::from("192.0.2.9:5060".parse::<core::net::SocketAddr>().unwrap());
    let invite = "INVITE sip:bob@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9\r\nFrom: <sip:old@192.0.2.9>\r\n\
                  To: <sip:bob@192.0.2.2>\r\nCall-ID: 1@192.0.2.9\r\nCSeq: 1 INVITE\r\n\r\n";
    phones.world.inject(caller, phones.world.address(bob), invite.as_bytes());
    phones.pause();
    let incoming = phones.incoming(bob);
    phones.act(bob, |phone, now| phone.answer(now, incoming, &Content::sdp(ANSWER))).unwrap();
    let unanswered = sip_core::time::Duration::from_secs(33);
    phones.world.run_for(unanswered);
    let sent = phones.world.ladder().datagrams().map(|sent| String::from_utf8_lossy(&sent.bytes).into_owned());
    assert!(sent.into_iter().any(|text| text.starts_with("BYE sip:old@192.0.2.9 SIP/2.0\r\n")));
}
