//! Rows that break the grammar and that nobody needs: the message that bears them counts all the same.
//!
//! Covers RFC 3261 §8.2.2 (malformed rows that are not needed are ignored) and §19.3 (tags that are empty, without a value or
//! there twice). What a parser takes for a row, and what it must not pass over, is in the unit tests of sip-core.

use sip_core::ua::Event;
use sip_testkit::{ANSWER, OFFER, Phones, Wire};

const ROWS: [&str; 6] = ["X Odd: 1", "X-Odd", "X(Odd): 1", ": 1", "X-A;b: 1", "\u{dc}ber: 1"];

#[test]
fn an_invite_with_a_line_that_is_no_row_rings() {
    for (seed, row) in ROWS.into_iter().enumerate() {
        let (mut phones, alice, mut wire) = Phones::scripted(seed as u64);
        let leg = wire.call(&mut phones, alice, "sip:alice@192.0.2.1", &format!("{row}\r\n"));
        assert!(matches!(phones.last(alice), Some(Event::Confirmed { .. })), "{row}");
        assert!(!leg.remote.is_empty());
    }
}

#[test]
fn a_200_with_a_line_that_is_no_row_is_acknowledged() {
    for (seed, row) in ROWS.into_iter().enumerate() {
        let (mut phones, alice, mut wire) = Phones::scripted(seed as u64);
        phones.call(alice, "sip:wire@192.0.2.9");
        let invite = wire.expect(&phones, "INVITE");
        let rows = format!("{}{row}\r\n", wire.contact());
        wire.send(&mut phones, alice, &invite.response(200, "wire", &rows, ANSWER));
        answered(&mut phones, alice, &mut wire, row);
    }
}

#[test]
fn a_200_whose_tags_are_odd_is_acknowledged() {
    for (seed, (from, to)) in [
        (";tag=second", ";tag=wire"),
        ("", ";tag=wire;tag=other"),
        (";tag", ";tag=;tag=wire"),
        (";tag=", ";tag;tag=wire"),
    ]
    .into_iter()
    .enumerate()
    {
        let (mut phones, alice, mut wire) = Phones::scripted(seed as u64);
        phones.call(alice, "sip:wire@192.0.2.9");
        let invite = wire.expect(&phones, "INVITE");
        let text = String::from_utf8(invite.response(200, "", &wire.contact(), ANSWER)).unwrap();
        let odd = text.replace(&invite.header("From"), &format!("{}{from}", invite.header("From")));
        let odd = odd.replace("To: <sip:wire@192.0.2.9>", &format!("To: <sip:wire@192.0.2.9>{to}"));
        assert_ne!(odd, text);
        wire.send(&mut phones, alice, odd.as_bytes());
        answered(&mut phones, alice, &mut wire, to);
    }
}

#[test]
fn an_invite_whose_tags_are_odd_makes_a_dialog() {
    for (seed, (from, to)) in
        [(";tag=other", ""), ("", ";tag="), (";tag=", ";tag"), (";tag=a;tag=b", ";Tag=")].into_iter().enumerate()
    {
        let (mut phones, alice, mut wire) = Phones::scripted(seed as u64);
        let mut leg = wire.leg("sip:alice@192.0.2.1");
        let bare = leg.remote.clone();
        leg.local.push_str(from);
        leg.remote.push_str(to);
        let invite = wire.request(&mut leg, "INVITE", &wire.contact(), OFFER);
        wire.send(&mut phones, alice, &invite);
        let call = phones.incoming(alice);
        phones.answer(alice, call);
        let ok = wire.hear(&phones).pop().expect("an answer");
        assert_eq!(ok.header("From"), leg.local);
        // An empty tag is none: ours takes its place.
        assert_eq!(ok.header("To"), format!("{bare};tag={}", ok.to_tag()));
        leg.remote = ok.header("To");
        let ack = wire.request_as(&leg, "ACK", "z9hG4bK-ack", "", b"");
        wire.send(&mut phones, alice, &ack);
        assert_eq!(phones.last(alice), Some(Event::Confirmed { call }));
        phones.hang_up(alice, call);
        let bye = wire.expect(&phones, "BYE");
        assert_eq!((bye.header("From"), bye.header("To")), (leg.remote.clone(), leg.local.clone()));
        wire.respond(&mut phones, alice, &bye, 200, "");
        phones.settle();
    }
}

/// The 200 established the call: there is an ACK, and a BYE of the peer ends it.
fn answered(phones: &mut Phones, alice: sip_testkit::NodeId, wire: &mut Wire, what: &str) {
    let ack = wire.expect(phones, "ACK");
    assert_eq!(ack.to_tag(), "wire", "{what}");
    let mut leg = wire.leg("sip:alice@192.0.2.1:5060");
    (leg.local, leg.remote, leg.call_id) = (ack.header("To"), ack.header("From"), ack.header("Call-ID"));
    let bye = wire.request(&mut leg, "BYE", "", b"");
    wire.send(phones, alice, &bye);
    wire.expect(phones, "200");
    assert!(matches!(phones.last(alice), Some(Event::Ended { .. })), "{what}");
    phones.settle();
}
